"""Tickets without a test: does the engineer write one that fails before the maintainers' fix and passes after it?

    python -m benchmarks.reproduce --dataset DIR [--half develop|blind] [--only TEXT] [--json]

DIR holds a git repository for each library, named OWNER+NAME or OWNER+NAME/repo. Each ticket of ``reproduce.toml`` is
worked on at the commit before its fix, in the sandbox. *Valid*: every test that was written fails there and passes on
the commit of the fix. The baseline is taken as green and not run, to save time; it only decides where the
new test goes.
"""

import argparse
import ast
import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.common import emit, git
from benchmarks.mine import DATA, libraries
from karkhana.behaviour.running import ProbeFailed
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import AnyEvent, Noted
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Budget
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.reproduction import Reproduction, reproduce
from karkhana.factory.ordering import make_order
from karkhana.factory.rooms import workspaces_for
from karkhana.ports import Assignment, Workspace, Workspaces
from karkhana.workspace.testing import run_tests
from karkhana.workspace.toolbox import Toolbox

COMMAND = ("python", "-m", "pytest")


class Notes:
    """A trail that keeps remarks only."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def record(self, event: AnyEvent) -> None:
        if isinstance(event, Noted):
            self.texts.append(event.text)

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


def measure(ticket: dict[str, Any], source: Path, home: Path) -> dict[str, Any]:
    """One ticket: a row of the report."""
    row: dict[str, Any] = {"name": f"{ticket['repository']}@{ticket['fix']}", "half": ticket["half"]}
    row |= {"written": False, "fails_before": False, "passes_after": False, "valid": False, "test": "", "note": ""}
    with tempfile.TemporaryDirectory(prefix="karkhana-reproduce-") as temporary:
        folder = Path(temporary) / "repository"
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", source, folder], check=True, capture_output=True)
        git(folder, "checkout", "--quiet", "-B", "work", f"{ticket['fix']}^")
        git(folder, "remote", "remove", "origin")
        order, settings = make_order(ticket["text"].strip(), folder)
        settings = type(settings)(**{**_fields(settings), "home": home})
        workspaces = workspaces_for(settings, "bubblewrap")
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            _attempt(row, ticket, order, workspaces)
        except KarkhanaError as error:
            row["note"] = f"{error.message} {error.next}"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        row["cpu_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
        row["seconds"] = round(time.monotonic() - started, 1)
    return row


def _fields(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def _attempt(row: dict[str, Any], ticket: dict[str, Any], order: Any, workspaces: Workspaces) -> None:
    folder, fix = Path(order.repository), ticket["fix"]
    touched = git(folder, "diff", "--name-only", f"{fix}^", fix).splitlines()
    there = set(git(folder, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    files = [path for path in touched if path in there and path.endswith(".py") and "test" in path.rsplit("/", 1)[-1]]
    notes = Notes()
    with workspaces.open(order.repository, order.commit, record=notes) as workspace:
        baseline = _listed(workspace, files)
        budget = Budget(seconds=180.0)
        tools = Toolbox(workspace, notes, budget=budget, test_command=COMMAND)
        assignment = Assignment(
            ticket=order.ticket,
            baseline=baseline,
            budget=budget,
            root=workspace.root,
            test_command=COMMAND,
        )
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
    _judge(row, written, content, order, workspaces)


def _listed(workspace: Workspace, files: list[str]) -> TestReport:
    """A green baseline of the tests that stand in ``files``, without running them."""
    names = []
    for path in files:
        tree = ast.parse(workspace.read(path) or b"")
        tests = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
        names += [f"{path}::{name}" for name in tests]
    results = tuple(TestResult(name, Outcome.PASSED) for name in names)
    return TestReport(command=COMMAND, exit_code=0, results=results, duration_s=0.0)


def _judge(
    row: dict[str, Any], written: Reproduction, content: bytes | None, order: Any, workspaces: Workspaces
) -> None:
    fix = git(Path(order.repository), "rev-parse", row["name"].partition("@")[2])
    with workspaces.open(order.repository, fix, record=Notes()) as workspace:
        workspace.write(written.path, content)
        report = run_tests(workspace, COMMAND, written.names, timeout_s=120)
    row["passes_after"] = set(written.names) <= set(report.passed)
    row["valid"] = row["fails_before"] and row["passes_after"]
    if not row["passes_after"]:
        row["note"] += " | after the fix: " + "; ".join(r.message[:300] for r in report.results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--half", choices=("develop", "blind"))
    parser.add_argument("--only", default="", help="part of a case's name")
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
        row = measure(ticket, repositories[ticket["repository"]], home)
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
    for half in ("develop", "blind"):
        part = [r for r in rows if r["half"] == half]
        figures[half] = f"{sum(r['valid'] for r in part)}/{len(part)}"
    emit("Tickets without a test", figures, as_json=options.json)


if __name__ == "__main__":
    main()
