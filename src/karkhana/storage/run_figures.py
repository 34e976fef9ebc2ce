"""Sums over the runs that have ended: by score and by what was decided, by week and type. One look at the index each.

Knows nothing of charts, nor of what a figure means.

>>> # RunFigures(database).scores(since=0.0, edges=[0.0, 0.5, 1.0])
"""

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
    way: str
    runs: int


class RunFigures:
    """Of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def scores(self, since: float, edges: Sequence[float], *, visible: Visible = EVERYTHING) -> list[Scored]:
        """Runs that ended with a score since ``since`` (seconds since the epoch), by ``edges`` (ascending)."""
        query = self._since(since, visible).where(runs.c.score.is_not(None))
        columns = _bucket(runs.c.score, edges).label("bucket"), _WAY.label("way"), sa.func.count().label("runs")
        query = query.with_only_columns(*columns).group_by("bucket", "way")
        with self._database.reading() as connection:
            return [Scored(bucket=row.bucket, way=row.way, runs=row.runs) for row in connection.execute(query)]

    def periods(self, edges: Sequence[float], *, visible: Visible = EVERYTHING) -> list[Ended]:
        """Runs that ended since the first of ``edges`` (ascending, seconds since the epoch), by these."""
        columns = (
            _bucket(runs.c.finished_at, edges).label("period"),
            runs.c.type,
            runs.c.status,
            _WAY.label("way"),
            sa.func.count().label("runs"),
        )
        query = self._since(edges[0], visible).with_only_columns(*columns)
        with self._database.reading() as connection:
            return [
                Ended(period=row.period, type=row.type, status=Status(row.status), way=row.way, runs=row.runs)
                for row in connection.execute(query.group_by("period", runs.c.type, runs.c.status, "way"))
            ]

    def newest_failed(self, limit: int, *, visible: Visible = EVERYTHING) -> list[str]:
        """Runs that failed or were rejected, the newest first."""
        failed = runs.c.status.in_((Status.FAILED.value, Status.REJECTED.value))
        query = sa.select(runs.c.run_id).where(failed, of_products(runs.c.product, visible))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(runs.c.run_id.desc()).limit(limit)).scalars())

    @staticmethod
    def _since(since: float, visible: Visible) -> sa.Select[Any]:
        joined = sa.select(runs.c.run_id).join(tasks, tasks.c.task_id == runs.c.task_id)
        return joined.where(runs.c.finished_at >= since, of_products(runs.c.product, visible))


_DELIVERED = runs.c.status.in_((Status.DELIVERED.value, Status.DEPLOYED.value, Status.CANARY.value))
_WAY = sa.case(
    (sa.and_(_DELIVERED, tasks.c.human_review.is_(True)), APPROVED),
    (_DELIVERED, ALONE),
    (runs.c.status == Status.REJECTED.value, REFUSED),
    else_=OTHER,
)


def _bucket(column: sa.ColumnElement[Any], edges: Sequence[float]) -> sa.ColumnElement[Any]:
    """The number of the last edge that a value is not below; both databases round differently, so they compare."""
    ladder = [(column >= edge, number) for number, edge in reversed(list(enumerate(edges)))]
    return sa.case(*ladder, else_=0)
