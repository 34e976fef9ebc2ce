"""The one place that changes a task's status, so that what waits for it is always counted right.

Knows nothing of leases or runs. Works inside the caller's transaction.

Transactions that lock several rows take them in one order, or two of them could wait for each other for ever (on
PostgreSQL; SQLite has one writer): what came in by a door, what was understood of a ticket, its task, the task's runs,
tasks that depend on it (the oldest first), the head of the audit, the answer that is kept for a repeated request.
"""

from typing import Any

import sqlalchemy as sa

from karkhana.domain.errors import UnknownTask
from karkhana.domain.tasks import Status
from karkhana.storage.tables import task_dependencies, tasks
from karkhana.storage.webhook_feed import tell_status


def change_status(connection: sa.Connection, task_id: str, status: Status, **fields: Any) -> Status:
    """Set the status and other columns of a task; returns the status before.

    When the task becomes, or ceases to be, delivered or deployed, the tasks that depend on it wait for one
    fewer, or one more. Raises ``UnknownTask``.
    """
    found = connection.execute(sa.select(tasks.c.status).where(tasks.c.task_id == task_id).with_for_update()).scalar()
    if found is None:
        raise unknown_task(task_id)
    before = Status(found)
    connection.execute(sa.update(tasks).where(tasks.c.task_id == task_id).values(status=status.value, **fields))
    if before is not status:
        tell_status(connection, task_id, status.value)
    step = before.satisfied - status.satisfied
    if step:
        _count(connection, task_id, step)
    return before


def _count(connection: sa.Connection, task_id: str, step: int) -> None:
    waiting = sa.select(task_dependencies.c.task_id).where(task_dependencies.c.depends_on == task_id)
    # locked in one order everywhere, so that two tasks that end at once cannot deadlock over a third
    locked = sa.select(tasks.c.ordinal).where(tasks.c.task_id.in_(waiting)).order_by(tasks.c.ordinal).with_for_update()
    ordinals = list(connection.execute(locked).scalars())
    for start in range(0, len(ordinals), 500):
        chunk = ordinals[start : start + 500]
        waits = {"waiting_for": tasks.c.waiting_for + step}
        connection.execute(sa.update(tasks).where(tasks.c.ordinal.in_(chunk)).values(waits))


def unknown_task(task_id: str) -> UnknownTask:
    return UnknownTask(f"there is no task {task_id}", "see the tasks with: karkhana queue list")
