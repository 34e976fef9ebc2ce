"""The queue: tasks, what they depend on, and which one a worker gets next.

Knows nothing of how a task is worked on. A task is ready when it is queued and everything that it depends on is
delivered or deployed; ``waiting_for`` counts what is missing, so finding the next task never walks the graph.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, TypedDict, Unpack

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, UnknownTask
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Order, Status, Task, TaskType
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.identifiers import next_task_id
from karkhana.storage.packing import pack_small, unpack_small
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import CANCELLING, Claim, start_run
from karkhana.storage.tables import runs, tag_sets, task_dependencies, tasks
from karkhana.storage.title_words import store_words
from karkhana.storage.transitions import change_status, unknown_task
from karkhana.storage.upserting import upsert
from karkhana.storage.visibility import EVERYTHING, Visible, of_products
from karkhana.storage.webhook_feed import tell_status


class Blocker(msgspec.Struct, frozen=True):
    """A dependency that keeps a task from starting."""

    task_id: str
    status: Status

    @property
    def hopeless(self) -> bool:
        """Whether it ended without being delivered, so that waiting will not help."""
        return self.status.finished


class TaskFields(TypedDict, total=False):
    """What may be said about a new task; each has a default."""

    product: str
    """Default: the name of the repository."""
    title: str
    """Default: the ticket's."""
    priority: int
    """1-10, 10 first. Default: 5."""
    generated_by: str
    """Default: ``human``."""
    estimated_duration: float | None
    """Seconds."""
    depends_on: Iterable[str]
    """Identifiers of tasks that must be delivered or deployed first."""
    tags: Iterable[str]
    """Capabilities that a worker needs."""


class TaskStore:
    """All tasks of a database. With a ``redactor``, no secret in a ticket is stored."""

    def __init__(self, database: Database, clock: Clock = utc_now, *, redactor: Redactor | None = None) -> None:
        self._database = database
        self._clock = clock
        self._redactor = redactor

    def add(self, order: Order, **fields: Unpack[TaskFields]) -> Task:
        """Put a task into the queue.

        Raises ``UnknownTask`` for an unknown dependency and ``InvalidInput`` for a value that cannot be.
        """
        with self._database.writing() as connection:
            return self._insert(connection, order, fields)

    def add_within(self, connection: sa.Connection, order: Order, **fields: Unpack[TaskFields]) -> Task:
        """As :meth:`add`, inside of somebody else's writing transaction: the task is there if all of that is."""
        return self._insert(connection, order, fields)

    def add_and_claim(
        self, order: Order, worker: str, lease_s: float, **fields: Unpack[TaskFields]
    ) -> tuple[Task, Claim]:
        """Add a task and begin its run at once, in one transaction: no other worker can get it."""
        with self._database.writing() as connection:
            task = self._insert(connection, order, fields)
            claim = start_run(connection, task.task_id, worker, lease_s, self._now())
            return msgspec.structs.replace(task, status=Status.PLANNING, assigned_to=worker), claim

    def get(self, task_id: str) -> Task:
        """Raises ``UnknownTask``."""
        with self._database.reading() as connection:
            return self.get_within(connection, task_id)

    def get_within(self, connection: sa.Connection, task_id: str) -> Task:
        """As :meth:`get`, inside of somebody else's transaction."""
        found = _tasks(connection, sa.select(tasks).where(tasks.c.task_id == task_id))
        if not found:
            raise unknown_task(task_id)
        return found[0]

    def order(self, task_id: str) -> Order:
        """What is to be done. Raises ``UnknownTask``."""
        with self._database.reading() as connection:
            stored = connection.execute(sa.select(tasks.c.order_json).where(tasks.c.task_id == task_id)).scalar()
        if stored is None:
            raise unknown_task(task_id)
        return msgspec.convert(unpack_small(msgspec.json.decode(stored)), Order)

    def list(
        self, *, status: Status | None = None, limit: int = 100, offset: int = 0, visible: Visible = EVERYTHING
    ) -> list[Task]:
        """Queued tasks by priority, then age; the others newest first."""
        query = sa.select(tasks).where(of_products(tasks.c.product, visible)).limit(limit).offset(offset)
        if status is not None:
            query = query.where(tasks.c.status == status.value)
        if status is Status.QUEUED:
            query = query.order_by(tasks.c.priority.desc(), tasks.c.ordinal)
        else:
            query = query.order_by(tasks.c.ordinal.desc())
        with self._database.reading() as connection:
            return _tasks(connection, query)

    def claim(self, worker: str, tags: Collection[str], lease_s: float, now: float | None = None) -> Claim | None:
        """Take the ready task of the highest priority (the oldest among equals) that needs only ``tags``.

        Begins a run of it, held by ``worker`` for ``lease_s`` seconds. ``None`` when nothing is ready.
        """
        with self._database.reading() as connection:
            able = _tag_sets_within(connection, tags)
            if not able or connection.execute(next_ready(able)).scalar() is None:
                return None
        with self._database.writing() as connection:
            task_id = connection.execute(next_ready(able).with_for_update(skip_locked=True)).scalar()
            if task_id is None:
                return None
            return start_run(connection, task_id, worker, lease_s, self._now() if now is None else now)

    def set_status(self, task_id: str, status: Status, **fields: Any) -> Status:
        """Move a task that no run holds, e.g. back to the queue or to rolled back; returns the status before.

        ``fields`` are columns of :class:`~karkhana.domain.tasks.Task`. Raises ``UnknownTask``.
        """
        with self._database.writing() as connection:
            if status is Status.QUEUED:
                fields.setdefault("assigned_to", None)
            return change_status(connection, task_id, status, **fields)

    def cancel(self, task_id: str) -> Task:
        """Cancel a task: at once when no run of it is under way, else by asking the run to stop.

        Raises ``UnknownTask``, or ``InvalidInput`` when it has ended.
        """
        with self._database.writing() as connection:
            self.cancel_within(connection, task_id)
        return self.get(task_id)

    def cancel_within(self, connection: sa.Connection, task_id: str) -> None:
        """As :meth:`cancel`, inside of somebody else's writing transaction."""
        query = sa.select(tasks.c.status).where(tasks.c.task_id == task_id).with_for_update()
        status = connection.execute(query).scalar()
        if status is None:
            raise unknown_task(task_id)
        if Status(status).finished:
            raise InvalidInput(f"{task_id} has ended already ({status.replace('_', ' ')})")
        under_way = sa.and_(runs.c.task_id == task_id, runs.c.finished_at.is_(None))
        asked = connection.execute(sa.update(runs).where(under_way).values(CANCELLING))
        if not asked.rowcount:
            change_status(connection, task_id, Status.CANCELLED, assigned_to=None)

    def blocked_by(self, task_id: str) -> tuple[Blocker, ...]:
        """The dependencies that keep the task from starting. Raises ``UnknownTask``."""
        self.get(task_id)
        query = (
            sa.select(tasks.c.task_id, tasks.c.status)
            .join(task_dependencies, task_dependencies.c.depends_on == tasks.c.task_id)
            .where(task_dependencies.c.task_id == task_id)
            .order_by(tasks.c.ordinal)
        )
        with self._database.reading() as connection:
            found = [Blocker(row.task_id, Status(row.status)) for row in connection.execute(query)]
        return tuple(blocker for blocker in found if not blocker.status.satisfied)

    def _insert(self, connection: sa.Connection, order: Order, fields: TaskFields) -> Task:
        if self._redactor is not None:
            ticket = msgspec.structs.replace(order.ticket, text=self._redactor.text(order.ticket.text))
            order = msgspec.structs.replace(order, ticket=ticket)
        depends_on = tuple(dict.fromkeys(fields.get("depends_on", ())))
        waiting_for = _unsatisfied(connection, depends_on)
        now = self._now()
        task = Task(
            task_id=next_task_id(connection, now),
            product=_storable(fields.get("product") or product_of(order.repository)),
            type=order.type,
            title=_storable(self._redacted(fields.get("title") or order.ticket.title)),
            priority=_priority(fields.get("priority", 5)),
            generated_by=_storable(fields.get("generated_by", "human")),
            dependencies=depends_on,
            tags=tuple(sorted({_storable(tag) for tag in fields.get("tags", ())})),
            estimated_duration=fields.get("estimated_duration"),
            created_at=datetime.fromtimestamp(now, UTC),
        )
        _store(connection, task, order, waiting_for)
        return task

    def _redacted(self, text: str) -> str:
        return self._redactor.text(text) if self._redactor is not None else text

    def _now(self) -> float:
        return self._clock().timestamp()


_INSERT = sa.insert(tasks)
"""Made once: to make it for each task takes longer than to carry it out."""


def _store(connection: sa.Connection, task: Task, order: Order, waiting_for: int) -> None:
    tags = canonical(task.tags).decode()
    connection.execute(upsert(connection, tag_sets).on_conflict_do_nothing(), {"tags": tags})
    row = {
        "task_id": task.task_id,
        "product": task.product,
        "type": task.type.value,
        "title": task.title,
        "priority": task.priority,
        "generated_by": task.generated_by,
        "tags": tags,
        "estimated_duration": task.estimated_duration,
        "status": task.status.value,
        "created_at": task.created_at.timestamp(),
        "waiting_for": waiting_for,
        "order_json": canonical(pack_small(msgspec.to_builtins(order))).decode(),
    }
    stored = connection.execute(_INSERT, row)
    key = stored.inserted_primary_key
    assert key is not None, "a table with a primary key"
    store_words(connection, key[0], task.title)
    tell_status(connection, task.task_id, task.status.value, kind="task.created")
    if task.dependencies:
        rows = [{"task_id": task.task_id, "depends_on": other} for other in task.dependencies]
        connection.execute(sa.insert(task_dependencies), rows)


def _unsatisfied(connection: sa.Connection, depends_on: tuple[str, ...]) -> int:
    # Only tasks that exist can be named, and a new one is named by nobody yet: the graph cannot close a circle.
    query = sa.select(tasks.c.task_id, tasks.c.status).where(tasks.c.task_id.in_(depends_on))
    # locked, so that one which is being delivered right now is counted either by us or by its delivery
    rows = connection.execute(query.order_by(tasks.c.ordinal).with_for_update()) if depends_on else ()
    known = {row.task_id: Status(row.status) for row in rows}
    for task_id in depends_on:
        if task_id not in known:
            raise UnknownTask(f"there is no task {task_id} to depend on", "see the tasks with: karkhana queue list")
    return sum(not status.satisfied for status in known.values())


def _tag_sets_within(connection: sa.Connection, tags: Collection[str]) -> list[str]:
    offered = set(tags)
    stored = connection.execute(sa.select(tag_sets.c.tags)).scalars()
    return [text for text in stored if offered.issuperset(msgspec.json.decode(text))]


def next_ready(able: list[str]) -> sa.Select[Any]:
    """The ready task that comes next, of those whose tags are among the stored sets ``able``."""
    first = tasks.c.priority.desc(), tasks.c.ordinal
    ready = tasks.c.status == Status.QUEUED.value, tasks.c.waiting_for == 0
    return sa.select(tasks.c.task_id).where(*ready, tasks.c.tags.in_(able)).order_by(*first).limit(1)


def _tasks(connection: sa.Connection, query: sa.Select[Any]) -> list[Task]:
    return tasks_of(connection, list(connection.execute(query)))


def tasks_of(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Task]:
    """Rows of the table as tasks with their dependencies, in the same order."""
    ids = [row.task_id for row in rows]
    dependencies: dict[str, list[str]] = {task_id: [] for task_id in ids}
    for start in range(0, len(ids), 500):
        named = sa.select(task_dependencies).where(task_dependencies.c.task_id.in_(ids[start : start + 500]))
        for row in connection.execute(named.order_by(task_dependencies.c.depends_on)):
            dependencies[row.task_id].append(row.depends_on)
    return [_task(row, dependencies[row.task_id]) for row in rows]


def _task(row: sa.Row[Any], dependencies: list[str]) -> Task:
    return Task(
        task_id=row.task_id,
        product=row.product,
        type=TaskType(row.type),
        title=row.title,
        priority=row.priority,
        generated_by=row.generated_by,
        assigned_to=row.assigned_to,
        dependencies=tuple(dependencies),
        tags=tuple(msgspec.json.decode(row.tags)),
        estimated_duration=row.estimated_duration,
        actual_duration=row.actual_duration,
        status=Status(row.status),
        human_review=row.human_review,
        quality_score=row.quality_score,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
    )


def _priority(priority: int) -> int:
    if not 1 <= priority <= 10:
        raise InvalidInput(f"priority {priority} is not between 1 and 10", "10 is done first")
    return priority


def product_of(repository: str) -> str:
    """The product that a repository stands for when nobody names one.

    >>> product_of("https://example.org/octo/shop.git")
    'shop'
    """
    return PurePosixPath(repository.rstrip("/")).name.removesuffix(".git") or repository


def _storable(text: str) -> str:
    """``text`` without what a text column cannot hold: NUL, and bytes that are not UTF-8."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
