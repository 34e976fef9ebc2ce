"""The stations at which engineers work, until one hands over a change or the run has to wait for somebody.

Like all stations they may be carried out twice when their worker dies; the second time an engineer goes on where it was
(:mod:`karkhana.factory.remembering`).
"""

import msgspec

from karkhana.domain.changes import Change, FileEdit
from karkhana.domain.errors import BudgetExhausted, InvalidInput, ModelUnavailable, NothingToFix, RunFailure
from karkhana.domain.events import ChangeHandedOver, EngineerAbstained, WorkPaused, WorkResumed, WorkspaceOpened
from karkhana.domain.lessons import Verdict
from karkhana.domain.tasks import Budget, Status, TaskType
from karkhana.engineers.registry import needs_model, only_repairs, repairs_as_well, repeats_itself
from karkhana.factory.attempts import model_name, share
from karkhana.factory.changes import gather
from karkhana.factory.checking import checks
from karkhana.factory.foreign import foreign_tools
from karkhana.factory.job import Job
from karkhana.factory.learning import learn, recall, recent, record
from karkhana.factory.records import CLOCK, Allowance, Attempted, Built, Ending, Failed, Plan
from karkhana.factory.remembering import Memory, memory_of, remembering, reviewing, whole
from karkhana.factory.strategies import choose_strategy, record_strategy
from karkhana.ports import Assignment, ChatModel, Engineer, Handover
from karkhana.workspace.toolbox import Toolbox


def build(job: Job, plan: Plan, allowance: Allowance, attempt: int = 1, to_come: int = 1) -> Attempted:
    """Engineers work on a fresh checkout, one after the other, until one hands over a change.

    ``to_come`` attempts, this one included, share what is left of the budget. Raises ``RunFailure`` with the last
    engineer's reason when all abstain, ``NothingToFix`` when nothing shows the bug.
    """
    job.enter(Status.BUILDING)
    handover = Handover(solved=False, reason="no engineer would do anything that it did not do before")
    try:
        for engineer in engineers_for(job, attempt):
            handover, built = _attempt(job, plan, engineer, allowance, attempt=attempt, to_come=to_come)
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


def build_one(job: Job, plan: Plan, allowance: Allowance, attempt: int, to_come: int) -> Attempted:
    """As :func:`build`, for one of several attempts: when it comes to nothing, or its share of the budget is used up,
    the others still go on.
    """
    try:
        attempted = build(job, plan, allowance, attempt, to_come)
    except RunFailure as failure:
        nothing = isinstance(failure, NothingToFix)
        return Attempted(failed=Failed(reason=failure.message, next=failure.next, nothing_to_fix=nothing))
    if attempted.exhausted:
        return msgspec.structs.replace(
            attempted,
            failed=Failed(reason=attempted.reason, next=attempted.next),
            reason=f"no attempt gave a change, and attempt {attempt} ended early: {attempted.reason}",
        )
    return attempted


def pause(job: Job, attempted: Attempted) -> Ending:
    """The engineer cannot go on: a person is told; the run waits durably, on no worker."""
    job.trail.record(WorkPaused(reason=attempted.reason, next=attempted.next))
    job.enter(Status.WAITING_FOR_REVIEW)
    return Ending(status=Status.WAITING_FOR_REVIEW, reason=attempted.reason)


def resume(job: Job, before: Allowance, answer: str | None) -> Allowance:
    """Somebody lets the engineer go on, or its time to wait is over."""
    more = msgspec.json.decode(answer or "{}", type=Allowance)
    job.trail.record(WorkResumed(by=more.by or CLOCK, turns=more.turns, usd=more.usd))
    return Allowance(turns=before.turns + more.turns, usd=before.usd + more.usd, by=more.by)


def _attempt(
    job: Job, plan: Plan, engineer: Engineer, allowance: Allowance, *, attempt: int, to_come: int
) -> tuple[Handover, Built | None]:
    total = msgspec.structs.replace(
        job.order.budget,
        turns=job.order.budget.turns + allowance.turns,
        usd=job.order.budget.usd + allowance.usd,
    )
    budget = share(job, total, attempt, to_come)
    memory = _memory(job, engineer, attempt)
    name = model_name(job, attempt)
    asks = needs_model(engineer.name)
    strategy = choose_strategy(job, engineer.name, attempt, name) if asks else None
    servers = job.settings.mcp if asks else {}
    with foreign_tools(servers) as foreign, job.open_workspace() as workspace:
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
        model, tools = remembering(_model(job, total, name) if asks else None, toolbox, memory, job.rooms.content)
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
            checks=checks(job, plan, workspace),
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


def engineers_for(job: Job, attempt: int) -> tuple[Engineer, ...]:
    """Those who are asked, one after the other: without a choice the one that costs nothing comes first.

    Raises ``InvalidInput`` for an engineer that is not there.
    """
    engineers = job.rooms.engineers
    name = job.order.engineer
    if name != "auto":
        if name not in engineers:
            raise InvalidInput(f"there is no engineer {name!r}", f"Choose one of: auto, {', '.join(engineers)}.")
        return () if attempt > 1 and repeats_itself(name) else (engineers[name],)
    able = [each for each in engineers.values() if job.rooms.models is not None or not needs_model(each.name)]
    if job.order.type is not TaskType.BUGFIX:
        # Without a model the one that needs it says so, which helps more than a search for a bug.
        able = [each for each in engineers.values() if not only_repairs(each.name)] or able
    model = _model(job, job.order.budget, model_name(job, attempt))
    if model is not None and repairs_as_well(job.order.type, model):
        able = [each for each in able if not only_repairs(each.name)] or able
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
