"""Is a test that passed before a change and fails after it broken by the change, or does it fail now and then?

Such tests are run again before anybody is blamed: the whole suite in its own order on both sides, the tests alone and
their files in shuffled order on the side before. A test that passes when the same suite is run again on the same code,
or that fails on the code before in any order, is *flaky*: its outcome says nothing about the change. One that fails
only together with others, each time, and only after the change, is no flaky test: the change leaves something behind.

The kinds of reruns follow Luo et al., "An empirical analysis of flaky tests" (2014) and Lam et al., "iDFlakies" (2019).
Knows nothing of what a failure is worth.
"""

from weakref import WeakKeyDictionary

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import GateContext, Workspace
from karkhana.quality import suite
from karkhana.quality.gates.limits import limits
from karkhana.quality.reach import measured

NAME = "flaky"
_FAILED = (Outcome.FAILED, Outcome.ERROR)
_KNOWN: WeakKeyDictionary[Workspace, "Reruns"] = WeakKeyDictionary()


class Reruns(msgspec.Struct, frozen=True, kw_only=True):
    """What running the suspicious tests again showed."""

    suspects: tuple[str, ...] = ()
    """Tests that passed before and fail after the change."""
    flaky: dict[str, str] = {}
    """Test → how it is known to be flaky, in words."""
    only_after: tuple[str, ...] = ()
    """The flaky ones that were never seen to fail before the change."""
    note: str = ""
    """Why nothing could be found out, if so."""

    @property
    def blamed(self) -> tuple[str, ...]:
        return tuple(name for name in self.suspects if name not in self.flaky)


def suspects(before: TestReport, after: TestReport) -> tuple[str, ...]:
    """Tests that passed before and fail after."""
    failing = set(after.failing)
    return tuple(name for name in before.passed if name in failing)


def rerun(context: GateContext) -> Reruns:
    """Run the suspects again, once per pair of workspaces; whatever could not be measured blames the change."""
    names = suspects(context.baseline, context.result)
    if not names:
        return Reruns()
    if context.after not in _KNOWN:
        _KNOWN[context.after] = _rerun(context, names)
    return _KNOWN[context.after]


def _rerun(context: GateContext, names: tuple[str, ...]) -> Reruns:
    if len(names) > limits(NAME)["suspects"]:
        return Reruns(suspects=names, note="too many tests fail to be by chance")
    if max(context.baseline.duration_s, context.result.duration_s) > limits(NAME)["longest_s"]:
        return Reruns(suspects=names, note="the suite takes too long to be run again")
    found: dict[str, str] = {}
    shown: set[str] = set()
    try:
        for number in range(int(limits(NAME)["rounds"])):
            left = tuple(n for n in names if n not in found)
            passing = _passing(context, left, first=not number)
            found |= dict.fromkeys(passing, "passes when the suite is run again after the change")
        for only, seed, words in (
            ((), 0, "fails before the change too, when the suite is run again"),
            (names, 0, "fails before the change too, when it is run alone"),
            (names, 1, "fails before the change too, when tests run in another order"),
        ):
            left = tuple(n for n in names if n not in shown)
            if left:
                failing = _failing(context, left, only, seed)
                shown.update(failing)
                found |= dict.fromkeys(failing, words)
    except InfrastructureFailure as failure:
        return Reruns(suspects=names, flaky=found, note=failure.message)
    return Reruns(suspects=names, flaky=found, only_after=tuple(n for n in found if n not in shown))


def _passing(context: GateContext, names: tuple[str, ...], *, first: bool) -> list[str]:
    """Those that pass in another run of the suite after the change; the ``first`` is the one that others need too."""
    if not names:
        return []
    again = (measured(context, after=True) if first else None) or _measure(context, after=True)
    return [name for name in names if name in again.named(Outcome.PASSED)]


def _failing(context: GateContext, names: tuple[str, ...], only: tuple[str, ...], seed: int) -> list[str]:
    """Those that fail in another run before the change."""
    again = _measure(context, after=False, only=only, seed=seed)
    failing = {test.name for test in again.tests if test.outcome in _FAILED}
    return [name for name in names if name in failing]


def _measure(context: GateContext, *, after: bool, only: tuple[str, ...] = (), seed: int = 0) -> suite.Measurement:
    workspace, report = (context.after, context.result) if after else (context.before, context.baseline)
    return suite.measure(
        workspace,
        context.test_command,
        only=only,
        seed=seed,
        timeout_s=suite.allowance(max(context.result.duration_s, context.baseline.duration_s)),
        test_cpu_s=suite.per_test_allowance(report),
    )
