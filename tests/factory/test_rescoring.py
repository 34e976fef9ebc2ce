"""Scores of the past, made again from a trail."""

import msgspec
import pytest

from karkhana.domain import events as ev
from karkhana.domain.confidence import TrackRecord
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus
from karkhana.factory.rescoring import raw_again, scored_in
from karkhana.quality.confidence import score
from karkhana.quality.weights import load_weights

SUITE = GateResult(gate="suite", status=GateStatus.PASSED, summary="", measures={"passed": 3.0})
REVIEW = (Finding(rule="long-function", message="it is long"),)
EVIDENCE = Evidence(gates=(SUITE,), review=REVIEW, disagreement=0.1, probability=0.8, risk=0.3)
RECORD = TrackRecord(good=9, bad=2)


def trail(evidence: Evidence = EVIDENCE) -> list[ev.AnyEvent]:
    return [
        ev.ReviewFinished(findings=evidence.review),
        ev.GateFinished(result=msgspec.structs.replace(SUITE, status=GateStatus.FAILED)),
        ev.GateFinished(result=SUITE),
        ev.ScoreComputed(
            confidence=score(evidence, RECORD),
            disagreement=evidence.disagreement,
            probability=evidence.probability,
            risk=evidence.risk,
        ),
    ]


def test_all_evidence_is_in_the_trail() -> None:
    kept = scored_in(trail())
    assert kept is not None
    assert kept[0] == EVIDENCE
    assert raw_again(trail(), load_weights()) == score(EVIDENCE, RECORD).raw


def test_what_came_after_the_score_does_not_count() -> None:
    later = ev.GateFinished(result=msgspec.structs.replace(SUITE, status=GateStatus.FAILED))
    assert raw_again([*trail(), later], load_weights()) == score(EVIDENCE, RECORD).raw


def test_other_weights_give_another_score() -> None:
    weights = load_weights()
    shares = {name: one.weight for name, one in weights.components.items()}
    heaviest, lightest = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    swapped = dict(weights.components)
    for name, other in ((heaviest, lightest), (lightest, heaviest)):
        swapped[name] = msgspec.structs.replace(weights.components[name], weight=shares[other])
    others = msgspec.structs.replace(weights, components=swapped, version="others")
    found = raw_again(trail(), others)
    assert found == score(EVIDENCE, RECORD, others).raw
    assert found != pytest.approx(score(EVIDENCE, RECORD).raw)


def test_without_a_score_there_is_none() -> None:
    assert raw_again([ev.GateFinished(result=SUITE)], load_weights()) is None
