"""Tasks: order one, see the queue and each of them, change its turn, cancel it."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from karkhana.domain.access import EVERYTHING, Role
from karkhana.domain.tasks import Order, Status, Task, TaskType
from karkhana.factory.ordering import make_order
from karkhana.factory.understanding import Understander
from karkhana.intake.suspicion import suspicions
from karkhana.storage.intake_store import IntakeStore, TicketRow
from karkhana.storage.task_lists import TaskFilter, TaskLists
from karkhana.storage.tasks import Blocker
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.problems import Refusal, forbidden, missing
from karkhana.web.api.shapes import Acted, Name, Paging, given, page, position

TAG = "tasks"
Text = Annotated[str, Meta(min_length=1, max_length=16_000, pattern=r"\S")]
TaskName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Priority = Annotated[int, Meta(ge=1, le=10, description="10 goes first.")]


class TaskQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks. Those of the status ``queued`` come in the order of their turn, all others newest first."""

    status: Status | UnsetType = UNSET
    type: TaskType | UnsetType = UNSET
    product: Name | UnsetType = UNSET


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ticket for the queue."""

    text: Text
    """What is wrong or wanted, in anybody's words."""
    product: Name
    """Whose it is. The work begins at HEAD of the repository that the product's newest task had."""
    repository: Annotated[str, Meta(min_length=2, max_length=1000, pattern=r"^/[^\x00]*\Z")] | UnsetType = UNSET
    """Folder of another repository on the server. Needs the role admin for everything."""
    type: TaskType = TaskType.BUGFIX
    title: Name | UnsetType = UNSET
    priority: Priority = 5
    depends_on: Annotated[list[TaskName], Meta(max_length=50)] = []
    """Tasks that must be delivered first."""
    tags: Annotated[list[TaskName], Meta(max_length=20)] = []
    """Capabilities that a worker needs."""
    test_command: Name | UnsetType = UNSET
    engineer: Literal["auto", "symbolic", "llm"] = "auto"
    model: Name | UnsetType = UNSET
    strategy: Name | UnsetType = UNSET
    max_turns: Annotated[int, Meta(ge=1, le=10_000)] | UnsetType = UNSET
    """Tool calls that the engineer may make."""
    budget_usd: Annotated[float, Meta(ge=0, le=1000)] | UnsetType = UNSET
    timeout_s: Annotated[float, Meta(ge=1, le=86_400)] | UnsetType = UNSET
    attempts: Annotated[int, Meta(ge=1, le=16)] = 1
    auto: bool = False
    """Deliver without waiting for approval where policy allows. Needs the role approver."""
    ask: bool = False
    """Wait for an answer when the ticket does not say enough."""


class TaskDetail(Task, frozen=True, kw_only=True):
    """A task with what it waits for and where it came from."""

    blocked_by: tuple[Blocker, ...]
    runs: list[str]
    """The newest first."""
    came_by: TicketRow | None
    """The door that it came in by."""
    order: Order


class NewPriority(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another turn."""

    priority: Priority


def listed(call: Call) -> Answer:
    query: TaskQuery = call.query
    wanted = TaskFilter(
        status=given(query.status), type=given(query.type), product=given(query.product), visible=call.seen
    )
    found = TaskLists(call.site.stores.database).page(wanted, after=position("tasks", query), limit=query.limit + 1)
    return Answer(page("tasks", query, found))


def shown(call: Call) -> Answer:
    return Answer(_detail(call, call.task))


def added(call: Call) -> Writing:
    new: NewTask = call.body
    needed = Role.APPROVER if new.auto else Role.OPERATOR
    if not call.principal.may(Role.VIEWER, new.product):
        raise missing(f"product {new.product}")
    if not call.principal.may(needed, new.product):
        raise forbidden(needed.value)
    stores, order = call.site.stores, _order(call, new)
    for other in new.depends_on:
        if not _visible(call, other):
            raise missing(f"task {other} to depend on")

    order = msgspec.structs.replace(order, asks=new.ask)
    book = Understander(stores)
    found = book.of(order, new.product, type=new.type.value, urgency=new.priority)

    def write(connection: sa.Connection) -> Answer:
        task = stores.tasks.add_within(
            connection,
            order,
            product=new.product,
            title=given(new.title) or "",
            priority=new.priority,
            generated_by=call.principal.via,
            depends_on=new.depends_on,
            tags=new.tags,
        )
        book.keep_within(connection, task, found)
        where = {"location": f"/api/v1/tasks/{task.task_id}"}
        told = {"title": task.title, "repository": order.repository}
        return Answer(task, where, target=task.task_id, product=task.product, details=told)

    return Writing(write)


def _order(call: Call, new: NewTask) -> Order:
    try:
        order, _ = make_order(
            # alone it would mean the terminal
            "-\n" if new.text == "-" else new.text,
            _repository(call, new),
            type=new.type,
            test_command=given(new.test_command),
            engineer=new.engineer,
            model=given(new.model) or "",
            strategy=given(new.strategy) or "",
            max_turns=given(new.max_turns),
            usd=given(new.budget_usd),
            seconds=given(new.timeout_s),
            attempts=new.attempts,
            auto=new.auto,
            by=call.by,
        )
    except OSError as error:
        # a name that no folder can have
        raise Refusal(409, "not_a_repository", f"{given(new.repository)} cannot be opened: {error.strerror}") from error
    return msgspec.structs.replace(order, suspicions=suspicions(new.text))


def _repository(call: Call, new: NewTask) -> Path:
    stores = call.site.stores
    newest = TaskLists(stores.database).newest(new.product)
    known = stores.tasks.order(newest).repository if newest is not None else None
    wanted = given(new.repository)
    if wanted is None and known is None:
        raise Refusal(
            404,
            "no_repository",
            f"The product {new.product} has no repository yet.",
            "An admin names its first one: repository, or karkhana queue add.",
        )
    if wanted is not None and wanted != known and not call.principal.may(Role.ADMIN, EVERYTHING):
        raise forbidden(f"{Role.ADMIN.value} for everything")
    return Path(wanted or known or "")


def _visible(call: Call, task_id: str) -> bool:
    found = TaskLists(call.site.stores.database).product(task_id)
    return found is not None and call.principal.may(Role.VIEWER, found)


def turned(call: Call) -> Writing:
    new: NewPriority = call.body
    stores, task_id = call.site.stores, call.task.task_id

    def write(connection: sa.Connection) -> Answer:
        TaskLists(stores.database).set_priority(task_id, new.priority, connection)
        return Answer(stores.tasks.get_within(connection, task_id), details={"priority": new.priority})

    return Writing(write)


def cancelled(call: Call) -> Writing:
    stores, task_id = call.site.stores, call.task.task_id

    def write(connection: sa.Connection) -> Answer:
        stores.tasks.cancel_within(connection, task_id)
        return Answer(
            Acted(task_id=task_id, status=stores.tasks.get_within(connection, task_id).status.value), status=202
        )

    return Writing(write)


def _detail(call: Call, task: Task) -> TaskDetail:
    stores = call.site.stores
    return TaskDetail(
        **msgspec.structs.asdict(task),
        blocked_by=tuple(each for each in stores.tasks.blocked_by(task.task_id) if _visible(call, each.task_id)),
        runs=[run.run_id for run in stores.runs.list(task_id=task.task_id)],
        came_by=IntakeStore(stores.database).ticket(task.task_id),
        order=stores.tasks.order(task.task_id),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/tasks",
        name="listTasks",
        tag=TAG,
        summary="Tasks",
        handler=listed,
        about=About.SOME,
        query=TaskQuery,
        answer=Page[Task],
    ),
    Operation(
        method="POST",
        path="/tasks",
        name="addTask",
        tag=TAG,
        summary="Put a ticket into the queue",
        handler=added,
        about=About.SOME,
        role=Role.OPERATOR,
        body=NewTask,
        answer=Task,
        status=201,
        errors=(403, 404, 409),
        action="ticket.add",
        located=True,
    ),
    Operation(
        method="GET",
        path="/tasks/{task_id}",
        name="showTask",
        tag=TAG,
        summary="One task, with what it waits for",
        handler=shown,
        about=About.TASK,
        answer=TaskDetail,
    ),
    Operation(
        method="PATCH",
        path="/tasks/{task_id}",
        name="changeTask",
        tag=TAG,
        summary="Change the turn of a queued task",
        handler=turned,
        about=About.TASK,
        role=Role.OPERATOR,
        body=NewPriority,
        answer=Task,
        errors=(409,),
        action="task.priority",
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/cancel",
        name="cancelTask",
        tag=TAG,
        summary="Take a task out of the queue, or have its run stopped",
        handler=cancelled,
        about=About.TASK,
        role=Role.OPERATOR,
        answer=Acted,
        status=202,
        errors=(409,),
        action="task.cancel",
    ),
)
