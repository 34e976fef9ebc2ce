"""What was wrong with changes that turned out badly, what the gates had said that should have noticed, and which of
their findings are false alarms.

A gate that passed what it should have noticed is too lenient, one that was not there or could not measure is missing,
and a rule that is mostly dismissed is too strict. Reads labels and trails; decides nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from karkhana.domain.events import GateFinished, ReviewFinished
from karkhana.domain.evidence import GateStatus
from karkhana.domain.outcomes import Label, Outcome, Sign, SignKind
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
    bad = [outcome for outcome in outcomes if outcome.label is Label.BAD]
    told: dict[str, dict[str, GateStatus]] = {}
    explained = [outcome.change.run_id for outcome in bad if outcome.cause in known]
    for entry in events.across(explained, ("gate.finished",)):
        if isinstance(entry.event, GateFinished):
            told.setdefault(entry.run_id, {})[entry.event.result.gate] = entry.event.result.status
    for outcome in bad:
        key = outcome.change.type, outcome.cause if outcome.cause in known else UNKNOWN_CAUSE
        counted[key] += 1
        if key[1] in known:
            results = told.get(outcome.change.run_id, {})
            for gate in known[key[1]].gates:
                status = results[gate].value if gate in results else ABSENT
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


NEWEST = 500
"""Changes whose findings are looked at."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the changes that a rule found something in."""

    rule: str
    shown: int
    """Changes."""
    dismissed: int
    """Of these, those on which a person called it a false alarm."""
    good: int
    bad: int
    """Of these, how they turned out; the others are pending."""


def rules(events: EventLog, outcomes: Sequence[Outcome], signs: Mapping[str, Sequence[Sign]]) -> tuple[Rule, ...]:
    """Of the newest changes, the rule that is dismissed most often first. ``signs``: run → everything seen of it."""
    labels = {outcome.change.run_id: outcome.label for outcome in outcomes[-NEWEST:]}
    found: dict[str, set[str]] = {}
    for entry in events.across(list(labels), ("gate.finished", "review.finished")):
        match entry.event:
            case GateFinished(result=result):
                findings = result.findings
            case ReviewFinished(findings=findings):
                pass
        for finding in findings:
            found.setdefault(finding.rule, set()).add(entry.run_id)
    shown = {rule: [(run_id, labels[run_id]) for run_id in where] for rule, where in found.items()}
    cleared = {sign.reference for some in signs.values() for sign in some if sign.kind is SignKind.CLEARED}
    dismissed = {
        (sign.run_id, sign.reference)
        for some in signs.values()
        for sign in some
        if sign.kind is SignKind.FINDING_DISMISSED and sign.sign_id not in cleared
    }
    told = [
        Rule(
            rule=rule,
            shown=len(where),
            dismissed=sum((run_id, rule) in dismissed for run_id, _ in where),
            good=sum(label is Label.GOOD for _, label in where),
            bad=sum(label is Label.BAD for _, label in where),
        )
        for rule, where in shown.items()
    ]
    return tuple(sorted(told, key=lambda each: (-each.dismissed, -each.shown, each.rule)))
