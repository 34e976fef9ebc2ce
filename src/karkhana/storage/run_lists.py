"""What pages show of many runs at once: lists by filter and cursor, counts, who works on what, and how far trails are.

Each query is answered from an index, so that it takes as long with a hundred thousand runs as with ten. Knows nothing
of pages, nor of what a run does.

>>> # RunLists(database).page(RunFilter(status=Status.FAILED), limit=50)
"""

import itertools
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from karkhana.domain.tasks import Status, TaskType
from karkhana.storage.database import Database
from karkhana.storage.tables import events, runs, tasks
from karkhana.storage.title_words import SHORTEST, asked, candidates, fits
from karkhana.storage.visibility import EVERYTHING, Visible, of_products

_CANDIDATES = 200
"""Tasks that are looked at together."""


_MERGED = 16
"""Products whose lists are put together to one."""


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


class Spent(NamedTuple):
    """What one answer of a model did cost."""

    seq: int
    usd: str
    """Exact dollars; empty: not known."""
    recalled: bool
    """It was given before, and cost nothing now."""


class RunLists:
    """Read-only views over the runs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: RunFilter, *, before: str = "", after: str = "", limit: int = 50) -> list[RunRow]:
        """Newest first: those older than run ``before``, or the ones right above run ``after``."""
        everywhere, named = wanted.visible
        if not everywhere and wanted.product is None and 1 <= len(named) <= _MERGED:
            # the index of each product gives the newest at once, while those of several would be sorted every time
            each = (msgspec.structs.replace(wanted, product=name, visible=EVERYTHING) for name in named)
            some = [row for one in each for row in self.page(one, before=before, after=after, limit=limit)]
            merged = sorted(some, key=lambda row: row.run_id, reverse=True)
            return merged[-limit:] if after else merged[:limit]
        query = _ROWS.where(_plain(wanted.visible)).limit(limit)
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
        held = runs.c.lease_owner.is_not(None), runs.c.finished_at.is_(None), _plain(visible)
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute(_ROWS.where(*held).order_by(runs.c.run_id).limit(limit))]

    def finished_since(self, at: float, *, visible: Visible = EVERYTHING) -> dict[str, int]:
        """Status → runs that have ended with it since ``at`` (seconds since the epoch)."""
        ended = runs.c.status.in_([status.value for status in Status if status.finished])
        since = ended, runs.c.finished_at >= at, of_products(runs.c.product, visible)
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
        """The newest runs whose identifier or task begins with ``text``, then those with its words in their titles.

        Words are found by their beginnings, see :mod:`karkhana.storage.title_words`.
        """
        newest = _ROWS.where(_plain(visible)).order_by(runs.c.run_id.desc()).limit(limit)
        found: dict[str, RunRow] = {}
        with self._database.reading() as connection:
            for column, beginning in ((runs.c.run_id, text.lower()), (runs.c.task_id, text.upper())):
                if len(beginning) >= SHORTEST:
                    like = column >= beginning, column < beginning[:-1] + chr(ord(beginning[-1]) + 1)
                    found |= {row.run_id: _row(row) for row in connection.execute(newest.where(*like))}
            titled = _titled(connection, text, limit, visible) if len(found) < limit else []
            # whose runs are few, and sorted here: a planner that is told to might walk through all runs in order
            some = [_row(row) for row in connection.execute(_ROWS.where(runs.c.task_id.in_(titled)))] if titled else []
        found |= {row.run_id: row for row in sorted(some, key=lambda row: row.run_id, reverse=True)}
        return list(found.values())[:limit]

    def heads(self, run_ids: Collection[str]) -> dict[str, Head]:
        """How far these runs are."""
        query = sa.select(runs.c.run_id, runs.c.trail_seq, runs.c.status, runs.c.finished_at)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(runs.c.run_id.in_(list(run_ids))))
            return {row.run_id: Head(row.trail_seq, Status(row.status), row.finished_at is not None) for row in rows}

    def pulse(self) -> tuple[Any, ...]:
        """Differs from the one before when a run that somebody works on, a status or the queue has changed."""
        held = sa.select(sa.func.count(), sa.func.sum(runs.c.trail_seq))
        held = held.where(runs.c.lease_owner.is_not(None))
        waits = sa.select(sa.func.count(), sa.func.max(runs.c.run_id)).select_from(runs)
        waits = waits.where(runs.c.status == Status.WAITING_FOR_REVIEW.value)
        queue = sa.select(sa.func.count(), sa.func.max(tasks.c.ordinal)).where(tasks.c.status == Status.QUEUED.value)
        ends = sa.select(sa.func.max(runs.c.finished_at)), sa.select(sa.func.max(runs.c.run_id))
        with self._database.reading() as connection:
            counts = [value for query in (held, waits, queue) for value in connection.execute(query).one()]
            return (*counts, *(connection.execute(query).scalar() for query in ends))

    def spent(self, run_ids: Collection[str], after: int = 0) -> dict[str, list[Spent]]:
        """What each answer of a model in these runs did cost, from the events after ``after`` on, in their order.

        Only what is told leaves the database.
        """
        sqlite = self._database.kind == "sqlite"

        def value(key: str) -> sa.ColumnElement[Any]:
            if sqlite:
                return sa.func.json_extract(events.c.payload, f"$.{key}")
            text: sa.ColumnElement[Any] = sa.cast(events.c.payload, sa.JSON)[key].as_string()
            return text

        query = sa.select(events.c.run_id, events.c.seq, value("cost_usd"), value("recalled")).where(
            events.c.run_id.in_(list(run_ids)), events.c.seq > after, events.c.type == "model.answered"
        )
        found: dict[str, list[Spent]] = {run_id: [] for run_id in run_ids}
        with self._database.reading() as connection:
            for run_id, seq, cost, recalled in connection.execute(query.order_by(events.c.run_id, events.c.seq)):
                found[run_id].append(Spent(seq, str(cost or ""), recalled in (1, True, "true")))
        return found


def _titled(connection: sa.Connection, text: str, limit: int, visible: Visible) -> list[str]:
    """The newest tasks that were worked on and have the words of ``text`` in their titles."""
    words = asked(text)
    found: list[str] = []
    numbers = candidates(connection, words)
    worked_on = sa.exists().where(runs.c.task_id == tasks.c.task_id)
    for start in range(0, len(numbers), _CANDIDATES):
        near = tasks.c.ordinal.in_(numbers[start : start + _CANDIDATES])
        query = sa.select(tasks.c.task_id, tasks.c.title).where(near, worked_on, _plain(visible, tasks.c.product))
        fitting = (
            row.task_id for row in connection.execute(query.order_by(tasks.c.ordinal.desc())) if fits(words, row.title)
        )
        found += itertools.islice(fitting, limit - len(found))
        if len(found) >= limit:
            break
    return found


def _plain(visible: Visible, column: sa.ColumnElement[Any] = runs.c.product) -> sa.ColumnElement[bool]:
    """The condition in a form that no index serves: another one is meant to."""
    return of_products(column + "", visible)


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
