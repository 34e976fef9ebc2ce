"""Gate ``coverage``: does the suite execute the lines that changed?

Runs the suite with coverage after the change (for the changed executable lines) and before it (for the
percentage of the same files). A long suite of which no test is lost is not run before: what the change leaves alone is
then taken for as covered as after it. When a change only removes lines, the removed ones are what must have been
covered. ``# pragma: no cover`` is not honoured: a change cannot excuse itself.

Knows nothing of whether the covering tests assert anything.
"""

from collections import Counter
from collections.abc import Mapping

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import GateContext
from karkhana.quality import paths, suite
from karkhana.quality.diffs import line_diff
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, some
from karkhana.quality.reach import measured

NAME = "coverage"

Coverage = Mapping[str, suite.LineCoverage]


class CoverageGate:
    """Measures the changed lines that no test reaches, and the change of the files' percentage."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        code = [p for p in context.change.paths if not paths.is_test(p) and paths.is_executable_kind(p)]
        python = [p for p in code if p.endswith(".py")]
        other = [p for p in code if not p.endswith((".py", ".pyi"))]
        if not python:
            return _nothing_to_cover(other)
        try:
            after = _measure(context, after=True)
            worth = _worth_measuring(context, after)
            before = _measure(context, after=False) if worth else _left_alone(context, after or {})
        except InfrastructureFailure as failure:
            return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=failure.message)
        if after is None:
            return GateResult(
                gate=NAME, status=GateStatus.UNKNOWN, summary="the suite left no coverage data after the change"
            )
        return _judge(context, python, other, before or {}, after)


def _measure(context: GateContext, *, after: bool) -> Coverage | None:
    measurement = measured(context, after=after)
    return {} if measurement is None else measurement.coverage


def _worth_measuring(context: GateContext, after: Coverage | None) -> bool:
    """Whether the coverage before says more than that after: lost tests and removed lines show nowhere else."""
    if after is None or _small(context.baseline):
        return True
    added = any(after[p].touched(line_diff(*context.contents[p]).added) for p in after)
    # By function: names of cases may hold the address of an object.
    running = Counter(_function(r.name) for r in context.result.results if r.outcome is not Outcome.SKIPPED)
    return not added or bool(Counter(map(_function, context.baseline.passed)) - running)


def _function(name: str) -> str:
    return name.partition("[")[0]


def _small(suite: TestReport) -> bool:
    rule, rows = limits(NAME), suite.results
    return bool(len(rows) <= rule["fewest"] and sum(row.duration_s for row in rows) <= rule["shortest_s"])


def _left_alone(context: GateContext, after: Coverage) -> Coverage:
    """The coverage after the change without the statements that it added, in place of that before."""
    found = {}
    for path, one in after.items():
        added = one.touched(line_diff(*context.contents[path]).added)
        if context.contents[path][0] is not None:
            kept = tuple(n for n in one.statements if n not in added)
            found[path] = suite.LineCoverage(kept, tuple(n for n in one.missing if n not in added))
    return found


def _nothing_to_cover(other: list[str]) -> GateResult:
    if other:
        return GateResult(
            gate=NAME, status=GateStatus.UNKNOWN, summary=f"cannot measure coverage of {some(other)}: not Python"
        )
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED,
        summary="the change has no executable line outside tests",
        measures={"changed_lines": 0, "covered_lines": 0, "coverage_delta": 0.0},
    )


def _judge(context: GateContext, python: list[str], other: list[str], before: Coverage, after: Coverage) -> GateResult:
    changed, uncovered, unmeasured = _changed_lines(context, python, before, after)
    if unmeasured:
        return GateResult(
            gate=NAME, status=GateStatus.UNKNOWN, summary=f"this interpreter cannot parse {some(unmeasured)}"
        )
    percent_before, percent_after = _percent(before), _percent(after)
    covered = changed - len(uncovered)
    measures = {"changed_lines": float(changed), "covered_lines": float(covered)}
    delta = percent_after - percent_before if before and after else 0.0
    measures |= {"percent_before": percent_before, "percent_after": percent_after, "coverage_delta": round(delta, 2)}
    summary = (
        f"{covered} of {plural(changed, 'changed statement')} covered by tests" if changed else "no statement changed"
    )
    if before and after:
        summary += f"; the changed files go from {percent_before:.1f} % to {percent_after:.1f} %"
    if other:
        summary += f"; not measured: {some(other)}"
        measures["unmeasured_files"] = float(len(other))
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if uncovered else GateStatus.PASSED,
        summary=summary,
        measures=measures,
        findings=tuple(
            Finding(
                rule="coverage:uncovered",
                message="no test executes this changed statement",
                severity=Severity.WARNING,
                path=path,
                line=line,
            )
            for path, line in uncovered
        ),
    )


def _changed_lines(
    context: GateContext, python: list[str], before: Coverage, after: Coverage
) -> tuple[int, list[tuple[str, int]], list[str]]:
    """Changed executable lines, those uncovered (with their place in the new file), and unmeasurable files."""
    changed, uncovered, unmeasured = 0, list[tuple[str, int]](), list[str]()
    removed_only: list[tuple[str, int]] = []
    for path in python:
        old, new = context.contents[path]
        diff = line_diff(old, new)
        if new is not None and path not in after:
            unmeasured.append(path)
        elif new is not None:
            touched = after[path].touched(diff.added)
            changed += len(touched)
            uncovered.extend((path, line) for line in sorted(touched & set(after[path].missing)))
        if path in before:
            removed_only.extend((path, n) for n in sorted(before[path].touched(diff.removed)))
    if changed == 0 and removed_only and not unmeasured:
        uncovered = [(path, 0) for path, line in removed_only if line in before[path].missing]
        changed = len(removed_only)
    return changed, uncovered, unmeasured


def _percent(files: Coverage) -> float:
    statements = sum(len(f.statements) for f in files.values())
    missing = sum(len(f.missing) for f in files.values())
    return round(100.0 * (1 - missing / statements), 2) if statements else 100.0
