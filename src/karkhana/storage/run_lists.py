"""What pages show of many runs at once: lists by filter and cursor, counts, who works on what, and how far trails are.

Each query is answered from an index, so that it takes as long with a hundred thousand runs as with ten. Knows nothing
of pages, nor of what a run does.

>>> # RunLists(database).page(RunFilter(status=Status.FAILED), limit=50)
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.tasks import Status, TaskType
from karkhana.storage.database import Database
from karkhana.storage.tables import events, runs, tasks
from karkhana.storage.visibility import EVERYTHING, Visible, of_products


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs; what is absent does not matter."""

    status: Status | None = None
    type: TaskType | None = None
    product: str | None = None
    task_id: str | None = None
    visible: Visible = EVERYTHING


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of runs."""

    run_id: str
    task_id: str
    title: str
    """Of its ticket: untrusted."""
    product: str
    type: str
    status: Status
    engineer: str
    score: float | None
    started_at: datetime
    finished_at: datetime | None
    worker: str
    """Who holds it; empty: nobody."""
    events: int
    cancelling: bool


class Head(msgspec.Struct, frozen=True):
    """How far a run is."""

    seq: int
    """Of its newest event."""
    status: Status
    finished: bool


class RunLists:
    """Read-only views over the runs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: RunFilter, *, before: str = "", after: str = "", limit: int = 50) -> list[RunRow]:
        """Newest first: those older than run ``before``, or the ones right above run ``after``."""
        query = _ROWS.where(of_products(runs.c.product, wanted.visible)).limit(limit)
        for column, value in (
            (runs.c.status, wanted.status and wanted.status.value),
            (runs.c.type, wanted.type and wanted.type.value),
            (runs.c.product, wanted.product),
            (runs.c.task_id, wanted.task_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if after:
            query = query.where(runs.c.run_id > after).order_by(runs.c.run_id)
        else:
            query = query.order_by(runs.c.run_id.desc())
            if before:
                query = query.where(runs.c.run_id < before)
        with self._database.reading() as connection:
            found = [_row(row) for row in connection.execute(query)]
        return found[::-1] if after else found

    def get(self, run_id: str) -> RunRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ROWS.where(runs.c.run_id == run_id)).one_or_none()
        return None if row is None else _row(row)

    def active(self, limit: int = 50, *, visible: Visible = EVERYTHING) -> list[RunRow]:
        """Runs that a worker holds, the oldest first."""
        held = runs.c.finished_at.is_(None), runs.c.lease_owner.is_not(None), of_products(runs.c.product, visible)
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute(_ROWS.where(*held).order_by(runs.c.run_id).limit(limit))]

    def finished_since(self, at: float, *, visible: Visible = EVERYTHING) -> dict[str, int]:
        """Status → runs that have ended with it since ``at`` (seconds since the epoch)."""
        since = runs.c.finished_at >= at, of_products(runs.c.product, visible)
        query = sa.select(runs.c.status, sa.func.count()).where(*since).group_by(runs.c.status)
        with self._database.reading() as connection:
            return {str(status): int(count) for status, count in connection.execute(query)}

    def count(self, status: Status, *, visible: Visible = EVERYTHING) -> int:
        """Runs of a status."""
        like = runs.c.status == status.value, of_products(runs.c.product, visible)
        query = sa.select(sa.func.count()).select_from(runs).where(*like)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def queued(self, *, visible: Visible = EVERYTHING) -> int:
        """Tasks that wait for a worker."""
        like = tasks.c.status == Status.QUEUED.value, of_products(tasks.c.product, visible)
        query = sa.select(sa.func.count()).select_from(tasks).where(*like)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def products(self, limit: int = 200, *, visible: Visible = EVERYTHING) -> list[str]:
        """Names of the products that have runs, in alphabetical order; jumps from one to the next in the index."""
        found: list[str] = []
        with self._database.reading() as connection:
            while len(found) < limit:
                following = sa.select(sa.func.min(runs.c.product)).where(
                    runs.c.product > (found[-1] if found else ""), of_products(runs.c.product, visible)
                )
                product = connection.execute(following).scalar()
                if product is None:
                    break
                found.append(str(product))
        return found

    def named(self, text: str, limit: int = 8, *, visible: Visible = EVERYTHING) -> list[RunRow]:
        """Runs whose identifier or task begins with ``text``, then the newest whose title holds it."""
        like = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        titled = sa.select(tasks.c.task_id).where(
            tasks.c.title.ilike(f"%{like}%", escape="\\"), of_products(tasks.c.product, visible)
        )
        newest = titled.order_by(tasks.c.ordinal.desc()).limit(limit)
        beginning = sa.or_(
            sa.and_(runs.c.run_id >= text, runs.c.run_id < text + "~"),
            sa.and_(runs.c.task_id >= text, runs.c.task_id < text + "~"),
        )
        with self._database.reading() as connection:
            rows = _ROWS.where(beginning, of_products(runs.c.product, visible)).limit(limit)
            found = [_row(row) for row in connection.execute(rows)]
            ids = list(connection.execute(newest).scalars())
            more = _ROWS.where(runs.c.task_id.in_(ids)).order_by(runs.c.run_id.desc()).limit(limit)
            found += [_row(row) for row in connection.execute(more)]
        return list({row.run_id: row for row in found}.values())[:limit]

    def heads(self, run_ids: Collection[str]) -> dict[str, Head]:
        """How far these runs are."""
        query = sa.select(runs.c.run_id, runs.c.trail_seq, runs.c.status, runs.c.finished_at)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(runs.c.run_id.in_(list(run_ids))))
            return {row.run_id: Head(row.trail_seq, Status(row.status), row.finished_at is not None) for row in rows}

    def pulse(self) -> tuple[Any, ...]:
        """Differs from the one before when a run or the queue has changed."""
        unfinished = sa.select(sa.func.count(), sa.func.sum(runs.c.trail_seq), sa.func.max(runs.c.run_id))
        queue = sa.select(sa.func.count(), sa.func.max(tasks.c.ordinal)).where(tasks.c.status == Status.QUEUED.value)
        with self._database.reading() as connection:
            row = connection.execute(unfinished.where(runs.c.finished_at.is_(None))).one()
            ended = connection.execute(sa.select(sa.func.max(runs.c.finished_at))).scalar()
            return (*row, ended, *connection.execute(queue).one())

    def spent(self, run_id: str) -> list[tuple[str, bool]]:
        """What each answer of a model in a run did cost: exact dollars (empty: not known), and whether it was recalled.

        Only the two values leave the database.
        """
        sqlite = self._database.kind == "sqlite"

        def value(key: str) -> sa.ColumnElement[Any]:
            if sqlite:
                return sa.func.json_extract(events.c.payload, f"$.{key}")
            text: sa.ColumnElement[Any] = sa.cast(events.c.payload, sa.JSON)[key].as_string()
            return text

        query = sa.select(value("cost_usd"), value("recalled")).where(
            events.c.run_id == run_id, events.c.type == "model.answered"
        )
        with self._database.reading() as connection:
            return [(str(cost or ""), recalled in (1, True, "true")) for cost, recalled in connection.execute(query)]


_ROWS: sa.Select[Any] = sa.select(
    runs.c.run_id,
    runs.c.task_id,
    tasks.c.title,
    runs.c.product,
    runs.c.type,
    runs.c.status,
    runs.c.engineer,
    runs.c.score,
    runs.c.started_at,
    runs.c.finished_at,
    runs.c.lease_owner,
    runs.c.trail_seq,
    runs.c.cancel_requested,
).join(tasks, tasks.c.task_id == runs.c.task_id)


def _row(row: sa.Row[Any]) -> RunRow:
    return RunRow(
        run_id=row.run_id,
        task_id=row.task_id,
        title=row.title,
        product=row.product,
        type=row.type,
        status=Status(row.status),
        engineer=row.engineer or "",
        score=row.score,
        started_at=datetime.fromtimestamp(row.started_at, UTC),
        finished_at=None if row.finished_at is None else datetime.fromtimestamp(row.finished_at, UTC),
        worker=row.lease_owner or "",
        events=row.trail_seq,
        cancelling=bool(row.cancel_requested) and row.finished_at is None,
    )
