"""What goes wrong again and again in a model's runs, seen in their trails. The patterns are data, with their remedies.

Besides what happened in a run this is what became of its change: why it was refused, reverted or mended.

Only counts leave this module, never a word of a ticket, a file or a model: what is drafted from them cannot carry
orders that somebody planted there.

>>> next(iter(patterns())).name
'untested-handover'
"""

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources

import msgspec

from karkhana.domain.chat import StopReason
from karkhana.domain.events import (
    AnyEvent,
    ApprovalGiven,
    ChangeHandedOver,
    EngineerAbstained,
    GateFinished,
    ModelAnswered,
    ModelNudged,
    OutcomeObserved,
    ReviewFinished,
    SuiteMeasured,
    ToolCalled,
    ToolReturned,
    WorkPaused,
    WorkspaceOpened,
)
from karkhana.domain.evidence import GateStatus
from karkhana.domain.strategies import StrategyLimits
from karkhana.learning.outcomes.taxonomy import cause_of

_EDITS = ("edit_file", "write_file")
_EARLY = 6
"""Calls before which giving up is early."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recurring failure and what may help."""

    name: str
    told: str
    feature: str
    least: int
    text: str
    limits: StrategyLimits = StrategyLimits()


class _Patterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asked: str
    pattern: tuple[Pattern, ...]


@functools.cache
def _file() -> _Patterns:
    content = resources.files(__package__).joinpath("failure_patterns.toml").read_bytes()
    return msgspec.toml.decode(content, type=_Patterns)


def patterns() -> tuple[Pattern, ...]:
    """All of the file, in its order."""
    return _file().pattern


def asked(type: str, found: Sequence[tuple[Pattern, int]]) -> str:
    """What a model is asked that drafts a strategy."""
    listed = "\n".join(f"- {count} times: {pattern.told}" for pattern, count in found[:5])
    return _file().asked.format(type=type, listed=listed)


def recurring(failed: Sequence[Iterable[AnyEvent]], *, least: int = 2) -> list[tuple[Pattern, int]]:
    """The patterns that at least so many of the failed runs show, the most frequent first."""
    counts: Counter[str] = Counter()
    for events in failed:
        seen = features(events)
        counts.update(each.name for each in patterns() if seen[each.feature] >= each.least)
    order = {each.name: number for number, each in enumerate(patterns())}
    found = [(each, counts[each.name]) for each in patterns() if counts[each.name] >= least]
    return sorted(found, key=lambda pair: (-pair[1], order[pair[0].name]))


def features(events: Iterable[AnyEvent]) -> Counter[str]:
    """Counts of what happened in the last attempt of a run and after it."""
    watch = _Watch()
    for event in events:
        watch.see(event)
    return watch.counts


class _Watch:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._called: ToolCalled | None = None
        self._calls = 0
        self._edited = False
        self._before: frozenset[str] = frozenset()
        self._failing: frozenset[str] = frozenset()

    def see(self, event: AnyEvent) -> None:
        match event:
            case WorkspaceOpened():
                self.counts.clear()
                self._called, self._calls, self._edited = None, 0, False
            case ToolCalled():
                self._called, self._calls = event, self._calls + 1
            case ToolReturned() if self._called is not None:
                self._returned(str(self._called.call.get("tool", "")), event)
            case ModelAnswered(purpose="work"):
                self._answered(event)
            case ModelNudged():
                self.counts["nudges"] += 1
            case ChangeHandedOver():
                self.counts["untested"] = int(self._edited)
            case EngineerAbstained():
                self.counts["gave_up_early"] = int(self._calls < _EARLY)
            case WorkPaused():
                self.counts["exhausted"] += 1
            case SuiteMeasured():
                self._measured(event)
            case ReviewFinished():
                self.counts["claims"] = sum("claim" in finding.rule for finding in event.findings)
            case GateFinished() if event.result.hard and event.result.status is GateStatus.FAILED:
                self.counts["hard_gates"] += 1
            case ApprovalGiven(approved=False):
                self._caused(cause_of(event.comment))
            case OutcomeObserved():
                self._caused(event.sign.cause)

    def _caused(self, cause: str) -> None:
        if cause:
            self.counts[f"cause_{cause}"] += 1

    def _returned(self, name: str, event: ToolReturned) -> None:
        if name in _EDITS and event.error:
            self.counts["refused_edits"] += 1
        elif event.changed:
            self._edited = True
        elif name == "run_tests" and not event.error:
            self._edited = False

    def _answered(self, event: ModelAnswered) -> None:
        self.counts["cut"] += event.answer.get("stop") == StopReason.LENGTH.value
        calls = any(part.get("part") == "tool_call" for part in event.answer.get("parts", ()))
        self.counts["silent"] += not calls

    def _measured(self, event: SuiteMeasured) -> None:
        if not event.after_change:
            self._before, self._failing = frozenset(event.report.passed), frozenset(event.report.failing)
            return
        self.counts["broken_tests"] = len(self._before - frozenset(event.report.passed))
        self.counts["unmended"] = len(self._failing & frozenset(event.report.failing))
