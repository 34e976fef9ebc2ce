"""The free loop with a small local model: simple tickets through the real line, from the ticket to the hand-over.

    python -m benchmarks.free_loop --dataset DIR --base-url http://127.0.0.1:8080/v1 [--half develop|blind] [--limit N]
                                   [--only 7,gcd] [--context N] [--turns N] [--seconds S] [--rows FILE] [--json]

DIR as for :mod:`benchmarks.humanevalfix`: a ticket is one of its bugs in a repository of its own, with the module, its
tests and some words. The tickets of a half stand in a fixed shuffled order, and ``--limit`` takes the first ones (10).
The line is that of ``karkhana run --engineer llm``: queue, sandbox, router, ledger, trail, gates; only the choice by
the model's size is left out, so that the model is left alone with the tools. The model's server must be there.

A ticket is *completed* when the model edited a file, ran the tests, handed over, and afterwards all tests pass.
*Right*: it also agrees with the canonical solution on fresh inputs. A run has a *clean end* when it is over within its
turns with a status, a reason unless it was handed over, a whole trail, and the user's branch as it was. ``--rows``
appends each row to a file and goes on after those in it.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import humanevalfix
from benchmarks.common import emit, git, small_repository
from karkhana.domain import events as ev
from karkhana.engineers.llm import LlmEngineer
from karkhana.factory.assembly import open_factory
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, result_of

SEED = 20
_COMMAND = "python -m pytest -q"
_MODELS = """
[provider.local]
wire = "openai"
base_url = "{base_url}"
[model.local]
candidates = ["local/small"]
[capability."local/small"]
context = {context}
tools = false
[price."local/small"]
input = "0"
output = "0"
"""
_ENDS = {"waiting_for_review", "delivered", "failed"}


def tickets(dataset: Path, half: str) -> list[tuple[int, dict[str, Any]]]:
    """The cases of a half with their numbers, in the shuffled order."""
    numbered = list(enumerate(humanevalfix.cases(dataset), 1))[{"develop": 0, "blind": 1}[half] :: 2]
    random.Random(SEED).shuffle(numbered)
    return numbered


def ticket_of(case: dict[str, Any]) -> str:
    """What a user would write: which function is wrong, where it is, and what shows it."""
    name = case["entry_point"]
    return f"{name}() in {name}_module.py gives wrong results. Tests in tests/test_{name}.py fail."


def work(case: dict[str, Any], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One ticket through the line; a row of the report."""
    name, files = case["entry_point"], humanevalfix.repository_files(case)
    repository = small_repository(folder / name, files)
    start = git(repository, "rev-parse", "HEAD")
    order, settings = make_order(
        ticket_of(case),
        repository,
        engineer=LlmEngineer.name,
        test_command=_COMMAND,
        max_turns=options.turns,
        seconds=options.seconds,
    )
    started = time.monotonic()
    with open_factory(settings, engineers={LlmEngineer.name: LlmEngineer()}) as factory:
        stores = factory.stores
        _, claim = stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        result = result_of(stores, claim.run_id)
        whole = not stores.events.verify(claim.run_id)
        events = [entry.event for entry in stores.events.entries(claim.run_id)]
    module = f"{name}_module.py"
    repaired = humanevalfix.patched(repository, folder / f"{name}.patched", result.diff, module)
    untouched = git(repository, "rev-parse", "HEAD") == start and not git(repository, "status", "--porcelain")
    row = row_of(result, events) | {"name": name, "bug": case["bug_type"], "wall_s": round(time.monotonic() - started)}
    row["clean"] = whole and untouched and result.status in _ENDS and result.turns <= options.turns
    row["clean"] &= bool(row["handed_over"] or result.reason)
    row["passing"] = row["right"] = False
    if repaired is not None and row["handed_over"]:
        row["change"] = humanevalfix.changed_lines(files[module], repaired)
        # With the tests as the ticket had them, whatever the change did to them.
        row["passing"] = humanevalfix.passes(folder / f"{name}.judged", {**files, module: repaired})
        row |= humanevalfix.judge(case, repaired, folder) if row["passing"] else {}
    row["completed"] = row["edited"] and row["tested"] and row["handed_over"] and row["passing"]
    return row


def row_of(result: RunResult, events: Sequence[ev.AnyEvent]) -> dict[str, Any]:
    """What the trail tells: the calls in their order, tokens, seconds of the model, how it ended."""
    called = [event for event in events if isinstance(event, ev.ToolCalled)]
    answers = [event for event in events if isinstance(event, ev.ModelAnswered)]
    handed = [event for event in events if isinstance(event, ev.ChangeHandedOver)]
    names = [str(dict(event.call)["tool"]) for event in called]
    usage: Counter[str] = Counter()
    for answer in answers:
        usage.update({key: n for key, n in (answer.answer.get("usage") or {}).items() if isinstance(n, int)})
    return {
        "run_id": result.run_id,
        "status": result.status,
        "reason": result.reason[:300],
        "calls": names,
        "answers": len(answers),
        "turns": result.turns,
        "tokens": dict(usage),
        "model_s": round(sum(answer.duration_s for answer in answers)),
        "edited": bool({"edit_file", "write_file"} & set(names)),
        "tested": "run_tests" in names,
        "handed_over": bool(handed),
        "nudges": [event.pattern for event in events if isinstance(event, ev.ModelNudged)],
    }


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of all rows."""
    return {
        "tickets": len(rows),
        "completed": sum(row["completed"] for row in rows),
        "right": sum(row["right"] for row in rows),
        "handed_over": sum(row["handed_over"] for row in rows),
        "clean_ends": sum(row["clean"] for row in rows),
        "median_answers": statistics.median(row["answers"] for row in rows) if rows else None,
        "median_model_s": statistics.median(row["model_s"] for row in rows) if rows else None,
        "tokens": dict(sum((Counter(row["tokens"]) for row in rows), Counter())),
        "cases": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--half", choices=("develop", "blind"), default="blind")
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--only", default="", help="numbers or names, separated by commas")
    parser.add_argument("--context", type=int, default=8192, help="tokens that the server takes")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=600.0, help="of one ticket")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--home", type=Path, help="keep the trails here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    only = {word for word in options.only.split(",") if word}
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()] if _there(options.rows) else []
    done = {row["number"] for row in rows}
    chosen = [
        (number, case)
        for number, case in tickets(options.dataset.resolve(), options.half)
        if not only or {str(number), case["entry_point"]} & only
    ]
    with tempfile.TemporaryDirectory(prefix="free-loop-") as scratch:
        folder = Path(scratch)
        (folder / "gateway.toml").write_text(_MODELS.format(base_url=options.base_url, context=options.context))
        os.environ["KARKHANA_MODELS_FILE"] = str(folder / "gateway.toml")
        os.environ["KARKHANA_HOME"] = str((options.home or folder / "home").resolve())
        for number, case in chosen[: options.limit]:
            if number in done:
                continue
            row = {"number": number} | work(case, folder, options)
            rows.append(row)
            if options.rows:
                with options.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            print(_line(row), file=sys.stderr, flush=True)
    emit("The free loop with a small model", figures_of(rows), as_json=options.json)


def _there(file: Path | None) -> bool:
    return file is not None and file.is_file()


def _line(row: dict[str, Any]) -> str:
    word = "completed" if row["completed"] else "clean end" if row["clean"] else "NOT CLEAN"
    told = f"{row['answers']:>3} answers {row['model_s']:>5} s  {row['status']}: {row['reason'][:90]}"
    return f"{row['number']:>4} {row['name']:<28} {word:<10} {told}"


if __name__ == "__main__":
    main()
