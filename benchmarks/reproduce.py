"""Tickets without a test: does the engineer write one that fails before the maintainers' fix and passes after it?

    python -m benchmarks.reproduce --dataset DIR [--half develop|blind|second|third] [--only TEXT] [--direct] [--json]

DIR holds a git repository for each library, named OWNER+NAME or OWNER+NAME/repo. Each ticket of ``reproduce.toml`` is
worked on at the commit before its fix, in the sandbox, or with ``--direct`` as plain processes (only for libraries that
you trust) with the packages that ``mine`` installs for a library. *Valid*: every test that was written fails there and
passes on the commit of the fix. The baseline is taken as green and not run, to save time; it only decides where the new
test goes.
"""

import argparse
import ast
import hashlib
import resource
import statistics
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.common import emit, git
from benchmarks.mine import DATA, libraries
from benchmarks.mine_commits import is_test
from benchmarks.reproduce_rooms import Plain, Rooms, Sandboxed
from karkhana.behaviour.running import ProbeFailed
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import AnyEvent, Noted
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Budget, Ticket
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.reproduction import Reproduction, reproduce
from karkhana.ports import Assignment, Workspace
from karkhana.workspace.testing import run_tests
from karkhana.workspace.toolbox import Toolbox

COMMAND = ("python", "-m", "pytest")
HALVES = ("develop", "blind", "second", "third")


class Notes:
    """A trail that keeps remarks only."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def record(self, event: AnyEvent) -> None:
        if isinstance(event, Noted):
            self.texts.append(event.text)

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


def measure(ticket: dict[str, Any], rooms: Rooms, source: Path) -> dict[str, Any]:
    """One ticket: a row of the report."""
    row: dict[str, Any] = {"name": f"{ticket['repository']}@{ticket['fix']}", "half": ticket["half"]}
    row |= {"written": False, "fails_before": False, "passes_after": False, "valid": False, "test": "", "note": ""}
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        with rooms:
            _attempt(row, ticket, rooms, source)
    except KarkhanaError as error:
        row["note"] = f"{error.message} {error.next}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row["cpu_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    row["seconds"] = round(time.monotonic() - started, 1)
    return row


def _attempt(row: dict[str, Any], ticket: dict[str, Any], rooms: Rooms, source: Path) -> None:
    fix = ticket["fix"]
    touched = git(source, "diff", "--name-only", f"{fix}^", fix).splitlines()
    there = set(git(source, "ls-tree", "-r", "--name-only", f"{fix}^").splitlines())
    files = [path for path in touched if path in there and path.endswith(".py") and is_test(path)]
    notes = Notes()
    with rooms.at(f"{fix}^") as workspace:
        budget = Budget(seconds=180.0)
        assignment = Assignment(
            ticket=Ticket(text=ticket["text"].strip()),
            baseline=_listed(workspace, files),
            budget=budget,
            root=workspace.root,
            test_command=COMMAND,
        )
        tools = Toolbox(workspace, notes, budget=budget, test_command=COMMAND)
        try:
            written = reproduce(Hands(assignment, tools, notes))
        except Abstention as abstention:
            row["note"] = f"{abstention.reason} | {abstention.question}"
            return
        except ProbeFailed as failure:
            row["note"] = failure.message
            return
        if written is None:
            row["note"] = "left to the failing tests"
            return
        content = workspace.read(written.path)
        report = run_tests(workspace, COMMAND, written.names, timeout_s=120)
        row |= {"written": True, "test": (content or b"").decode(), "note": written.told}
        row["fails_before"] = set(written.names) <= set(report.failing)
    _judge(row, written, content, rooms, fix)


def _listed(workspace: Workspace, files: list[str]) -> TestReport:
    """A green baseline of the tests that stand in ``files``, without running them."""
    names = []
    for path in files:
        tree = ast.parse(workspace.read(path) or b"")
        tests = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
        names += [f"{path}::{name}" for name in tests]
    results = tuple(TestResult(name, Outcome.PASSED) for name in names)
    return TestReport(command=COMMAND, exit_code=0, results=results, duration_s=0.0)


def _judge(row: dict[str, Any], written: Reproduction, content: bytes | None, rooms: Rooms, fix: str) -> None:
    with rooms.at(fix) as workspace:
        workspace.write(written.path, content)
        report = run_tests(workspace, COMMAND, written.names, timeout_s=120)
    row["passes_after"] = set(written.names) <= set(report.passed)
    row["valid"] = row["fails_before"] and row["passes_after"]
    if not row["passes_after"]:
        row["note"] += " | after the fix: " + "; ".join(r.message[:300] for r in report.results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--direct", action="store_true", help="plain processes in place of the sandbox")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tickets = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["ticket"]
    repositories = libraries(options.dataset)
    home = (options.data / "reproduce-home").resolve()
    home.mkdir(parents=True, exist_ok=True)
    rows = []
    for ticket in tickets:
        name = f"{ticket['repository']}@{ticket['fix']}"
        if options.only not in name or options.half not in (None, ticket["half"]):
            continue
        if ticket["repository"] not in repositories:
            print(f"{name}: not in {options.dataset}, left out", file=sys.stderr)
            continue
        source = repositories[ticket["repository"]]
        rooms = Plain(source, ticket["repository"], options.data) if options.direct else Sandboxed(source, home)
        row = measure(ticket, rooms, source)
        rows.append(row)
        word = "valid" if row["valid"] else "INVALID" if row["written"] else "abstained"
        print(f"{name:<48} {word:<9} {row['cpu_s']:>6} s  {row['note'][:400]}", file=sys.stderr, flush=True)
        if row["written"] and not row["valid"]:
            print(row["test"], file=sys.stderr)
    figures: dict[str, Any] = {
        "total": len(rows),
        "written": sum(r["written"] for r in rows),
        "fails_before": sum(r["fails_before"] for r in rows),
        "valid": sum(r["valid"] for r in rows),
        "abstained": sum(not r["written"] for r in rows),
        "libraries": len({r["name"].split("@")[0] for r in rows}),
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2) if rows else None,
        "cases": rows,
    }
    for half in HALVES:
        part = [r for r in rows if r["half"] == half]
        figures[half] = f"{sum(r['valid'] for r in part)}/{len(part)}"
    emit("Tickets without a test", figures, as_json=options.json)


if __name__ == "__main__":
    main()
