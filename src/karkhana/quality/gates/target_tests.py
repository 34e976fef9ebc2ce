"""Gate ``target_tests``: tests that fail without the change and pass with it. Hard.

Three kinds of target: tests that failed before and pass now, failing tests that the ticket names, and tests
that the change itself brings along. The last are run against the old code too, since a new test that passes
without the change proves nothing about it.

Knows nothing of whether the change is right beyond these tests.
"""

import re

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome
from karkhana.ports import GateContext
from karkhana.quality import paths, suite
from karkhana.quality.gates.wording import plural, some
from karkhana.quality.new_tests import tests_on_old_code

NAME = "target_tests"


class TargetTests:
    """Looks for tests that tell the code before from the code after."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        after = {r.name: r.outcome for r in context.result.results}
        fixed = [n for n in context.baseline.failing if after.get(n) is Outcome.PASSED]
        named = named_tests(context.ticket.text, context.baseline.failing)
        unsolved = [n for n in named if after.get(n) is not Outcome.PASSED]
        proving, idle, note = _brought_along(context, fixed)
        targets = [*fixed, *proving]
        measures = {
            "fixed": float(len(fixed)),
            "new_tests_that_need_it": float(len(proving)),
            "new_tests_that_do_not": float(len(idle)),
        }
        findings = tuple(
            Finding(
                rule="target_tests:unsolved",
                message=f"{name} is named by the ticket, failed before and does not pass now",
                severity=Severity.ERROR,
                path=name.split("::")[0],
            )
            for name in unsolved
        )
        if unsolved:
            status, summary = GateStatus.FAILED, f"the ticket names {some(unsolved)}, still not passing"
        elif targets:
            status, summary = GateStatus.PASSED, _summary(fixed, proving)
        else:
            status, summary = GateStatus.UNKNOWN, "no test fails without this change and passes with it"
        if idle:
            summary += f"; {plural(len(idle), 'new test')} pass without the change as well"
        return GateResult(
            gate=NAME, status=status, hard=True, summary=summary + note, measures=measures, findings=findings
        )


def named_tests(text: str, names: tuple[str, ...]) -> list[str]:
    """Those of ``names`` that a text mentions, by node id or by the bare name of the test function."""
    words = set(re.findall(r"[\w./:\[\]-]+", text))
    bare = {word.strip(".:").split("::")[-1].split("[")[0] for word in words}
    found = [n for n in names if n in words]
    return found or [n for n in names if _function(n) in bare and _function(n).startswith("test")]


def _function(name: str) -> str:
    return name.split("[", maxsplit=1)[0].rsplit("::", maxsplit=1)[-1]


def _summary(fixed: list[str], proving: list[str]) -> str:
    parts = []
    if fixed:
        parts.append(f"{plural(len(fixed), 'test')} failed before and pass now ({some(fixed)})")
    if proving:
        parts.append(f"{plural(len(proving), 'new test')} need the change to pass ({some(proving)})")
    return "; ".join(parts)


def _brought_along(context: GateContext, fixed: list[str]) -> tuple[list[str], list[str], str]:
    """New passing tests of the change: those that fail on the old code, those that do not, and a remark."""
    tests = [p for p in context.change.paths if paths.is_test(p) and context.contents[p][1] is not None]
    code = [p for p in context.change.paths if not paths.is_test(p) and paths.is_executable_kind(p)]
    known = {r.name for r in context.baseline.results}
    new = [n for n in context.result.passed if n not in known]
    if not tests or not code or not new:
        return [], [], ""
    try:
        old = _old_code_new_tests(context, new)
    except InfrastructureFailure as failure:
        return [], [], f" (the new tests could not be run on the old code: {failure.message})"
    if not old.tests and not old.timed_out:
        return [], [], " (the new tests could not be told apart on the old code)"
    passing = old.named(Outcome.PASSED)
    skipped = old.named(Outcome.SKIPPED)
    proving = [n for n in new if n not in passing and n not in skipped and n not in fixed]
    return proving, [n for n in new if n in passing], ""


def _old_code_new_tests(context: GateContext, new: list[str]) -> suite.Measurement:
    """Run the new tests on the old code with the change's own test files."""
    with tests_on_old_code(context):
        return suite.measure(
            context.before,
            context.test_command,
            only=new,
            timeout_s=suite.allowance(context.result.duration_s),
            test_cpu_s=suite.per_test_allowance(context.result),
        )
