"""Decisions follow from the score, and nothing lifts a failed hard gate."""

from typing import Any

import pytest

from karkhana.domain.confidence import Confidence
from karkhana.domain.policy import Autonomy, Guarantee, Policy, Verdict, decide


def confidence(score: float) -> Confidence:
    return Confidence(score=score, components=(), weights_version="test")


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (1.0, Verdict.DEPLOY),
        (0.901, Verdict.DEPLOY),
        (0.90, Verdict.CANARY),
        (0.70, Verdict.CANARY),
        (0.6999, Verdict.REVIEW),
        (0.0, Verdict.REVIEW),
    ],
)
def test_thresholds(score: float, verdict: Verdict) -> None:
    assert decide(confidence(score), hard_failures=(), policy=Policy()).verdict is verdict


def test_a_fresh_repository_waits_for_a_human_unless_told_otherwise() -> None:
    assert decide(confidence(0.99), hard_failures=(), policy=Policy()).needs_approval
    assert not decide(confidence(0.99), hard_failures=(), policy=Policy(), auto=True).needs_approval
    on_the_loop = Policy(autonomy=Autonomy.ON_THE_LOOP)
    assert not decide(confidence(0.99), hard_failures=(), policy=on_the_loop).needs_approval


def test_only_on_the_loop_there_is_time_for_a_veto() -> None:
    def veto_s(level: Autonomy, **more: Any) -> float:
        policy = Policy(autonomy=level, veto_s=90.0)
        return decide(confidence(0.75), hard_failures=(), policy=policy, **more).veto_s

    assert [veto_s(level) for level in Autonomy] == [0.0, 90.0, 0.0]
    assert veto_s(Autonomy.ON_THE_LOOP, auto=True) == 0.0
    assert veto_s(Autonomy.ON_THE_LOOP, audited=True) == 0.0
    assert veto_s(Autonomy.ON_THE_LOOP, protected=("ci.yml: it is run",)) == 0.0
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="veto_s"):
            Policy(veto_s=wrong)


def test_auto_never_lifts_review() -> None:
    policy = Policy(autonomy=Autonomy.OUT_OF_THE_LOOP)
    low = decide(confidence(0.5), hard_failures=(), policy=policy, auto=True)
    hard = decide(confidence(0.99), hard_failures=("suite",), policy=policy, auto=True)
    assert low.verdict is hard.verdict is Verdict.REVIEW
    assert low.needs_approval
    assert hard.needs_approval


def test_thresholds_below_the_floor_are_refused() -> None:
    with pytest.raises(ValueError, match="thresholds"):
        Policy(canary_from=0.5)


ALONE = Policy(autonomy=Autonomy.OUT_OF_THE_LOOP)


@pytest.mark.parametrize(
    ("threshold", "verdict"), [(None, Verdict.CANARY), (0.80, Verdict.DEPLOY), (0.95, Verdict.CANARY)]
)
def test_a_guarantee_raises_the_threshold_or_takes_the_deploy_away(threshold: float | None, verdict: Verdict) -> None:
    guarantee = Guarantee(alpha=0.1, delta=0.1, deploy_above=threshold)
    assert decide(confidence(0.93), hard_failures=(), policy=ALONE, guarantee=guarantee).verdict is verdict


def test_a_guarantee_never_lowers_the_threshold() -> None:
    guarantee = Guarantee(alpha=0.1, delta=0.1, deploy_above=0.70)
    assert decide(confidence(0.85), hard_failures=(), policy=ALONE, guarantee=guarantee).verdict is Verdict.CANARY
    assert decide(confidence(0.65), hard_failures=(), policy=ALONE, guarantee=guarantee).verdict is Verdict.REVIEW


def test_protected_places_wait_even_with_auto() -> None:
    found = decide(confidence(0.99), hard_failures=(), policy=ALONE, auto=True, protected=("ci.yml: it is run",))
    assert found.needs_approval
    assert "ci.yml" in found.reason


def test_a_suspicious_ticket_waits_even_with_auto() -> None:
    found = decide(confidence(0.99), hard_failures=(), policy=ALONE, auto=True, suspicions=("asks for secrets",))
    assert found.needs_approval
    assert "the ticket asks for secrets" in found.reason


def test_the_audit_sends_to_a_person_what_would_go_ahead_by_itself() -> None:
    assert decide(confidence(0.99), hard_failures=(), policy=ALONE, audited=True).needs_approval
    assert not decide(confidence(0.99), hard_failures=(), policy=ALONE, audited=True, auto=True).needs_approval


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="audit_share"):
        Policy(audit_share=share)
