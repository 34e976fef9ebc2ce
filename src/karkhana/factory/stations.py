"""What each station of the line does with a run. Their order is in :mod:`karkhana.factory.line`.

Every function takes the job and the results of earlier stations, and returns plain, storable data. A station may
be carried out twice when its worker dies in the middle of it, never after it has finished.
"""

import msgspec

from karkhana import __version__
from karkhana.delivery.message import commit_message
from karkhana.domain.events import (
    ApprovalExpired,
    Delivered,
    GateFinished,
    ReviewFinished,
    RunFinished,
    RunStarted,
    SuiteMeasured,
)
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Status
from karkhana.factory.changes import restore
from karkhana.factory.gating import gates_for
from karkhana.factory.job import Job
from karkhana.factory.judging import assess_change, with_risk
from karkhana.factory.learning import learn_from_ending
from karkhana.factory.records import (
    Approval,
    Built,
    Ending,
    Judged,
    Plan,
    Review,
    Verified,
)
from karkhana.factory.results import spent
from karkhana.factory.suites import require_judge
from karkhana.factory.writing_changes import write_after
from karkhana.git import Repository
from karkhana.ports import DeliveryRequest, GateContext, Receipt
from karkhana.quality.review import review
from karkhana.quality.verify import verify as run_gates
from karkhana.workspace.testing import detect, run_tests

UNDERSTANDS = "understands"
"""Kept with a run that begins: its line has the station that understands the ticket."""


def start(job: Job) -> Ending:
    """The first event of a run: the whole order."""
    job.trail.record(RunStarted(task_id=job.task_id, order=job.order, version=__version__))
    return Ending(status=Status.PLANNING, reason=UNDERSTANDS)


def plan(job: Job) -> Plan:
    """Open the base commit and run its suite.

    Raises ``SuiteUnusable``.
    """
    job.enter(Status.PLANNING)
    with job.open_workspace() as workspace:
        command = detect(workspace, job.order.test_command)
        baseline = run_tests(workspace, command)
    job.trail.record(SuiteMeasured(after_change=False, report=baseline))
    require_judge(baseline, job.order)
    return Plan(test_command=command, baseline=baseline)


def self_review(job: Job, plan: Plan, built: Built) -> Review:
    """The engineer reads its own diff before anyone else does."""
    job.enter(Status.REVIEWING)
    contents = restore(job.order.repository, built.change.base, built.edits)
    findings = (
        *review(built.change, contents, job.order.ticket, plan.baseline),
        *built.handover.objections,
    )
    job.trail.record(ReviewFinished(findings=findings))
    return Review(findings=findings)


def verify(job: Job, plan: Plan, built: Built, review: Review) -> Verified:
    """Every gate measures the change between two fresh workspaces: the base commit, and the base with the change."""
    job.enter(Status.VERIFYING)
    contents = restore(job.order.repository, built.change.base, built.edits)
    risk = assess_change(job, built, contents)
    with job.open_workspace() as before, job.open_workspace() as after:
        write_after(after, built.edits, contents)
        result = run_tests(after, plan.test_command)
        job.trail.record(SuiteMeasured(after_change=True, report=result))
        context = GateContext(
            change=built.change,
            ticket=job.order.ticket,
            contents=contents,
            before=before,
            after=after,
            test_command=plan.test_command,
            baseline=plan.baseline,
            result=result,
        )
        source = Repository.open(job.order.repository)
        evidence = run_gates(
            gates_for(job.rooms.gates, job.settings, risk, source, built.change.base),
            context,
            progress=lambda gate: job.trail.record(GateFinished(result=gate)),
            to_the_end=job.settings.gates.effort != "auto",
        )
    evidence = msgspec.structs.replace(
        with_risk(evidence, risk),
        review=review.findings,
        alternatives=built.handover.alternatives,
        disagreement=built.handover.disagreement,
        probability=built.handover.probability,
    )
    return Verified(evidence=evidence, result=result)


def deliver(job: Job, plan: Plan, built: Built, verified: Verified, judged: Judged) -> Receipt:
    """The commit is made and its branch put where people find it; the same commit each time."""
    contents = restore(job.order.repository, built.change.base, built.edits)
    message = commit_message(
        built.change,
        run_id=job.run_id,
        task_id=job.task_id,
        confidence=judged.confidence,
        ticket=job.order.ticket,
        evidence=verified.evidence,
        trail=judged.trail,
    )
    receipt = job.rooms.forge.deliver(
        DeliveryRequest(
            repository=job.order.repository,
            change=built.change,
            contents={path: pair[1] for path, pair in contents.items()},
            branch=f"karkhana/{job.task_id}",
            message=message,
            at=judged.at,
        )
    )
    job.trail.record(Delivered(branch=receipt.branch, commit=receipt.commit, remote=receipt.remote))
    return receipt


def reject(job: Job, built: Built, judged: Judged, approval: Approval) -> Ending:
    """A person said no: nothing is delivered."""
    return _close(job, built, judged, Ending(status=Status.REJECTED, reason=approval.comment or "rejected"))


def expire(job: Job, built: Built, judged: Judged) -> Ending:
    """Nobody answered in time. That says nothing of the change, so nothing is learnt from it."""
    job.trail.record(ApprovalExpired(patch_sha256=built.digest))
    days = f"{job.settings.policy.approval_days:g} days"
    ending = Ending(status=Status.CANCELLED, reason=f"nobody answered within {days}")
    return _close(job, built, judged, ending, next="Have it tried again: the repository may have moved on meanwhile.")


def end_trial(job: Job, built: Built, judged: Judged) -> Ending:
    """A strategy was tried on a past ticket: nothing is delivered, and nobody is asked."""
    return _close(job, built, judged, Ending(status=Status.CANCELLED, reason="a trial of a strategy"))


def finish(job: Job, built: Built, judged: Judged, receipt: Receipt) -> Ending:
    """Close the run: its last event, and its row in the queue."""
    return _close(job, built, judged, Ending(status=Status.DELIVERED, reason=f"delivered as {receipt.branch}"))


def _close(job: Job, built: Built, judged: Judged, ending: Ending, next: str = "") -> Ending:
    learn_from_ending(job, built.handover, built.change.engineer, ending.status, built.attempt)
    job.trail.record(RunFinished(status=ending.status, reason=ending.reason, next=next, turns=built.turns))
    job.rooms.runs.finish(
        job.run_id,
        job.epoch,
        ending.status,
        canonical(ending),
        engineer=built.change.engineer,
        cost_usd=spent(job.rooms.events(job.run_id)),
        human_review=judged.decision.needs_approval,
        quality_score=judged.confidence.score,
    )
    job.rooms.book.keep(job.run_id)
    return ending
