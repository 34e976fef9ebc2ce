"""Gate ``performance``: are the changed functions slower, or hungrier, on the inputs that tests give them?

Times each changed function before and after the change, in turns and in one process (``behaviour.speed``). Only inputs
on which both answer alike count, so a repaired bug is not compared with itself; only functions of which the body alone
changed can be compared this way.

Knows nothing of inputs larger than those of the tests, nor of time that is spent waiting.
"""

from karkhana.behaviour.difference import Revised
from karkhana.behaviour.speed import Timing, slower, timings
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome
from karkhana.ports import GateContext
from karkhana.quality import reach
from karkhana.quality.changed import ChangedFunction
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural
from karkhana.syntax import Unparsable

NAME = "performance"


class Performance:
    """Compares CPU time and memory of changed functions."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        try:
            files = reach.changed_files(context)
        except Unparsable as error:
            return _unknown(f"the changed code cannot be read: {error}")
        functions = [f for file in files for f in file.functions if f.swappable and f.old is not None]
        functions = functions[: int(limits(NAME)["functions"])]
        if not functions:
            code = reach.python_code(context)
            return _unknown("no function changed in its body alone") if code else _result([], {})
        tests = _tests(context, functions)
        if not tests:
            return _unknown("no test that passes is known to reach the changed functions")
        found = _measure(context, functions, tests)
        if not found:
            return _unknown("no input of the tests could be given to the changed functions before and after")
        return _result(functions, found)


def _unknown(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=summary)


def _tests(context: GateContext, functions: list[ChangedFunction]) -> list[str]:
    measurement = reach.measured(context, after=True)
    found: set[str] = set()
    for function in functions:
        lines = range(function.place.start, function.place.end + 1)
        found |= reach.tests_reaching(measurement, function.path, lines)
    rows = sorted((r for r in context.result.results if r.name in found), key=lambda r: r.duration_s)
    return [r.name for r in rows[: int(limits(NAME)["tests"])]]


def _measure(context: GateContext, functions: list[ChangedFunction], tests: list[str]) -> dict[int, Timing]:
    rule = limits(NAME)
    durations = {r.name: r.duration_s for r in context.result.results if r.outcome is Outcome.PASSED}
    return timings(
        reach.run_in(context.after),
        arguments=reach.arguments_for(context, tests),
        tests=tests,
        limits=[max(rule["shortest_s"], rule["times"] * durations[name]) for name in tests],
        revised=[Revised(path=f.path, place=f.place, text=f.text, old=f.old or "") for f in functions],
        rounds=int(rule["rounds"]),
        pairs=int(rule["pairs"]),
        block_s=rule["block_s"],
        seconds=rule["seconds"],
    )


def is_slower(timing: Timing) -> bool:
    """By the limits that ship."""
    rule = limits(NAME)
    return slower(timing, ratio=rule["ratio"], tolerance=rule["tolerance"], p=rule["p"])


def _hungrier(timing: Timing) -> bool:
    rule = limits(NAME)
    return bool(
        timing.memory_ratio > rule["memory_ratio"] and timing.memory[1] - timing.memory[0] > rule["memory_bytes"]
    )


def _finding(rule: str, function: ChangedFunction, what: str, severity: Severity) -> Finding:
    message = f"{function.place.qualified} {what}"
    return Finding(rule=rule, message=message, severity=severity, path=function.path, line=function.place.start)


def _result(functions: list[ChangedFunction], found: dict[int, Timing]) -> GateResult:
    findings: list[Finding] = []
    slow = 0
    for number, timing in sorted(found.items()):
        if is_slower(timing):
            slow += 1
            what = f"takes {timing.ratio - 1:.0%} longer than before"
            findings.append(_finding("performance:slower", functions[number], what, Severity.WARNING))
        if _hungrier(timing):
            what = f"needs {timing.memory_ratio:.1f} times the memory at its peak"
            findings.append(_finding("performance:memory", functions[number], what, Severity.INFO))
    worst = max((t.ratio for t in found.values()), default=1.0)
    hungriest = max((t.memory_ratio for t in found.values()), default=1.0)
    timed = plural(len(found), "changed function")
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if slow else GateStatus.PASSED,
        summary=f"{slow} of {timed} slower than before; the worst takes {worst:.2f} times as long"
        if found
        else "the change has no code outside tests",
        measures={
            "functions": float(len(found)),
            "slower": float(slow),
            "worst_ratio": round(worst, 4),
            "memory_ratio": round(hungriest, 4),
        },
        findings=tuple(findings),
    )
