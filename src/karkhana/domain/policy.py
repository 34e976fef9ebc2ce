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
    """Deploys and canaries are announced, and go ahead if no person stops them in time."""
    OUT_OF_THE_LOOP = "human_out_of_the_loop"


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds and the level of autonomy."""

    deploy_above: float = 0.90
    canary_from: float = 0.70
    autonomy: Autonomy = Autonomy.IN_THE_LOOP
    """Where a repository and type of task begins."""
    autonomy_limit: Autonomy = Autonomy.ON_THE_LOOP
    """The freest level that outcomes can earn."""
    audit_share: float = 0.05
    """Share, in [0,1], of what could go ahead alone that a person decides anyway."""
    audit_salt: str = ""
    """Decides with a run's identifier which ones; another salt chooses others. Environment and user level only."""
    protected_paths: tuple[str, ...] = ()
    """Patterns of paths that always need a person, besides those that ship with Karkhana."""
    four_eyes: bool = False
    """Whoever ordered a run cannot approve its change."""
    veto_s: float = 3600.0
    """With a human on the loop: seconds from the announcement to the delivery, in which a person can stop it."""
    approval_days: float = 14.0
    """Days that a change waits for a person; then its run ends, and can be tried again. 0: it waits for good."""

    def __post_init__(self) -> None:
        if not 0.70 <= self.canary_from <= self.deploy_above <= 1.0:
            raise ValueError("thresholds must satisfy 0.70 <= canary_from <= deploy_above <= 1.0")
        if not 0 <= self.audit_share <= 1:
            raise ValueError("audit_share must lie in [0, 1]")
        # infinity, or no number at all, would be a wait that never ends
        if not 0 <= self.veto_s <= 30 * 86_400:
            raise ValueError("veto_s must lie between 0 and 2592000 seconds")
        if not 0 <= self.approval_days <= 3650:
            raise ValueError("approval_days must lie between 0 and 3650 days")


class Guarantee(msgspec.Struct, frozen=True, kw_only=True):
    """P(share of bad changes among those that deploy alone > alpha) <= delta, or why that cannot be said."""

    alpha: float
    delta: float
    deploy_above: float | None = None
    """A score above it may deploy; ``None``: the guarantee abstains, and nothing deploys by itself."""
    outcomes: int = 0
    """That the newest calibration had above the threshold."""
    bad: int = 0
    number: int = 0
    """Calibrations so far."""
    p_value: float = 1.0
    spent: float = 0.0
    """The part of delta that the newest calibration had."""
    wealth: float = 1.0
    """Of the drift alarm's bets."""
    alarms: int = 0
    paused: bool = False
    """After a bad outcome, until there are enough good ones in a row."""
    says: str = ""
    """The promise with its figures and assumptions, for a person."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a change, and why."""

    verdict: Verdict
    needs_approval: bool
    reason: str
    veto_s: float = 0.0
    """Seconds for which a person can stop what goes ahead alone; 0: it goes ahead at once."""


def decide(
    confidence: Confidence,
    *,
    hard_failures: tuple[str, ...],
    policy: Policy,
    auto: bool = False,
    guarantee: Guarantee | None = None,
    protected: tuple[str, ...] = (),
    audited: bool = False,
    suspicions: tuple[str, ...] = (),
) -> Decision:
    """Choose by score; a failed hard gate is always ``review``.

    ``auto`` is the user's word for this one run that a deploy or canary need not wait. It never lifts ``review``, nor
    the wait for ``protected`` places (sentences, one for each) or for ``suspicions`` about the ticket's text (what it
    does, each); it does lift the time for a veto. A ``guarantee``
    raises the threshold, or takes the deploy away when it abstains; without one the score alone decides. ``audited``:
    this one goes to a person anyway.
    """
    score = confidence.score
    if hard_failures:
        failed = ", ".join(hard_failures)
        return Decision(verdict=Verdict.REVIEW, needs_approval=True, reason=f"hard gate failed: {failed}")
    if score < policy.canary_from:
        return Decision(
            verdict=Verdict.REVIEW, needs_approval=True, reason=f"score {score:.2f} is below {policy.canary_from:.2f}"
        )
    verdict, reason = _verdict(score, policy, guarantee)
    waits = []
    if protected:
        waits.append(f"a person decides on protected places: {'; '.join(protected)}")
    if suspicions:
        waits.append(f"a person decides, since the ticket {', '.join(suspicions)}")
    if not auto:
        if policy.autonomy is Autonomy.IN_THE_LOOP:
            waits.append(f"{policy.autonomy.value} waits for approval")
        elif audited:
            waits.append("drawn for the audit: a person decides anyway")
    veto_s = 0.0 if waits or auto or policy.autonomy is not Autonomy.ON_THE_LOOP else policy.veto_s
    if veto_s:
        reason += f"; {policy.autonomy.value}: a person can stop it for {veto_s / 60:.3g} minutes"
    return Decision(verdict=verdict, needs_approval=bool(waits), reason="; ".join([reason, *waits]), veto_s=veto_s)


def _verdict(score: float, policy: Policy, guarantee: Guarantee | None) -> tuple[Verdict, str]:
    above = policy.deploy_above
    at_least = f"score {score:.2f} is at least {policy.canary_from:.2f}"
    if guarantee is not None:
        if score > above and guarantee.deploy_above is None:
            return Verdict.CANARY, f"{at_least}, and the guarantee abstains from a deploy"
        above = max(above, guarantee.deploy_above or 0.0)
    if score > above:
        return Verdict.DEPLOY, f"score {score:.2f} is above {above:.2f}"
    return Verdict.CANARY, at_least
