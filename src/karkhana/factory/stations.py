"""What each station of the line does with a run. Their order is in :mod:`karkhana.factory.line`.

Every function takes the job and the results of earlier stations, and returns plain, storable data. A station may
be carried out twice when its worker dies in the middle of it, never after it has finished.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from karkhana import __version__
from karkhana.delivery.message import commit_message
from karkhana.domain import changes
from karkhana.domain.changes import Change, FileEdit
from karkhana.domain.errors import (
    BudgetExhausted,
    InfrastructureFailure,
    InvalidInput,
    ModelUnavailable,
    NothingToFix,
    RunFailure,
    ToolRefused,
)
from karkhana.domain.events import (
    ApprovalGiven,
    ApprovalRequested,
    ChangeHandedOver,
    DecisionMade,
    Delivered,
    EngineerAbstained,
    GateFinished,
    ReviewFinished,
    RunFinished,
    RunStarted,
    ScoreComputed,
    SuiteMeasured,
    WorkPaused,
    WorkResumed,
    WorkspaceOpened,
)
from karkhana.domain.evidence import GateStatus
from karkhana.domain.json import canonical
from karkhana.domain.lessons import Verdict
from karkhana.domain.policy import decide
from karkhana.domain.tasks import Budget, Status, TaskType
from karkhana.engineers.registry import needs_model, only_repairs, repeats_itself
from karkhana.factory.attempts import model_name, share
from karkhana.factory.changes import Contents, gather, restore
from karkhana.factory.foreign import foreign_tools
from karkhana.factory.job import Job
from karkhana.factory.learning import learn, learn_from_ending, recall, recent, record
from karkhana.factory.records import (
    Allowance,
    Approval,
    Asked,
    Attempted,
    Built,
    Ending,
    Failed,
    Judged,
    Plan,
    Review,
    Verified,
)
from karkhana.factory.remembering import Memory, memory_of, remembering, reviewing, whole
from karkhana.factory.strategies import choose_strategy, record_strategy
from karkhana.factory.suites import require_judge
from karkhana.ports import Assignment, ChatModel, DeliveryRequest, Engineer, GateContext, Handover, Receipt, Workspace
from karkhana.quality.confidence import score
from karkhana.quality.review import review
from karkhana.quality.verify import verify as run_gates
from karkhana.workspace.testing import detect, run_tests
from karkhana.workspace.toolbox import Toolbox


def start(job: Job) -> Ending:
    """The first event of a run: the whole order."""
    job.trail.record(RunStarted(task_id=job.task_id, order=job.order, version=__version__))
    return Ending(status=Status.PLANNING)


def plan(job: Job) -> Plan:
    """Open the base commit and run its suite.

    Raises ``SuiteUnusable``.
    """
    job.enter(Status.PLANNING)
    with open_workspace(job) as workspace:
        command = detect(workspace, job.order.test_command)
        baseline = run_tests(workspace, command)
    job.trail.record(SuiteMeasured(after_change=False, report=baseline))
    require_judge(baseline, job.order)
    return Plan(test_command=command, baseline=baseline)


def build(job: Job, plan: Plan, allowance: Allowance, attempt: int = 1) -> Attempted:
    """Engineers work on a fresh checkout, one after the other, until one hands over a change.

    Raises ``RunFailure`` with the last engineer's reason when all abstain, ``NothingToFix`` when nothing shows the bug.
    """
    job.enter(Status.BUILDING)
    handover = Handover(solved=False, reason="no engineer would do anything that it did not do before")
    try:
        for engineer in _engineers(job, attempt):
            handover, built = _attempt(job, plan, engineer, allowance, attempt)
            if built is not None:
                return Attempted(built=built)
    except ModelUnavailable as away:
        return Attempted(reason=away.message, next=away.next, again_s=away.again_s)
    except BudgetExhausted as exhausted:
        again = f"{exhausted.next}: karkhana runs resume {job.run_id}"
        return Attempted(reason=exhausted.message, next=again, exhausted=True)
    if job.order.type is TaskType.BUGFIX and plan.baseline.green and not handover.reproduction:
        raise NothingToFix(
            f"all {len(plan.baseline.passed)} tests pass at {job.order.commit[:12]}; {handover.reason}",
            handover.question or "Commit a test that fails because of it, or name the tests with --test-command.",
        )
    raise RunFailure(handover.reason, handover.question)


def build_one(job: Job, plan: Plan, allowance: Allowance, attempt: int) -> Attempted:
    """As :func:`build`, for one of several attempts: when it comes to nothing, or its share of the budget is used up,
    the others still go on.
    """
    try:
        attempted = build(job, plan, allowance, attempt)
    except RunFailure as failure:
        nothing = isinstance(failure, NothingToFix)
        return Attempted(failed=Failed(reason=failure.message, next=failure.next, nothing_to_fix=nothing))
    if attempted.exhausted:
        return Attempted(failed=Failed(reason=attempted.reason, next="Give the run a larger budget: --budget."))
    return attempted


def pause(job: Job, attempted: Attempted) -> Ending:
    """The engineer cannot go on: a person is told; the run waits durably, on no worker."""
    job.trail.record(WorkPaused(reason=attempted.reason, next=attempted.next))
    job.enter(Status.WAITING_FOR_REVIEW)
    return Ending(status=Status.WAITING_FOR_REVIEW, reason=attempted.reason)


def resume(job: Job, before: Allowance, answer: str | None) -> Allowance:
    """Somebody lets the engineer go on, or its time to wait is over."""
    more = msgspec.json.decode(answer or "{}", type=Allowance)
    job.trail.record(WorkResumed(by=more.by or "the clock", turns=more.turns, usd=more.usd))
    return Allowance(turns=before.turns + more.turns, usd=before.usd + more.usd, by=more.by)


def _attempt(
    job: Job, plan: Plan, engineer: Engineer, allowance: Allowance, attempt: int
) -> tuple[Handover, Built | None]:
    total = msgspec.structs.replace(
        job.order.budget,
        turns=job.order.budget.turns + allowance.turns,
        usd=job.order.budget.usd + allowance.usd,
    )
    budget = share(job, total, attempt)
    memory = _memory(job, engineer, attempt)
    name = model_name(job, attempt)
    strategy = choose_strategy(job, engineer.name, attempt, name) if needs_model(engineer.name) else None
    servers = job.settings.mcp if needs_model(engineer.name) else {}
    with foreign_tools(servers) as foreign, open_workspace(job) as workspace:
        limits = tuple(getattr(workspace, "limits_in_force", ()))
        job.trail.record(
            WorkspaceOpened(commit=job.order.commit, engineer=engineer.name, limits=limits, attempt=attempt)
        )
        toolbox = Toolbox(
            workspace,
            job.trail,
            budget=budget,
            test_command=plan.test_command,
            cancelled=job.cancelled,
            python_version=getattr(workspace, "python_version", None),
            foreign=foreign,
        )
        model, tools = remembering(_model(job, total, name), toolbox, memory, job.rooms.content)
        reviewer = _model(job, total, job.settings.models.review or name) if model is not None else None
        assignment = Assignment(
            ticket=job.order.ticket,
            baseline=plan.baseline,
            budget=budget,
            root=workspace.root,
            test_command=plan.test_command,
            type=job.order.type,
            model=model,
            reviewer=reviewing(reviewer, memory),
            strategy=strategy,
            foreign=foreign.tools if foreign is not None else (),
            explain=job.order.explain,
            lessons=recall(job),
            recent=recent(job),
        )
        handover = engineer.work(assignment, tools, job.trail)
        if not handover.solved:
            job.trail.record(
                EngineerAbstained(reason=handover.reason, tried=handover.tried, question=handover.question)
            )
            learn(job, handover, Verdict.ABSTAINED)
            record(job, engineer.name, Verdict.ABSTAINED)
            record_strategy(job, engineer.name, attempt, Verdict.ABSTAINED)
            return handover, None
        files, edits, patch = gather(workspace)
    if not files:
        raise RunFailure(
            "the engineer handed over an empty change", f"See what it did: karkhana runs trace {job.run_id}"
        )
    _refuse_secrets(job, edits)
    change = Change(
        base=job.order.commit,
        files=files,
        patch=patch,
        summary=handover.summary,
        engineer=engineer.name,
        title=handover.title,
    )
    job.trail.record(ChangeHandedOver(change=change))
    return handover, Built(change=change, edits=edits, handover=handover, turns=toolbox.turns, attempt=attempt)


def _engineers(job: Job, attempt: int) -> tuple[Engineer, ...]:
    """Those who are asked, one after the other: without a choice the one that costs nothing comes first."""
    engineers = job.rooms.engineers
    name = job.order.engineer
    if name != "auto":
        if name not in engineers:
            raise InvalidInput(f"there is no engineer {name!r}", f"Choose one of: auto, {', '.join(engineers)}.")
        return () if attempt > 1 and repeats_itself(name) else (engineers[name],)
    able = [each for each in engineers.values() if job.rooms.models is not None or not needs_model(each.name)]
    if job.order.type is TaskType.FEATURE:
        # Without a model the one that needs it says so, which helps more than a search for a bug.
        able = [each for each in engineers.values() if not only_repairs(each.name)] or able
    if attempt > 1:
        able = [each for each in able if not repeats_itself(each.name)]
    # One that was in the middle of its work goes on with it.
    return tuple(each for each in able if _memory(job, each, attempt).answers) or tuple(able)


def _memory(job: Job, engineer: Engineer, attempt: int) -> Memory:
    """What the engineer heard and did in this run, or in the one that it shall go on from."""
    own = memory_of(job.rooms.events(job.run_id), engineer.name, attempt=attempt)
    if own.answers or job.order.rewind is None or attempt > 1:
        return own if whole(own, job.rooms.content) else Memory((), ())
    rewind = job.order.rewind
    return memory_of(job.rooms.events(rewind.run_id), engineer.name, rewind.turn)


def _model(job: Job, budget: Budget, name: str) -> ChatModel | None:
    if job.rooms.models is None:
        return None
    return job.rooms.models.model(
        name,
        run_id=job.run_id,
        task_type=job.order.type.value,
        budget_usd=budget.usd,
        cancelled=job.cancelled,
    )


def _refuse_secrets(job: Job, edits: tuple[FileEdit, ...]) -> None:
    # A redacted edit would be a different edit, and an unredacted one may not be stored.
    for edit in edits:
        if any(job.redact(hunk.lines) != hunk.lines for hunk in edit.hunks):
            raise RunFailure(
                f"the change adds what looks like a secret to {edit.path}",
                "Keep secrets out of the repository; if it is a harmless example, write it in two parts.",
            )


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
    with open_workspace(job) as before, open_workspace(job) as after:
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
        evidence = run_gates(
            job.rooms.gates, context, progress=lambda gate: job.trail.record(GateFinished(result=gate))
        )
    evidence = msgspec.structs.replace(
        evidence,
        review=review.findings,
        alternatives=built.handover.alternatives,
        disagreement=built.handover.disagreement,
        probability=built.handover.probability,
    )
    return Verified(evidence=evidence, result=result)


def write_after(workspace: Workspace, edits: tuple[FileEdit, ...], contents: Contents) -> None:
    """Bring a workspace on the base commit to the state after the change; deletions first.

    Raises ``InfrastructureFailure`` when a link cannot be made or cleared away.
    """
    for edit in sorted(edits, key=lambda edit: edit.mode is not None):
        content = contents[edit.path][1]
        if edit.mode == changes.SYMLINK and content is not None:
            # Only a process inside may make a link; the host never touches one.
            folder, target = edit.path.rpartition("/")[0] or ".", content.decode("utf-8", "surrogateescape")
            _inside(workspace, "mkdir", "-p", "--", folder)
            _inside(workspace, "ln", "-sfn", "--", target, edit.path)
            continue
        try:
            workspace.write(edit.path, content, executable=edit.mode == changes.EXECUTABLE)
        except ToolRefused:
            # The base commit has a link there: only a process inside can clear it.
            _inside(workspace, "rm", "-f", "--", edit.path)
            workspace.write(edit.path, content, executable=edit.mode == changes.EXECUTABLE)


def _inside(workspace: Workspace, *argv: str) -> None:
    done = workspace.run(argv, timeout_s=60.0)
    if done.exit_code != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise InfrastructureFailure(f"{argv[-1]!r} cannot be brought to its state after the change: {said}")


def judge(job: Job, built: Built, verified: Verified) -> Judged:
    """Evidence becomes confidence, and policy turns it into a decision."""
    record = job.rooms.track_record(built.change.engineer, job.order.type)
    confidence = score(verified.evidence, track_record=record)
    hard = tuple(g.gate for g in verified.evidence.gates if g.hard and g.status is GateStatus.FAILED)
    # What a person says of it later takes the place of this.
    record_strategy(job, built.change.engineer, built.attempt, Verdict.BAD if hard else Verdict.GOOD)
    decision = decide(confidence, hard_failures=hard, policy=job.settings.policy, auto=job.order.auto)
    job.trail.record(ScoreComputed(confidence=confidence))
    job.trail.record(DecisionMade(decision=decision))
    return Judged(confidence=confidence, decision=decision, at=int(time.time()), trail=job.head())


def request_approval(job: Job, built: Built) -> Asked:
    """A person is asked; the run waits durably, on no worker."""
    job.trail.record(ApprovalRequested(patch_sha256=built.digest))
    job.enter(Status.WAITING_FOR_REVIEW)
    return Asked(patch_sha256=built.digest)


def record_approval(job: Job, built: Built, answer: str | None) -> Approval:
    """Write down who answered what. An approval of another diff is none."""
    approval = msgspec.json.decode(answer or "{}", type=Approval)
    if approval.approved and approval.patch_sha256 != built.digest:
        approval = msgspec.structs.replace(
            approval, approved=False, comment="the approval was given for a different diff"
        )
    job.trail.record(
        ApprovalGiven(approved=approval.approved, by=approval.by, comment=approval.comment, patch_sha256=built.digest)
    )
    return approval


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


def end_trial(job: Job, built: Built, judged: Judged) -> Ending:
    """A strategy was tried on a past ticket: nothing is delivered, and nobody is asked."""
    return _close(job, built, judged, Ending(status=Status.CANCELLED, reason="a trial of a strategy"))


def finish(job: Job, built: Built, judged: Judged, receipt: Receipt) -> Ending:
    """Close the run: its last event, and its row in the queue."""
    return _close(job, built, judged, Ending(status=Status.DELIVERED, reason=f"delivered as {receipt.branch}"))


def _close(job: Job, built: Built, judged: Judged, ending: Ending) -> Ending:
    learn_from_ending(job, built.handover, built.change.engineer, ending.status, built.attempt)
    job.trail.record(RunFinished(status=ending.status, reason=ending.reason, turns=built.turns))
    job.rooms.runs.finish(
        job.run_id,
        job.epoch,
        ending.status,
        canonical(ending),
        engineer=built.change.engineer,
        human_review=judged.decision.needs_approval,
        quality_score=judged.confidence.score,
    )
    return ending


@contextmanager
def open_workspace(job: Job) -> Iterator[Workspace]:
    """A fresh one on the base commit; its sandbox dies when the run is cancelled."""
    opened = job.workspaces.open(job.order.repository, job.order.commit, record=job.trail)
    with opened as workspace, job.killing(workspace):
        yield workspace
