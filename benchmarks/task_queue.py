"""The queue under load: 1,000 tiny tasks with random priorities and 300 dependencies, two worker processes.

Every claim's transaction and every finish is written down with its time, and judged afterwards:

- a *dependency violation* is a claim that had ended before the finish of something that the task depends on began;
- a *duplicate* is a task that was claimed, or delivered, more than once;
- a *priority inversion* is a claim while a task of a higher priority was ready before the claim's transaction
  began, and was claimed only after that transaction had ended. The workers write down a finish after its
  transaction, so that a task is taken for ready a little late rather than early.

    python -m benchmarks.task_queue [--tasks 1000] [--database sqlite|postgresql|both] [--json]
"""

import argparse
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from benchmarks.databases import backends
from benchmarks.drill import CountingForge, Mark, SideLog, drill_order, open_drill_stores
from benchmarks.drill_control import WorkerProcess

WORKERS = 2


def measure(folder: Path, url: str | None, *, tasks: int, dependencies: int, seed: int) -> dict[str, Any]:
    """Fill the queue, let the workers drain it, and judge their side log."""
    graph, priority, added_s = _fill(folder, url, tasks, dependencies, random.Random(seed))
    workers = [WorkerProcess(folder, url, "--steps", "2", "--drain", "--hold") for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.wait_for("ready")
        began = time.time()
        (folder / "go").touch()
        for worker in workers:
            worker.wait(3600.0)
    finally:
        for worker in workers:
            worker.kill()
    marks = SideLog(folder).read()
    drained_s = max(mark.at for mark in marks) - began
    figures = judge(marks, graph, priority)
    figures["pushes_beyond_one"] = sum(CountingForge(folder).pushes(task) != 1 for task in priority)
    return {
        "tasks": tasks,
        "dependencies": sum(map(len, graph.values())),
        "added_per_s": round(tasks / added_s, 1),
        "drained_per_s": round(tasks / drained_s, 1),
        **figures,
    }


def _fill(
    folder: Path, url: str | None, count: int, dependencies: int, chance: random.Random
) -> tuple[dict[str, set[str]], dict[str, int], float]:
    """Add the tasks; what each depends on, each one's priority, and the seconds that it took."""
    depends: list[set[int]] = [set() for _ in range(count)]
    while sum(map(len, depends)) < dependencies:
        later = chance.randrange(1, count)
        depends[later].add(chance.randrange(later))
    ids: list[str] = []
    priority: dict[str, int] = {}
    began = time.time()
    with open_drill_stores(folder, url) as stores:
        for number in range(count):
            urgent = chance.randint(1, 10)
            task = stores.tasks.add(
                drill_order(), priority=urgent, depends_on=[ids[i] for i in sorted(depends[number])]
            )
            ids.append(task.task_id)
            priority[task.task_id] = urgent
    graph = {ids[number]: {ids[i] for i in depends[number]} for number in range(count)}
    return graph, priority, time.time() - began


def judge(marks: list[Mark], graph: Mapping[str, set[str]], priority: Mapping[str, int]) -> dict[str, Any]:
    """Count what must not happen."""
    claims = [mark for mark in marks if mark.what == "claim"]
    claimed = {mark.task_id: mark for mark in reversed(claims)}
    finished = {mark.task_id: mark.at for mark in marks if mark.what == "finished"}
    never = float("inf")
    ready = {task: max((finished.get(other, never) for other in graph[task]), default=0.0) for task in priority}
    inverted = [
        claim
        for claim in claims
        if any(
            priority[other] > priority[claim.task_id] and ready[other] < claim.at and later.at > claim.until
            for other, later in claimed.items()
        )
    ]
    begun = {mark.task_id: mark.at for mark in marks if mark.what == "begin" and mark.step == "finish"}
    early = sum(any(claim.until <= begun.get(other, never) for other in graph[claim.task_id]) for claim in claims)
    return {
        "unfinished": len(priority) - len(finished),
        "duplicates": len(claims) - len(claimed),
        "dependency_violations": early,
        "priority_inversions": len(inverted),
        "priority_inversions_percent": round(100 * len(inverted) / max(1, len(claims)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="dependencies, duplicates and priority inversions of the queue")
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--dependencies", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--data", type=Path, help="not used: nothing is fetched")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, folder, url in backends(options.database):
        measured = measure(folder, url, tasks=options.tasks, dependencies=options.dependencies, seed=options.seed)
        figures[name] = measured
        emit(f"queue on {name}", measured, as_json=False)
    emit("task_queue", figures, as_json=options.json)


if __name__ == "__main__":
    main()
