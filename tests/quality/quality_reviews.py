"""Runs the review on two sets of files."""

import textwrap
from collections.abc import Mapping

from quality_contexts import change_of, contents_of, suite_report

from karkhana.domain.evidence import Finding
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Ticket
from karkhana.quality.review import review

Files = Mapping[str, str | bytes]


def failing(name: str = "test_cart.py::test_total", message: str = "", traceback: str = "") -> TestReport:
    """A baseline with one failing test."""
    result = TestResult(name, Outcome.FAILED, 0.01, message, traceback)
    return TestReport(command=("pytest",), exit_code=1, results=(result,), duration_s=0.01)


def reviewed(
    before: Files, after: Files, *, ticket: str = "total is wrong", baseline: TestReport | None = None
) -> list[Finding]:
    contents = contents_of(before, after)
    found = review(
        change_of(before, after), contents, Ticket(text=ticket), baseline or suite_report({"t": "passed"}), None
    )
    return list(found)


def rules_of(before: Files, after: Files, **more: object) -> list[str]:
    """The rules that fire, for files that may be written indented."""
    return [f.rule for f in reviewed(before, after, **more)]  # type: ignore[arg-type]


def code(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")
