"""Removes what is large and old from trails: blobs that only runs refer to that ended long ago.

An event holds the SHA-256 of its large values and of file contents, not these themselves, so every chain verifies as
before; the blob's row stays, without its data and with the time. What was kept within a day stays, whoever needs it:
the event that names it may be still to come. Knows nothing of how long things are to be kept.

>>> # Retention(database).prune(before=time.time() - 365 * 86400)
"""

from collections.abc import Iterable, Iterator

import msgspec
import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import blobs, events, runs
from karkhana.storage.verification import references

FRESH_S = 86_400.0
"""Seconds after which content that was kept has long been named by an event: a process remembers for six hours what it
has kept, and that is noted within an hour (:data:`karkhana.storage.appender.TOUCHED_S`); the rest is for clocks."""
_PAGE = 200


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be."""

    runs: int
    """Whose trails were looked through."""
    blobs: int
    bytes: int
    """As they were stored, compressed."""


class Retention:
    """Of one database. What several processes prune at once is pruned once."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def prune(self, before: float, *, dry_run: bool = False) -> Pruned:
        """Remove the blobs of runs that ended before a time (seconds since the epoch), but what younger ones need."""
        with self._database.reading() as connection:
            late = sa.and_(runs.c.finished_at < before, runs.c.pruned_at.is_(None))
            old = list(connection.execute(sa.select(runs.c.run_id).where(late)).scalars())
            names = {name for page in _paged(old) for name in _named(connection, runs.c.run_id.in_(page))}
            if names:
                younger = sa.or_(runs.c.finished_at.is_(None), runs.c.finished_at >= before)
                for name in _named(connection, sa.and_(runs.c.pruned_at.is_(None), younger)):
                    names.discard(name)
        count, size = 0, 0
        for page in _paged(sorted(names)):
            found = self._remove(page, dry_run)
            count, size = count + len(found), size + sum(found)
        if not dry_run:
            for page in _paged(old):
                with self._database.writing() as connection:
                    connection.execute(sa.update(runs).where(runs.c.run_id.in_(page)).values(pruned_at=self._now()))
        return Pruned(runs=len(old), blobs=count, bytes=size)

    def _remove(self, names: list[str], dry_run: bool) -> list[int]:
        """The sizes of what is there of these."""
        now = self._now()
        lain = sa.or_(blobs.c.kept_at.is_(None), blobs.c.kept_at < now - FRESH_S)
        there = sa.and_(blobs.c.sha256.in_(names), blobs.c.pruned_at.is_(None), lain)
        query = sa.select(sa.func.length(blobs.c.data)).where(there)
        if dry_run:
            with self._database.reading() as connection:
                return list(connection.execute(query).scalars())
        with self._database.writing() as connection:
            sizes = list(connection.execute(query.with_for_update()).scalars())
            connection.execute(sa.update(blobs).where(there).values(data=b"", pruned_at=now))
        return sizes

    def _now(self) -> float:
        return self._clock().timestamp()


def _named(connection: sa.Connection, whose: sa.ColumnElement[bool]) -> Iterator[str]:
    """The blobs that events of some runs refer to."""
    large = sa.or_(events.c.payload.like('%"$blob"%'), events.c.payload.like('%"changed":[{%'))
    query = sa.select(events.c.payload).join(runs, runs.c.run_id == events.c.run_id).where(whose, large)
    for payload in connection.execution_options(yield_per=_PAGE).execute(query).scalars():
        yield from references(payload)


def _paged(names: Iterable[str]) -> Iterator[list[str]]:
    every = list(names)
    for start in range(0, len(every), _PAGE):
        yield every[start : start + _PAGE]
