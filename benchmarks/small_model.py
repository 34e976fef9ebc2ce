"""A small local model on QuixBugs or HumanEvalFix: alone by the small-model path, or together with the templates.

    python -m benchmarks.small_model --dataset DIR --base-url http://127.0.0.1:8080/v1 [--hybrid | --symbolic]
                                     [--cases quixbugs|humanevalfix] [--only gcd,sieve] [--limit N] [--resume FILE]
                                     [--kept FILE] [--json]

DIR as for :mod:`benchmarks.quixbugs` and :mod:`benchmarks.humanevalfix`; of the latter only the half for development is
taken: what is chosen by looking at results is chosen there. The engineer works directly, without line and sandbox.
``--resume`` appends each row to a file and goes on after those in it; ``--kept`` does the same for the model's answers,
so that one engineer need not wait for what another one asked. *Passing* and *right* as in those benchmarks; tokens and
seconds of the model are reported.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import humanevalfix, quixbugs
from benchmarks.common import emit
from benchmarks.direct import work_directly
from benchmarks.local_model import LocalModel
from benchmarks.quixbugs_inputs import MAKERS
from karkhana.domain.events import CandidatesCompared, ModelAnswered, Noted
from karkhana.engineers.llm.small import HybridEngineer, SmallModelEngineer
from karkhana.engineers.llm.small.proposing import Limits
from karkhana.engineers.symbolic import SymbolicEngineer
from karkhana.ports import Engineer
from karkhana.workspace.memory import TemporaryWorkspace

_COMMAND = ("python", "-m", "pytest", "-q")
Judge = Callable[[str, Path], dict[str, Any]]


class Bug:
    """One program with a bug, and who tells what a repair is worth."""

    def __init__(self, name: str, files: Mapping[str, str], ticket: str, module: str, judge: Judge) -> None:
        self.name, self.files, self.ticket, self.module, self.judge = name, files, ticket, module, judge


def bugs_of(kind: str, dataset: Path, scratch: Path) -> Iterator[Bug]:
    """The programs of a data set, in their order."""
    if kind == "humanevalfix":
        for case in humanevalfix.cases(dataset)[::2]:
            name = case["entry_point"]
            files = humanevalfix.repository_files(case)
            judge = _human_judge(case, files)
            yield Bug(name, files, humanevalfix.ticket_of(case), f"{name}_module.py", judge)
        return
    folder = quixbugs.checkout(dataset, scratch)
    for name in sorted(MAKERS):
        files = quixbugs.repository_files(folder, name)
        judge = _quix_judge(folder, name, files)
        yield Bug(name, files, quixbugs.ticket_of(folder, name), f"python_programs/{name}.py", judge)


def _human_judge(case: dict[str, Any], files: Mapping[str, str]) -> Judge:
    def judge(repaired: str, folder: Path) -> dict[str, Any]:
        module = f"{case['entry_point']}_module.py"
        if not humanevalfix.passes(folder / "judged", {**files, module: repaired}):
            return {"passing": False}
        return {"passing": True, **humanevalfix.judge(case, repaired, folder)}

    return judge


def _quix_judge(dataset: Path, name: str, files: Mapping[str, str]) -> Judge:
    def judge(repaired: str, folder: Path) -> dict[str, Any]:
        module = f"python_programs/{name}.py"
        for path, text in {**files, module: repaired}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        if not quixbugs.passes(folder):
            return {"passing": False}
        return {"passing": True, **quixbugs.judge(dataset, name, folder / module)}

    return judge


def repair(bug: Bug, engineer: Engineer, model: LocalModel | None, seconds: float) -> dict[str, Any]:
    """One bug; a row of the report."""
    row: dict[str, Any] = {"name": bug.name, "passing": False, "right": False, "abstained": True}
    before = (model.asked, model.seconds, dict(model.tokens)) if model else (0, 0.0, {})
    started = time.monotonic()
    with TemporaryWorkspace(bug.files) as workspace:
        handover, _, trail = work_directly(
            workspace, bug.ticket, _COMMAND, seconds, suite_s=20.0, engineer=engineer, model=model
        )
        changed = {change.path: (after or b"").decode() for change, _, after in workspace.changes()}
    row |= {"reason": handover.reason, "probability": handover.probability, "wall_s": round(time.monotonic() - started)}
    compared = [e for e in trail.events if isinstance(e, CandidatesCompared)]
    row["compared"] = [[e.chosen, e.probability, e.passing] for e in compared]
    row["answers"] = sum(isinstance(e, ModelAnswered) for e in trail.events)
    row["notes"] = [e.text for e in trail.events if isinstance(e, Noted)][-3:]
    if model:
        row["model_s"] = round(model.seconds - before[1], 1)
        row["tokens"] = {name: count - before[2].get(name, 0) for name, count in model.tokens.items()}
    if handover.solved:
        row["abstained"] = False
        repaired = changed.get(bug.module, bug.files[bug.module])
        row["change"] = humanevalfix.changed_lines(bug.files[bug.module], repaired)
        with tempfile.TemporaryDirectory(prefix="judged-") as folder:
            row |= bug.judge(repaired, Path(folder))
    return row


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    delivered = [row for row in rows if not row["abstained"]]
    right = sum(row["right"] for row in rows)
    return {
        "total": len(rows),
        "passing": sum(row["passing"] for row in rows),
        "right": right,
        "abstained": len(rows) - len(delivered),
        "precision": round(right / len(delivered), 3) if delivered else None,
        "answers": sum(row["answers"] for row in rows),
        "tokens": {k: sum(row.get("tokens", {}).get(k, 0) for row in rows) for k in ("prompt", "answer")},
        "model_s": round(sum(row.get("model_s", 0.0) for row in rows)),
        "median_model_s": statistics.median(row.get("model_s", 0.0) for row in rows) if rows else None,
        "wrong": [row["name"] for row in delivered if not row["right"]],
        "cases": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base-url", help="of a server of the OpenAI form, with /v1")
    parser.add_argument("--cases", choices=("quixbugs", "humanevalfix"), default="quixbugs")
    parser.add_argument("--hybrid", action="store_true")
    parser.add_argument("--symbolic", action="store_true", help="without a model, to compare with")
    parser.add_argument("--only", default="", help="names, separated by commas; asked in this order")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--answers", type=int, default=Limits().answers, help="of the model for one bug, at most")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the engineer's work on one bug")
    parser.add_argument("--resume", type=Path, help="file of rows")
    parser.add_argument("--kept", type=Path, help="file of the model's answers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    limits = Limits(answers=options.answers)
    engineer: Engineer = HybridEngineer(limits) if options.hybrid else SmallModelEngineer(limits)
    if options.symbolic:
        engineer = SymbolicEngineer()
    model = None if options.symbolic else LocalModel(options.base_url, options.kept)
    rows: list[dict[str, Any]] = []
    if options.resume and options.resume.exists():
        rows = [json.loads(line) for line in options.resume.read_text().splitlines()]
    done = {row["name"] for row in rows}
    wanted = [name for name in options.only.split(",") if name]
    with tempfile.TemporaryDirectory(prefix="small-model-") as scratch:
        bugs = list(bugs_of(options.cases, options.dataset.resolve(), Path(scratch)))
        if wanted:
            bugs = sorted((b for b in bugs if b.name in wanted), key=lambda b: wanted.index(b.name))
        for bug in bugs[: options.limit]:
            if bug.name in done:
                continue
            row = repair(bug, engineer, model, options.seconds)
            rows.append(row)
            if options.resume:
                with options.resume.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            word = "right" if row["right"] else "wrong" if not row["abstained"] else "abstained"
            told = f"{row['answers']} answers {row.get('model_s', 0)} s, {row['wall_s']} s, {row['reason'][:70]!r}"
            print(f"{bug.name:<30} {word:<10} {row['probability']} {told}", file=sys.stderr, flush=True)
    if model:
        model.close()
    emit("Small model", figures_of(rows), as_json=options.json)


if __name__ == "__main__":
    main()
