"""What was understood of each ticket, and what is kept of it to compare later ones with.

Knows nothing of how a ticket is understood. A change of a row reads it and writes it in one transaction.
"""

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical, decode
from karkhana.domain.tasks import Status
from karkhana.domain.understanding import Understanding
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import tasks, understandings
from karkhana.storage.upserting import upsert


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that others are compared with."""

    ordinal: int
    task_id: str
    sketch: str
    """As it was given to :meth:`UnderstandingStore.keep_within`."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ticket stands."""

    title: str
    status: Status
    created_at: float


class UnderstandingStore:
    """All understandings of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock().timestamp()

    def get(self, task_id: str) -> Understanding | None:
        """``None`` for a task of which nothing was kept."""
        with self._database.reading() as connection:
            stored = connection.execute(_ONE.where(understandings.c.task_id == task_id)).scalar()
        return None if stored is None else decode(stored, Understanding)

    def hold_within(self, connection: sa.Connection, task_id: str) -> Understanding | None:
        """As :meth:`get`, inside of somebody else's writing transaction, before whose end nobody else changes it."""
        stored = connection.execute(_ONE.where(understandings.c.task_id == task_id).with_for_update()).scalar()
        return None if stored is None else decode(stored, Understanding)

    def keep_within(
        self, connection: sa.Connection, task_id: str, product: str, understanding: Understanding, sketch: str
    ) -> None:
        """Keep what was understood of a new task, inside of the transaction that makes it."""
        row = {
            "task_id": task_id,
            "product": product,
            "at": self._clock().timestamp(),
            "understanding": canonical(understanding).decode(),
            "sketch": sketch,
        }
        connection.execute(upsert(connection, understandings).values(row).on_conflict_do_nothing())

    def change_within(
        self, connection: sa.Connection, task_id: str, change: Callable[[Understanding], Understanding]
    ) -> Understanding:
        """Write what ``change`` makes of what is kept, inside of somebody else's writing transaction, and return that.

        Raises ``KeyError`` when nothing is kept.
        """
        before = self.hold_within(connection, task_id)
        if before is None:
            raise KeyError(task_id)
        changed = change(before)
        values = {"understanding": canonical(changed).decode()}
        connection.execute(sa.update(understandings).where(understandings.c.task_id == task_id).values(values))
        return changed

    def since(self, product: str, ordinal: int, limit: int) -> list[Kept]:
        """The product's tickets that came after ``ordinal``, the newest ``limit`` of them, oldest first."""
        with self._database.reading() as connection:
            rows = list(connection.execute(_SINCE, {"of_product": product, "after": ordinal, "most": limit}))
        return [Kept(ordinal=row.ordinal, task_id=row.task_id, sketch=row.sketch) for row in reversed(rows)]

    def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]:
        """Where the tasks stand that there are."""
        query = sa.select(tasks.c.task_id, tasks.c.title, tasks.c.status, tasks.c.created_at)
        with self._database.reading() as connection:
            rows = list(connection.execute(query.where(tasks.c.task_id.in_(list(task_ids)))))
        return {
            row.task_id: Standing(title=row.title, status=Status(row.status), created_at=row.created_at) for row in rows
        }


_ONE = sa.select(understandings.c.understanding)
# made once: to make it for each ticket takes longer than to carry it out
_SINCE = (
    sa.select(understandings.c.ordinal, understandings.c.task_id, understandings.c.sketch)
    .where(understandings.c.product == sa.bindparam("of_product"), understandings.c.ordinal > sa.bindparam("after"))
    .order_by(understandings.c.ordinal.desc())
    .limit(sa.bindparam("most"))
)
