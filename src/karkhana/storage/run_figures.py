"""Sums over the runs that have ended: by score and by what was decided, by week and type. One look at the index each.

Knows nothing of charts, nor of what a figure means.

>>> # RunFigures(database).scores(since=0.0, edges=[0.0, 0.5, 1.0])
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.tasks import Status
from karkhana.storage.database import Database
from karkhana.storage.tables import runs, tasks
from karkhana.storage.visibility import EVERYTHING, Visible, of_products

ALONE, APPROVED, REFUSED, OTHER = "alone", "approved", "refused", "other"
"""How a scored change went on: without a person, by a person's word, a person refused it, or not at all (nobody
answered in time, it was stopped, or it was taken back)."""
WAYS = (ALONE, APPROVED, REFUSED, OTHER)


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Ended runs with a score between two edges."""

    bucket: int
    """Number of the edge that it is at or above."""
    way: str
    runs: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Ended runs of a type within a period."""

    period: int
    """Number of the edge that it ended at or after."""
    type: str
    status: Status
    runs: int


class Went(msgspec.Struct, frozen=True, kw_only=True):
    """Ended runs that went on in one way within a period."""

    period: int
    way: str
    runs: int


class RunFigures:
    """Of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def scores(self, since: float, edges: Sequence[float], *, visible: Visible = EVERYTHING) -> list[Scored]:
        """Runs that ended with a score since ``since`` (seconds since the epoch), by ``edges`` (ascending)."""
        bucket = _bucket(runs.c.score, edges).label("bucket")
        query = _counted(since, visible, bucket, asked=True).where(runs.c.score.is_not(None))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        found = Counter[tuple[int, str]]()
        for row in rows:
            found[row.bucket, _way(Status(row.status), row.asked)] += row.runs
        return [Scored(bucket=bucket, way=way, runs=count) for (bucket, way), count in found.items()]

    def ways(self, edges: Sequence[float], *, visible: Visible = EVERYTHING) -> list[Went]:
        """Runs that ended since the first of ``edges`` (ascending, seconds since the epoch), by how they went on."""
        query = _counted(edges[0], visible, _bucket(runs.c.finished_at, edges).label("period"), asked=True)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Went(period=row.period, way=_way(Status(row.status), row.asked), runs=row.runs) for row in rows]

    def periods(self, edges: Sequence[float], *, visible: Visible = EVERYTHING) -> list[Ended]:
        """The same runs by their types and how they ended."""
        query = _counted(edges[0], visible, _bucket(runs.c.finished_at, edges).label("period"), runs.c.type)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Ended(period=row.period, type=row.type, status=Status(row.status), runs=row.runs) for row in rows]

    def newest_failed(self, limit: int, *, visible: Visible = EVERYTHING) -> list[str]:
        """Runs that failed or were rejected, the newest first."""
        failed = runs.c.status.in_((Status.FAILED.value, Status.REJECTED.value))
        query = sa.select(runs.c.run_id).where(failed, of_products(runs.c.product, visible))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(runs.c.run_id.desc()).limit(limit)).scalars())


DELIVERED = (Status.DELIVERED, Status.DEPLOYED, Status.CANARY)


def _way(status: Status, asked: bool | None) -> str:
    if status in DELIVERED:
        return APPROVED if asked else ALONE
    return REFUSED if status is Status.REJECTED else OTHER


def _counted(since: float, visible: Visible, *columns: sa.ColumnElement[Any], asked: bool = False) -> sa.Select[Any]:
    """Ended runs by ``columns`` and status; with ``asked`` also by whether a person decided on those delivered."""
    kinds = [*columns, runs.c.status]
    place: sa.FromClause = runs
    if asked:
        # only the tasks of these are looked up: an empty key finds nothing at once
        delivered = sa.case((runs.c.status.in_([status.value for status in DELIVERED]), runs.c.task_id))
        place = runs.outerjoin(tasks, tasks.c.task_id == delivered)
        kinds.append(tasks.c.human_review.label("asked"))
    query = sa.select(*kinds, sa.func.count().label("runs")).select_from(place).group_by(*kinds)
    return query.where(runs.c.finished_at >= since, of_products(runs.c.product, visible))


def _bucket(column: sa.ColumnElement[Any], edges: Sequence[float]) -> sa.ColumnElement[Any]:
    """The number of the last edge that a value is not below; both databases round differently, so they compare."""
    ladder = [(column >= edge, number) for number, edge in reversed(list(enumerate(edges)))]
    return sa.case(*ladder, else_=0)
