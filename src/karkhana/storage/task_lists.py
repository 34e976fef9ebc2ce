"""Tasks page by page, of the products that whoever asks may see. Knows nothing of pages of HTML, nor of HTTP."""

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.tasks import Status, Task, TaskType
from karkhana.storage.database import Database
from karkhana.storage.tables import tasks
from karkhana.storage.tasks import tasks_of
from karkhana.storage.transitions import unknown_task
from karkhana.storage.visibility import EVERYTHING, Visible, of_products


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks; what is absent does not matter."""

    status: Status | None = None
    type: TaskType | None = None
    product: str | None = None
    visible: Visible = EVERYTHING


class TaskLists:
    """Views over the tasks of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: TaskFilter, *, after: str = "", limit: int = 50) -> list[tuple[Task, str]]:
        """Queued tasks in the order of their turn, the others newest first; each with its place for ``after``."""
        query = sa.select(tasks).where(of_products(tasks.c.product, wanted.visible))
        for column, value in (
            (tasks.c.status, wanted.status and wanted.status.value),
            (tasks.c.type, wanted.type and wanted.type.value),
            (tasks.c.product, wanted.product),
        ):
            if value is not None:
                query = query.where(column == value)
        queue = wanted.status is Status.QUEUED
        if after:
            priority, ordinal = (int(part) for part in after.split("."))
            if queue:
                later = sa.and_(tasks.c.priority == priority, tasks.c.ordinal > ordinal)
                query = query.where(sa.or_(tasks.c.priority < priority, later))
            else:
                query = query.where(tasks.c.ordinal < ordinal)
        order = (tasks.c.priority.desc(), tasks.c.ordinal) if queue else (tasks.c.ordinal.desc(),)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.order_by(*order).limit(limit)))
            return [
                (task, f"{row.priority}.{row.ordinal}")
                for task, row in zip(tasks_of(connection, rows), rows, strict=True)
            ]

    def newest(self, product: str) -> str | None:
        """The newest task of a product."""
        query = sa.select(tasks.c.task_id).where(tasks.c.product == product).order_by(tasks.c.ordinal.desc()).limit(1)
        with self._database.reading() as connection:
            found: str | None = connection.execute(query).scalar()
        return found

    def product(self, task_id: str) -> str | None:
        """Whose a task is; ``None``: there is no such task."""
        with self._database.reading() as connection:
            found: str | None = connection.execute(
                sa.select(tasks.c.product).where(tasks.c.task_id == task_id)
            ).scalar()
        return found

    def set_priority(self, task_id: str, priority: int, connection: sa.Connection | None = None) -> None:
        """Change a queued task's turn. Raises ``UnknownTask``, or ``InvalidInput`` once it is worked on."""
        with self._database.joining(connection) as joined:
            place = tasks.c.task_id == task_id
            status = joined.execute(sa.select(tasks.c.status).where(place).with_for_update()).scalar()
            if status is None:
                raise unknown_task(task_id)
            if status != Status.QUEUED.value:
                raise InvalidInput(f"{task_id} is {status.replace('_', ' ')}; only what is queued has a turn")
            joined.execute(sa.update(tasks).where(place).values(priority=priority))
