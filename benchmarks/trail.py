"""What the trail costs: own CPU per append by run length, keeping content, redaction, verifying, reading back, replay.

The events are those of a tool-using engineer (a call of 0.3 KB and a result of 1.6 KB in turns), with five secret
variables to look for. CPU is that of this process, so on PostgreSQL the server's own is not in it.

    python -m benchmarks.trail [--database sqlite|postgresql|both] [--json]
"""

import argparse
import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from benchmarks.databases import backends
from karkhana.domain.changes import REGULAR, FileChange, FileState
from karkhana.domain.events import AnyEvent, RunStarted, ToolCalled, ToolReturned
from karkhana.domain.tasks import Order, Ticket
from karkhana.ports import Trail
from karkhana.storage.database import Database, open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.replay import replay
from karkhana.storage.tasks import TaskStore

LENGTHS = (50, 400, 4000)
RECOVERED = 1500
ORDER = Order(ticket=Ticket(text="total() ignores the discount"), repository="/srv/shop", commit="a" * 40)
SOURCE = (Path(__file__).parent.parent / "src/karkhana/storage/runs.py").read_text("utf-8")


def events(turn: int) -> tuple[AnyEvent, AnyEvent]:
    """The two events of one turn."""
    start = 40 * turn % 9000
    path = f"src/shop/module_{turn % 40}.py"
    call = ToolCalled(turn=turn, call={"tool": "edit_file", "path": path, "old": SOURCE[:80], "new": SOURCE[80:180]})
    tests = [{"name": f"tests/test_cart.py::test_{n}", "outcome": "passed", "duration_s": 0.01} for n in range(5)]
    result = {"text": SOURCE[start : start + 1100], "total_lines": 300, "truncated": False, "tests": tests}
    return call, ToolReturned(turn=turn, result=result, duration_s=0.012)


class Bench:
    """A database with a log, and runs to write to."""

    def __init__(self, database: Database) -> None:
        self.log = EventLog(database, Redactor({f"KEY_{n}": secrets.token_hex(20) for n in range(5)}))
        self.tasks = TaskStore(database)

    def run(self) -> tuple[str, Trail]:
        """A new run and its trail, fenced as a worker's."""
        claim = self.tasks.add_and_claim(ORDER, "benchmark", 3600.0)[1]
        return claim.run_id, self.log.trail(claim.run_id, claim.epoch)

    def append_ms(self, length: int) -> float:
        """Own CPU milliseconds per append in a run of ``length`` events; the median of several runs."""
        figures = []
        for _ in range(max(3, 2000 // length)):
            _, trail = self.run()
            recorded = [event for turn in range(length // 2) for event in events(turn)]
            figures.append(cpu_ms(lambda: [trail.record(event) for event in recorded]) / len(recorded))  # noqa: B023
        return statistics.median(figures)

    def keep_ms(self, count: int = 500) -> tuple[float, float]:
        """Own CPU per new 2 KB of content, and per one that is known."""
        _, trail = self.run()
        contents = [f"# {n}\n{SOURCE[:2000]}".encode() for n in range(count)]
        new = cpu_ms(lambda: [trail.keep(content) for content in contents]) / count
        return new, cpu_ms(lambda: [trail.keep(content) for content in contents]) / count

    def recorded_run(self, length: int) -> str:
        """A run with a tool call's result every second event, each with a changed file."""
        run_id, trail = self.run()
        trail.record(RunStarted(task_id="T", order=ORDER, version="1"))
        before = None
        for turn in range(length // 2):
            call, result = events(turn)
            after = FileState(REGULAR, trail.keep(f"{SOURCE}# {turn % 20}\n".encode()))
            trail.record(call)
            assert isinstance(result, ToolReturned)
            trail.record(ToolReturned(turn=turn, result=result.result, changed=(FileChange("a.py", before, after),)))
            before = after
        return run_id


def cpu_ms(body: Callable[[], Any]) -> float:
    began = time.process_time()
    body()
    return (time.process_time() - began) * 1000


def best_ms(body: Callable[[], Any], repeats: int = 5) -> float:
    """Own CPU of the best of several tries."""
    return min(cpu_ms(body) for _ in range(repeats))


def redaction_us() -> float:
    """Own CPU microseconds for 2 KB of source without a secret; the median over the file."""
    redactor = Redactor({f"KEY_{n}": secrets.token_hex(20) for n in range(5)})
    pieces = [SOURCE[start : start + 2048] for start in range(0, len(SOURCE) - 2048, 512)]
    return statistics.median(best_ms(lambda: [redactor.text(piece) for _ in range(100)]) * 10 for piece in pieces)  # noqa: B023


def measure(folder: Path, url: str | None) -> dict[str, Any]:
    """All figures on one database."""
    with open_database(url, folder) as database:
        bench = Bench(database)
        bench.append_ms(50)
        figures: dict[str, Any] = {f"append_cpu_ms_{length}": round(bench.append_ms(length), 4) for length in LENGTHS}
        figures["flatness"] = round(figures["append_cpu_ms_4000"] / figures["append_cpu_ms_50"], 3)
        new, known = bench.keep_ms()
        run_id = bench.recorded_run(RECOVERED)
        assert bench.log.verify(run_id) == []
        return figures | {
            "keep_new_cpu_ms": round(new, 4),
            "keep_known_cpu_ms": round(known, 4),
            "verify_1500_cpu_ms": round(best_ms(lambda: bench.log.verify(run_id)), 2),
            "recover_1500_cpu_ms": round(best_ms(lambda: list(bench.log.entries(run_id))), 2),
            "replay_1500_cpu_ms": round(best_ms(lambda: replay(bench.log, run_id)), 2),
        }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="sqlite")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    figures: dict[str, Any] = {"redaction_us_2kb": round(redaction_us(), 1)}
    for name, folder, url in backends(chosen.database):
        measured = measure(folder, url)
        figures |= measured if name == "sqlite" else {f"{name}_{key}": value for key, value in measured.items()}
    emit("The trail", figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
