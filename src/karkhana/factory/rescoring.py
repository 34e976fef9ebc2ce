"""The score of a past change again, from what its trail keeps and by the weights that hold now.

Raw scores can be compared only within one version of the weights: another one gives the same evidence another number.
Knows nothing of what became of the change.
"""

from collections.abc import Iterable

import msgspec

from karkhana.domain.events import AnyEvent, GateFinished, ReviewFinished, ScoreComputed
from karkhana.domain.evidence import Evidence, Finding, GateResult
from karkhana.quality.confidence import score
from karkhana.quality.weights import Weights


def scored_in(events: Iterable[AnyEvent]) -> tuple[Evidence, ScoreComputed] | None:
    """The newest score of a trail and all the evidence that it rests on; ``None`` when nothing was scored."""
    gates: dict[str, GateResult] = {}
    review: tuple[Finding, ...] = ()
    found = None
    for event in events:
        if isinstance(event, GateFinished):
            gates[event.result.gate] = event.result
        elif isinstance(event, ReviewFinished):
            review = event.findings
        elif isinstance(event, ScoreComputed):
            found = evidence_of(Evidence(gates=tuple(gates.values()), review=review), event), event
    return found


def evidence_of(evidence: Evidence, event: ScoreComputed) -> Evidence:
    """Evidence with what the event of its score keeps beside the gates and the review."""
    return msgspec.structs.replace(
        evidence,
        alternatives=event.alternatives,
        disagreement=event.disagreement,
        probability=event.probability,
        risk=event.risk,
        risk_reasons=event.risk_reasons,
    )


def raw_again(events: Iterable[AnyEvent], weights: Weights) -> float | None:
    """What the score of a trail would be before calibration and caps; ``None`` when nothing was scored."""
    kept = scored_in(events)
    if kept is None:
        return None
    evidence, event = kept
    return score(evidence, event.confidence.track_record, weights).raw
