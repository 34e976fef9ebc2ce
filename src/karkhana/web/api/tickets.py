"""What was understood of a task's ticket, and what people say to that: an answer, a duplicate, criteria."""

from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from karkhana.domain.access import Role
from karkhana.domain.understanding import Understanding
from karkhana.factory.records import REPLY_MAX
from karkhana.factory.replies import CRITERION_MAX, answer_within, change_criteria, confirm_duplicate
from karkhana.factory.understanding import shown
from karkhana.storage.task_lists import TaskLists
from karkhana.web.api.contract import About, Answer, Call, Operation, Writing
from karkhana.web.api.problems import missing
from karkhana.web.api.shapes import Acted

TAG = "tasks"


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to a ticket's question."""

    text: Annotated[str, Meta(min_length=1, max_length=REPLY_MAX, pattern=r"\S")]


class Same(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another ticket that asks for the same."""

    task_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class NewCriteria(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Criteria to add, and numbers of those to remove."""

    add: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=CRITERION_MAX, pattern=r"^[^\n]*[^\s][^\n]*$")]],
        Meta(max_length=30),
    ] = []
    remove: Annotated[list[Annotated[int, Meta(ge=1, le=1000)]], Meta(max_length=30)] = []
    """From 1, as they are shown."""


def understood(call: Call) -> Answer:
    return Answer(shown(call.site.stores, call.task.task_id))


def answered(call: Call) -> Writing:
    reply: Reply = call.body

    def write(connection: sa.Connection) -> Answer:
        answer_within(call.site.stores, connection, call.task.task_id, reply.text, by=call.by)
        return Answer(Acted(task_id=call.task.task_id, status=call.task.status.value), status=202)

    return Writing(write)


def same(call: Call) -> Writing:
    other: Same = call.body
    product = TaskLists(call.site.stores.database).product(other.task_id)
    if product is None or not call.principal.may(Role.VIEWER, product):
        raise missing(f"task {other.task_id}")
    change = confirm_duplicate(call.site.stores, call.task.task_id, other.task_id, by=call.by)
    return Writing(lambda connection: Answer(change(connection), details={"of": other.task_id}))


def criteria(call: Call) -> Writing:
    new: NewCriteria = call.body
    change = change_criteria(call.site.stores, call.task.task_id, add=new.add, remove=new.remove, by=call.by)
    told = {"add": len(new.add), "remove": len(new.remove)}
    return Writing(lambda connection: Answer(change(connection), details=told))


OPERATIONS = (
    Operation(
        method="GET",
        path="/tasks/{task_id}/understanding",
        name="showUnderstanding",
        tag=TAG,
        summary="What was understood of a task's ticket, and why",
        handler=understood,
        about=About.TASK,
        answer=Understanding,
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/answer",
        name="answerTask",
        tag=TAG,
        summary="Answer the question that a task waits with",
        handler=answered,
        about=About.TASK,
        role=Role.OPERATOR,
        body=Reply,
        answer=Acted,
        status=202,
        errors=(409,),
        action="ticket.answer",
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/duplicates",
        name="confirmDuplicate",
        tag=TAG,
        summary="Say that another ticket asks for the same; nothing is closed",
        handler=same,
        about=About.TASK,
        role=Role.OPERATOR,
        body=Same,
        answer=Understanding,
        errors=(409,),
        action="ticket.duplicate",
    ),
    Operation(
        method="PATCH",
        path="/tasks/{task_id}/criteria",
        name="changeCriteria",
        tag=TAG,
        summary="Change what should hold when a task is done",
        handler=criteria,
        about=About.TASK,
        role=Role.OPERATOR,
        body=NewCriteria,
        answer=Understanding,
        errors=(409,),
        action="ticket.criteria",
    ),
)
