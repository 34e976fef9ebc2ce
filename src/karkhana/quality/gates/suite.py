"""Gate ``suite``: no test that passed before may fail or disappear after. Hard.

Tests that failed before for other reasons, or that fail now and then (``reruns``), are stated, not blamed on the
change. A test that a change deletes on purpose disappears too: that is for a person to accept.
"""

from collections import Counter

from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import GateContext
from karkhana.quality.gates.reruns import rerun, suspects
from karkhana.quality.gates.wording import plural, some

NAME = "suite"


class Suite:
    """Compares the whole suite before and after, test by test."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        before, after = context.baseline, context.result
        unusable = _unusable(before, after)
        if unusable:
            return GateResult(gate=NAME, status=GateStatus.UNKNOWN, hard=True, summary=unusable)
        outcomes = {r.name: r.outcome for r in after.results}
        flaky = rerun(context).flaky
        broken = [n for n in suspects(before, after) if n not in flaky]
        gone = [n for n in before.passed if n not in outcomes]
        replaced = [n for n in gone if _function(n) in _covered_variants(before, after)]
        vanished = [n for n in gone if n not in replaced]
        skipped = [n for n in before.passed if outcomes.get(n) is Outcome.SKIPPED]
        known = set(before.failing)
        still = [n for n in after.failing if n in known]
        new_failures = [n for n in after.failing if n not in known and n not in set(before.passed)]
        findings = (
            *_findings("suite:broken", "passed before the change and fails after it", broken, Severity.ERROR),
            *_findings("suite:vanished", "passed before the change and is gone after it", vanished, Severity.ERROR),
            *_findings("suite:skipped", "passed before the change and is skipped after it", skipped, Severity.ERROR),
            *_findings("suite:new-failure", "is new or was skipped before, and fails", new_failures, Severity.ERROR),
            *_findings("suite:other-cases", "has other cases now, no fewer and all passing", replaced, Severity.INFO),
            *_findings("suite:failed-before", "failed before the change as well", still, Severity.INFO),
            *_findings("suite:flaky", "fails now and then, whoever changed what", list(flaky), Severity.INFO),
        )
        bad = len(broken) + len(vanished) + len(skipped) + len(new_failures)
        return GateResult(
            gate=NAME,
            status=GateStatus.FAILED if bad else GateStatus.PASSED,
            hard=True,
            summary=_summary(before, after, broken=broken, gone=vanished + skipped, new=new_failures, still=still),
            measures={
                "passed_before": len(before.passed),
                "passed_after": len(after.passed),
                "broken": len(broken),
                "vanished": len(vanished) + len(skipped),
                "new_failures": len(new_failures),
                "failed_before_too": len(still),
                "flaky": len(flaky),
            },
            findings=findings,
        )


def _function(name: str) -> str:
    """A test without its parameters."""
    return name.split("[", 1)[0]


def _covered_variants(before: TestReport, after: TestReport) -> frozenset[str]:
    """Test functions that have no fewer cases than before, all passing: their parameters changed, not their number."""
    old = Counter(_function(r.name) for r in before.results)
    new = Counter(_function(r.name) for r in after.results)
    passing = Counter(_function(name) for name in after.passed)
    return frozenset(f for f in old if new[f] >= old[f] and passing[f] == new[f])


def _unusable(before: TestReport, after: TestReport) -> str:
    if after.timed_out:
        return f"the suite did not finish after the change ({after.duration_s:.0f} s)"
    if not after.results:
        return f"no test ran after the change (exit code {after.exit_code})"
    if not before.results:
        return "no test ran before the change, so there is nothing to compare with"
    if not after.failing and after.exit_code != 0:
        return f"no test failed after the change, yet the command ended with exit code {after.exit_code}"
    return ""


def _findings(rule: str, what: str, names: list[str], severity: Severity) -> list[Finding]:
    return [Finding(rule=rule, message=f"{name} {what}", severity=severity, path=name.split("::")[0]) for name in names]


def _summary(
    before: TestReport, after: TestReport, *, broken: list[str], gone: list[str], new: list[str], still: list[str]
) -> str:
    parts = [f"{plural(len(before.passed), 'test')} passed before, {len(after.passed)} after"]
    if broken:
        parts.append(f"{len(broken)} broke ({some(broken)})")
    if gone:
        parts.append(f"{len(gone)} no longer run ({some(gone)})")
    if new:
        parts.append(f"{plural(len(new), 'new test')} fail ({some(new)})")
    if still:
        parts.append(f"{len(still)} failed before the change too")
    return "; ".join(parts)
