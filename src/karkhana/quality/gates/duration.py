"""Gate ``duration``: is the code slower than before?

Compares the time of the tests that pass both before and after. A first look uses the times that are known
already; when that looks slower, so are those of the run with coverage, which takes longer if anything. Only when it
still does are both suites measured again, in turns. The best time of each test counts, since noise only ever adds time.

Knows nothing of memory, and nothing of inputs larger than those of the tests.

>>> slower(1.0, 1.1), slower(1.0, 2.0)
(False, True)
"""

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import GateContext
from karkhana.quality import suite
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural
from karkhana.quality.reach import measured

NAME = "duration"
WHOLE = "the whole suite"

Times = dict[str, float]


class Duration:
    """Compares per-test totals with a margin; measures again when the first look is bad."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        common = set(context.baseline.passed) & set(context.result.passed)
        if not common:
            return GateResult(
                gate=NAME, status=GateStatus.UNKNOWN, summary="no test passes both before and after the change"
            )
        before, after = _times(context.baseline, common), _times(context.result, common)
        rounds, looks = 0, 1
        try:
            if slower(_total(before), _total(after)):
                after, looks = _known_better(context, after), 2
            while slower(_total(before), _total(after)) and rounds < _rounds(context):
                before, after = _measure_again(context, before, after)
                rounds += 1
        except InfrastructureFailure as failure:
            return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=failure.message)
        return _result(len(common), _total(before), _total(after), looks + rounds)


def slower(before: float, after: float) -> bool:
    """Whether seconds ``after`` exceed seconds ``before`` by more than noise explains."""
    return bool(after > before * limits(NAME)["ratio"] + limits(NAME)["noise_s"])


def _rounds(context: GateContext) -> int:
    return 0 if context.result.duration_s > limits(NAME)["longest_s"] else int(limits(NAME)["rounds"])


def _result(tests: int, before: float, after: float, looks: int) -> GateResult:
    noise = limits(NAME)["noise_s"]
    best = f", the best of {looks} measurements" if looks > 1 else ""
    passes = "passes" if tests == 1 else "pass"
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if slower(before, after) else GateStatus.PASSED,
        summary=f"{plural(tests, 'test')} that {passes} both times took {before:.2f} s before "
        f"and {after:.2f} s after{best}",
        measures={
            "before_s": round(before, 4),
            "after_s": round(after, 4),
            "ratio": round((after + noise) / (before + noise), 3),
        },
    )


def _times(report: TestReport, names: set[str]) -> Times:
    return {r.name: r.duration_s for r in report.results if r.name in names}


def _total(times: Times) -> float:
    return sum(times.values())


def _known_better(context: GateContext, after: Times) -> Times:
    """The times after the change, with those of the run with coverage where they are better."""
    run = measured(context, after=True)
    times = {} if run is None else _passing(run)
    return {name: min(seconds, times.get(name, seconds)) for name, seconds in after.items()}


def _measure_again(context: GateContext, before: Times, after: Times) -> tuple[Times, Times]:
    timeout_s = suite.allowance(max(context.result.duration_s, context.baseline.duration_s))
    old = suite.measure(
        context.before,
        context.test_command,
        timeout_s=timeout_s,
        test_cpu_s=suite.per_test_allowance(context.baseline),
    )
    new = suite.measure(
        context.after, context.test_command, timeout_s=timeout_s, test_cpu_s=suite.per_test_allowance(context.result)
    )
    old_times, new_times = _passing(old), _passing(new)
    if before.keys() <= old_times.keys() and before.keys() <= new_times.keys():
        return _best(before, old_times), _best(after, new_times)
    # The command does not end up in pytest, or tests flicker: the CPU time of the whole is what is left to compare.
    whole_before, whole_after = {WHOLE: old.cpu_s}, {WHOLE: new.cpu_s}
    if WHOLE in before:
        return _best(before, whole_before), _best(after, whole_after)
    return whole_before, whole_after


def _passing(run: suite.Measurement) -> Times:
    return {t.name: t.duration_s for t in run.tests if t.outcome is Outcome.PASSED}


def _best(known: Times, again: Times) -> Times:
    return {name: min(seconds, again[name]) for name, seconds in known.items()}
