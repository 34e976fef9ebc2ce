"""Builds what a gate looks at from two sets of files, with real workspaces and real runs of the suite."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from karkhana.domain.changes import REGULAR, Change, FileChange, FileState
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Ticket
from karkhana.ports import GateContext
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import run_tests

Files = Mapping[str, str | bytes]
PYTEST = ("env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", "python", "-m", "pytest", "-q")
"""Without the plugins of the environment that these tests run in, which take most of the time."""


def as_bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content


def contents_of(before: Files, after: Files) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Path → bytes before and after, of each file that differs."""
    both = {p: (as_bytes(before.get(p)), as_bytes(after.get(p))) for p in sorted(before.keys() | after.keys())}
    return {path: pair for path, pair in both.items() if pair[0] != pair[1]}


def change_of(before: Files, after: Files) -> Change:
    def state(content: bytes | None) -> FileState | None:
        return None if content is None else FileState(REGULAR, hashlib.sha256(content).hexdigest())

    files = tuple(FileChange(p, state(a), state(b)) for p, (a, b) in contents_of(before, after).items())
    return Change(base="0" * 40, files=files, patch="", summary="", engineer="symbolic", title="Fix it")


def suite_report(
    outcomes: Mapping[str, str] = {}, *, seconds: float = 0.01, exit_code: int | None = None
) -> TestReport:
    """A report from ``{"t.py::test": "passed"}``."""
    results = tuple(TestResult(name, Outcome(outcome), seconds) for name, outcome in outcomes.items())
    failed = any(r.outcome in (Outcome.FAILED, Outcome.ERROR) for r in results)
    code = int(failed) if exit_code is None else exit_code
    return TestReport(command=PYTEST, exit_code=code, results=results, duration_s=seconds * len(results))


@contextmanager
def real_context(
    before: Files, after: Files, *, ticket: str = "fix it", command: tuple[str, ...] = PYTEST
) -> Iterator[GateContext]:
    """Two workspaces, and what the suite really says in each."""
    with TemporaryWorkspace(before) as old, TemporaryWorkspace(after) as new:
        yield GateContext(
            change=change_of(before, after),
            ticket=Ticket(text=ticket),
            contents=contents_of(before, after),
            before=old,
            after=new,
            test_command=command,
            baseline=run_tests(old, command),
            result=run_tests(new, command),
        )


@contextmanager
def still_context(
    before: Files,
    after: Files,
    *,
    baseline: TestReport | None = None,
    result: TestReport | None = None,
    ticket: str = "fix it",
) -> Iterator[GateContext]:
    """For gates that run nothing: the reports are given."""
    with TemporaryWorkspace({}) as empty:
        yield GateContext(
            change=change_of(before, after),
            ticket=Ticket(text=ticket),
            contents=contents_of(before, after),
            before=empty,
            after=empty,
            test_command=PYTEST,
            baseline=baseline or suite_report({"t.py::test": "passed"}),
            result=result or suite_report({"t.py::test": "passed"}),
        )


def with_reports(context: GateContext, baseline: TestReport, result: TestReport) -> GateContext:
    return msgspec.structs.replace(context, baseline=baseline, result=result)
