"""What somebody does with a run: decide on its change, stop it, let it go on, or have it done again."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from karkhana.domain.access import Role
from karkhana.domain.tasks import Status, Task
from karkhana.factory.again import MOST_TURNS, MOST_USD, Repetition, let_go_on, repeat, rewound
from karkhana.factory.approvals import requested
from karkhana.storage.run_lists import RunFilter, RunRow
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.problems import Refusal, missing
from karkhana.web.api.runs import RunItem, item
from karkhana.web.api.shapes import Acted, Line, Paging, Sha256, page, position
from karkhana.web.cards import card_of

TAG = "decisions"


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's or a program's word on exactly one change."""

    change: Sha256
    """Hash of the change that was looked at, from the approval; with another one nothing is decided."""
    comment: Line = ""


class Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a paused run may use beyond its order."""

    turns: Annotated[int, Meta(ge=0, le=MOST_TURNS)] = 0
    usd: Annotated[float, Meta(ge=0, le=MOST_USD)] = 0.0


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin again."""

    turn: Annotated[int, Meta(ge=1, le=1_000_000)]
    """Answers of the model that are taken over."""


class Again(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to do it again."""

    newest: bool = False
    """From the commit that HEAD is at by now, instead of the one that the run began at."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a decision."""

    run_id: str
    task_id: str
    status: str
    """How the run stands now."""
    carried_out: bool
    """``false``: it is still being carried out."""
    branch: str | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a person, and what an answer does."""

    run: RunItem
    change: str
    """Hash of the change; a decision names it."""
    title: str
    paths: tuple[str, ...]
    score: float | None
    requested_at: datetime | None
    expires_at: datetime | None
    """``null``: never."""
    goes_on_at: datetime | None
    """When the change goes ahead alone unless somebody rejects it; ``null``: never."""
    failed_gates: list[str]
    unknown_gates: list[str]
    effect: str
    """What an approval does; empty when that cannot be said."""
    refused: str
    """Why whoever asks cannot approve; empty: nothing speaks against it."""


def approvals(call: Call) -> Answer:
    query: Paging = call.query
    wanted = RunFilter(status=Status.WAITING_FOR_REVIEW, visible=call.seen)
    rows = call.site.lists.page(wanted, before=position("approvals", query), limit=query.limit + 1)
    found = page("approvals", query, [(row, row.run_id) for row in rows])
    return Answer(Page([each for row in found.items if (each := _approval(call, row))], found.next))


def approval(call: Call) -> Answer:
    found = _approval(call, call.run)
    if found is None:
        raise missing(f"open question about {call.run.run_id}")
    return Answer(found, {"etag": f'"{found.change}"'})


def _approval(call: Call, row: RunRow) -> Approval | None:
    digest = call.site.digests.of(row.run_id)
    card = card_of(call.site.grounds, call.principal, row, digest)
    if card is None:
        return None
    change = digest.handed_over.change if digest.handed_over is not None else None
    return Approval(
        run=item(call, row),
        change=digest.requested,
        title=change.title if change is not None else row.title,
        paths=change.paths if change is not None else (),
        score=None if digest.scored is None else digest.scored.confidence.score,
        requested_at=digest.requested_at,
        expires_at=digest.expires,
        goes_on_at=digest.until,
        failed_gates=card.failed_gates,
        unknown_gates=card.unknown_gates,
        effect=card.effect,
        refused=card.refused,
    )


def approved(call: Call) -> Answer:
    return _decided(call, approved=True)


def rejected(call: Call) -> Answer:
    return _decided(call, approved=False)


def _decided(call: Call, *, approved: bool) -> Answer:
    told: Decision = call.body
    run_id = call.run.run_id
    _, waits_with = requested(call.site.stores, run_id)
    if told.change != waits_with:
        raise Refusal(
            409, "another_change", f"{run_id} waits with another change.", f"Look at /api/v1/runs/{run_id}/approval."
        )
    asked = call.headers.get("if-match", "").strip()
    if asked not in ("", "*", f'"{waits_with}"'):
        raise Refusal(412, "precondition_failed", "If-Match names another change.", "Look at the change again.")
    result = call.site.deciding.decide(
        run_id,
        approved=approved,
        comment=told.comment,
        seen=told.change,
        by=call.by,
        written=partial(_audited, call, approved),
    )
    if result is None:
        status = call.site.stores.runs.get(run_id).status
        answer = Decided(run_id=run_id, task_id=call.run.task_id, status=status.value, carried_out=False)
    else:
        answer = Decided(
            run_id=run_id, task_id=call.run.task_id, status=result.status, carried_out=True, branch=result.branch
        )
    return Answer(answer, audited=True, status=200 if answer.carried_out else 202)


def _audited(call: Call, approved: bool, connection: sa.Connection) -> None:
    told: Decision = call.body
    call.site.stores.audit.record_within(
        connection,
        call.principal,
        action="run.approve" if approved else "run.reject",
        target=call.run.run_id,
        product=call.run.product,
        details={"change": told.change, "comment": told.comment},
    )


def cancelled(call: Call) -> Writing:
    def write(connection: sa.Connection) -> Answer:
        call.site.stores.tasks.cancel_within(connection, call.run.task_id)
        return Answer(_acted(call, connection), status=202)

    return Writing(write)


def resumed(call: Call) -> Writing:
    told: Allowed = call.body
    tell = let_go_on(call.site.stores, call.run.run_id, turns=told.turns, usd=told.usd, by=call.by)

    def write(connection: sa.Connection) -> Answer:
        tell(connection)
        return Answer(_acted(call, connection), status=202, details=msgspec.structs.asdict(told))

    return Writing(write)


def rewinds(call: Call) -> Writing:
    told: Turn = call.body
    return _again(rewound(call.site.stores, call.run.run_id, told.turn, by=call.by), turn=told.turn)


def retried(call: Call) -> Writing:
    told: Again = call.body
    return _again(repeat(call.site.stores, call.run.run_id, by=call.by, newest=told.newest), newest=told.newest)


def _again(again: Repetition, **details: Any) -> Writing:
    def write(connection: sa.Connection) -> Answer:
        task = again.queue_within(connection)
        where = {"location": f"/api/v1/tasks/{task.task_id}"}
        return Answer(task, where, details={**details, "task": task.task_id})

    return Writing(write, after=lambda answer: again.tell(answer.value))


def _acted(call: Call, connection: sa.Connection) -> Acted:
    run = call.site.stores.runs.get_within(connection, call.run.run_id)
    return Acted(run_id=run.run_id, task_id=run.task_id, status=run.status.value)


def _post(path: str, name: str, summary: str, handler: Any, **more: Any) -> Operation:
    return Operation(
        method="POST",
        path="/runs/{run_id}/" + path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        about=About.RUN,
        **more,
    )


_BOUND: dict[str, Any] = {
    "role": Role.APPROVER,
    "body": Decision,
    "answer": Decided,
    "errors": (202, 409, 412),
    "bound": True,
}
OPERATIONS = (
    Operation(
        method="GET",
        path="/approvals",
        name="listApprovals",
        tag=TAG,
        summary="What waits for a decision",
        handler=approvals,
        about=About.SOME,
        query=Paging,
        answer=Page[Approval],
    ),
    Operation(
        method="GET",
        path="/runs/{run_id}/approval",
        name="showApproval",
        tag=TAG,
        summary="What the run waits with, and what an answer does",
        handler=approval,
        about=About.RUN,
        answer=Approval,
        tagged=True,
    ),
    _post(
        "approve",
        "approveRun",
        "Approve exactly this change",
        approved,
        action="run.approve",
        **_BOUND,
    ),
    _post("reject", "rejectRun", "Reject exactly this change", rejected, action="run.reject", **_BOUND),
    _post(
        "cancel",
        "cancelRun",
        "Have a run stopped",
        cancelled,
        role=Role.OPERATOR,
        action="run.cancel",
        answer=Acted,
        status=202,
        errors=(409,),
    ),
    _post(
        "resume",
        "resumeRun",
        "Let a paused run go on, with so much more",
        resumed,
        role=Role.OPERATOR,
        action="run.resume",
        body=Allowed,
        answer=Acted,
        status=202,
        errors=(409,),
    ),
    _post(
        "rewind",
        "rewindRun",
        "Begin again where this run was after some answers of its model",
        rewinds,
        role=Role.OPERATOR,
        action="run.rewind",
        body=Turn,
        answer=Task,
        status=201,
        errors=(409,),
        located=True,
    ),
    _post(
        "retry",
        "retryRun",
        "Put the order of an ended run into the queue again",
        retried,
        role=Role.OPERATOR,
        action="run.retry",
        body=Again,
        answer=Task,
        status=201,
        errors=(409,),
        located=True,
    ),
)
