"""How breakers stand, as each process that asks models tells it. Knows nothing of how a breaker works.

>>> # BreakerStore(database).tell("gateway on node1", [BreakerReport(...)])
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import breaker_reports

FORGOTTEN_S = 86_400.0
"""Seconds after which what a process told is deleted that tells nothing any more."""


class BreakerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker as one process sees it."""

    reporter: str
    place: str
    """``PROVIDER/MODEL#KEY``."""
    state: str
    answered: int
    """Within its window."""
    failed: int
    opens_in_s: float
    """Until a request is let through again, when it was told."""
    at: float = 0.0
    """Seconds since the epoch, when it was told; set by the store."""


class BreakerStore:
    """All reports of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def tell(self, reporter: str, reports: Sequence[BreakerReport]) -> None:
        """In place of all that ``reporter`` told before."""
        now = self._clock().timestamp()
        old = sa.or_(breaker_reports.c.reporter == reporter, breaker_reports.c.at < now - FORGOTTEN_S)
        rows = [msgspec.structs.asdict(msgspec.structs.replace(each, reporter=reporter, at=now)) for each in reports]
        with self._database.writing() as connection:
            connection.execute(sa.delete(breaker_reports).where(old))
            if rows:
                connection.execute(sa.insert(breaker_reports), rows)

    def told(self, within_s: float) -> list[BreakerReport]:
        """What was told lately, by place and reporter."""
        since = self._clock().timestamp() - within_s
        query = sa.select(breaker_reports).where(breaker_reports.c.at >= since)
        order = breaker_reports.c.place, breaker_reports.c.reporter
        with self._database.reading() as connection:
            return [BreakerReport(**row._mapping) for row in connection.execute(query.order_by(*order))]
