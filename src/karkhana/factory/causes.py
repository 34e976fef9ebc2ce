"""What was wrong with changes that turned out badly, and what the gates had said that should have noticed.

A gate that passed what it should have noticed is too lenient, one that was not there or could not measure is missing.
Reads labels and trails; decides nothing.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from karkhana.domain.events import GateFinished
from karkhana.domain.outcomes import Label, Outcome
from karkhana.learning.outcomes.taxonomy import taxonomy
from karkhana.storage.event_log import EventLog

UNKNOWN_CAUSE = "not known"
ABSENT = "absent"


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One cause in one type of task."""

    type: str
    cause: str
    """Of ``taxonomy.toml``, or that it is not known."""
    meaning: str
    bad: int
    """Changes that turned out badly for this cause."""
    gates: dict[str, dict[str, int]]
    """Gate that should have noticed → what it said of how many of these changes: ``passed``, ``failed``, ``unknown``,
    or that it was ``absent``."""


def causes(events: EventLog, outcomes: Iterable[Outcome]) -> tuple[Cause, ...]:
    """Of the bad ones among ``outcomes``, the most frequent first."""
    counted: Counter[tuple[str, str]] = Counter()
    said: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    known = taxonomy().causes
    for outcome in outcomes:
        if outcome.label is not Label.BAD:
            continue
        key = outcome.change.type, outcome.cause if outcome.cause in known else UNKNOWN_CAUSE
        counted[key] += 1
        if key[1] in known:
            finished = events.entries(outcome.change.run_id, kinds=("gate.finished",))
            told = {e.event.result.gate: e.event.result.status for e in finished if isinstance(e.event, GateFinished)}
            for gate in known[key[1]].gates:
                status = told[gate].value if gate in told else ABSENT
                said.setdefault(key, {}).setdefault(gate, Counter())[status] += 1
    order = sorted(counted, key=lambda key: (-counted[key], key))
    return tuple(
        Cause(
            type=type_,
            cause=cause,
            meaning=known[cause].meaning if cause in known else "nobody said why",
            bad=counted[type_, cause],
            gates={gate: dict(sorted(each.items())) for gate, each in said.get((type_, cause), {}).items()},
        )
        for type_, cause in order
    )
