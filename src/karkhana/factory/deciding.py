"""From evidence to what may be done: the score, the decision, the person who is asked or told, and a last look.

A decision stands only for the moment in which it is made: before a change goes ahead without a person's word it is made
once more (:func:`confirm`), since the level of autonomy may have fallen meanwhile. Each function is a durable step of
:mod:`karkhana.factory.line`, and may be carried out twice when its worker dies in the middle of it.
"""

import time

import msgspec

from karkhana.domain.confidence import Confidence
from karkhana.domain.events import (
    ApprovalGiven,
    ApprovalRefused,
    ApprovalRequested,
    AutonomyConsulted,
    DecisionMade,
    DeliveryAnnounced,
)
from karkhana.domain.evidence import GateStatus
from karkhana.domain.lessons import Verdict
from karkhana.domain.policy import Decision, decide
from karkhana.domain.tasks import Status
from karkhana.factory.approvers import self_approval
from karkhana.factory.autonomy import Consulted
from karkhana.factory.job import Job
from karkhana.factory.judging import score_change, sync_outcomes
from karkhana.factory.records import Announced, Approval, Asked, Built, Judged, Plan, Verified
from karkhana.factory.strategies import holds, record_strategy

DAY_S = 86_400.0


def judge(job: Job, plan: Plan, built: Built, verified: Verified) -> Judged:
    """Evidence becomes confidence, and policy turns it into a decision."""
    confidence = score_change(job, built, verified.evidence)
    # What a person says of it later takes the place of this.
    good = holds(job.order.type, plan.baseline.failing, verified.evidence.gates)
    record_strategy(job, built.change.engineer, built.attempt, Verdict.GOOD if good else Verdict.BAD)
    consulted, decision = _decided(job, built, verified, confidence)
    _record(job, consulted, decision)
    return Judged(confidence=confidence, decision=decision, at=int(time.time()), trail=job.head())


def confirm(job: Job, built: Built, verified: Verified, judged: Judged) -> Judged:
    """The decision once more, right before the change goes ahead without a person; another one goes into the trail."""
    if judged.decision.veto_s > 0:
        # Hours may have passed; else the outcomes were looked for a moment ago.
        sync_outcomes(job)
    consulted, decision = _decided(job, built, verified, judged.confidence)
    if decision.veto_s > 0 and judged.decision.veto_s == 0:
        # Nobody was told in time to stop it, so somebody is asked.
        because = f"{decision.reason}; the level has fallen since it was decided, so a person is asked"
        decision = msgspec.structs.replace(decision, needs_approval=True, veto_s=0.0, reason=because)
    if (decision.verdict, decision.needs_approval) == (judged.decision.verdict, judged.decision.needs_approval):
        return judged
    _record(job, consulted, decision)
    return msgspec.structs.replace(judged, decision=decision)


def _decided(job: Job, built: Built, verified: Verified, confidence: Confidence) -> tuple[Consulted, Decision]:
    policy, order = job.settings.policy, job.order
    changed = tuple(file.path for file in built.change.files)
    consulted = job.rooms.autonomy.consult(job.run_id, order.repository, order.type.value, policy, changed)
    decision = decide(
        confidence,
        hard_failures=tuple(g.gate for g in verified.evidence.gates if g.hard and g.status is GateStatus.FAILED),
        policy=msgspec.structs.replace(policy, autonomy=consulted.standing.level),
        auto=order.auto,
        guarantee=consulted.standing.guarantee,
        protected=consulted.protected,
        audited=consulted.audited,
        suspicions=order.suspicions,
    )
    return consulted, decision


def _record(job: Job, consulted: Consulted, decision: Decision) -> None:
    job.trail.record(
        AutonomyConsulted(standing=consulted.standing, protected=consulted.protected, audited=consulted.audited)
    )
    job.trail.record(DecisionMade(decision=decision))


def announce(job: Job, built: Built, judged: Judged) -> Announced:
    """Persons are told what goes ahead, and when; until then the run waits durably, on no worker, for a veto."""
    until = time.time() + judged.decision.veto_s
    job.trail.record(DeliveryAnnounced(patch_sha256=built.digest, until=until))
    job.enter(Status.WAITING_FOR_REVIEW)
    return Announced(until=until)


def request_approval(job: Job, built: Built) -> Asked:
    """A person is asked; the run waits durably, on no worker, and not for ever: evidence grows old."""
    days = job.settings.policy.approval_days
    until = time.time() + days * DAY_S if days else None
    job.trail.record(ApprovalRequested(patch_sha256=built.digest, until=until))
    job.enter(Status.WAITING_FOR_REVIEW)
    return Asked(patch_sha256=built.digest, until=until)


def record_approval(job: Job, built: Built, answer: str) -> Approval:
    """Write down who answered what. An approval of another diff, or by whoever may not give it, counts for nothing:
    the run waits on. Anybody may reject."""
    approval = msgspec.json.decode(answer, type=Approval)
    refused = ""
    if approval.approved and approval.patch_sha256 != built.digest:
        refused = "it was given for a different diff"
    elif approval.approved:
        refused = self_approval(
            approval.by,
            approval.account,
            made_by=(built.change.engineer,),
            ordered_by=job.order.by,
            four_eyes=job.settings.policy.four_eyes,
        )
    if refused:
        job.trail.record(
            ApprovalRefused(
                by=approval.by, because=refused, account=approval.account, patch_sha256=approval.patch_sha256
            )
        )
        return msgspec.structs.replace(approval, approved=False, refused=refused)
    job.trail.record(
        ApprovalGiven(
            approved=approval.approved,
            by=approval.by,
            comment=approval.comment,
            patch_sha256=built.digest,
            account=approval.account,
        )
    )
    return approval
