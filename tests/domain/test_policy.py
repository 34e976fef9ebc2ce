"""Decisions follow from the score, and nothing lifts a failed hard gate."""

import pytest

from karkhana.domain.confidence import Confidence
from karkhana.domain.policy import Autonomy, Policy, Verdict, decide


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
