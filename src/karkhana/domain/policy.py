"""Policy: from confidence to a decision. Pure arithmetic, no exceptions to the rule.

>>> from karkhana.domain.confidence import Confidence
>>> certain = Confidence(score=0.95, components=(), weights_version="1")
>>> decide(certain, hard_failures=(), policy=Policy()).verdict.value
'deploy'
>>> decide(certain, hard_failures=("suite",), policy=Policy()).verdict.value
'review'
"""

import enum

import msgspec

from karkhana.domain.confidence import Confidence


class Verdict(enum.StrEnum):
    DEPLOY = "deploy"
    CANARY = "canary"
    REVIEW = "review"


class Autonomy(enum.StrEnum):
    """Per repository and type of task."""

    IN_THE_LOOP = "human_in_the_loop"
    """Every delivery waits for an approval."""
    ON_THE_LOOP = "human_on_the_loop"
    """Deploys and canaries go ahead; a person is told and can stop them."""
    OUT_OF_THE_LOOP = "human_out_of_the_loop"


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds and the level of autonomy."""

    deploy_above: float = 0.90
    canary_from: float = 0.70
    autonomy: Autonomy = Autonomy.IN_THE_LOOP

    def __post_init__(self) -> None:
        if not 0.70 <= self.canary_from <= self.deploy_above <= 1.0:
            raise ValueError("thresholds must satisfy 0.70 <= canary_from <= deploy_above <= 1.0")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a change, and why."""

    verdict: Verdict
    needs_approval: bool
    reason: str


def decide(confidence: Confidence, *, hard_failures: tuple[str, ...], policy: Policy, auto: bool = False) -> Decision:
    """Choose by score; a failed hard gate is always ``review``.

    ``auto`` is the user's word for this one run that a deploy or canary need not wait. It never lifts ``review``.
    """
    score = confidence.score
    if hard_failures:
        failed = ", ".join(hard_failures)
        return Decision(verdict=Verdict.REVIEW, needs_approval=True, reason=f"hard gate failed: {failed}")
    if score < policy.canary_from:
        return Decision(
            verdict=Verdict.REVIEW, needs_approval=True, reason=f"score {score:.2f} is below {policy.canary_from:.2f}"
        )
    verdict = Verdict.DEPLOY if score > policy.deploy_above else Verdict.CANARY
    waits = policy.autonomy is Autonomy.IN_THE_LOOP and not auto
    bound = f"above {policy.deploy_above:.2f}" if verdict is Verdict.DEPLOY else f"at least {policy.canary_from:.2f}"
    reason = f"score {score:.2f} is {bound}" + (f"; {policy.autonomy.value} waits for approval" if waits else "")
    return Decision(verdict=verdict, needs_approval=waits, reason=reason)
