"""Choices of models and their outcomes. Knows nothing of how a choice is made, nor of what an outcome teaches."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.routes import Report, RouteChoice, RouteOutcome
from karkhana.storage.database import Database
from karkhana.storage.tables import route_choices, route_outcomes

NEWEST = 50_000
"""Outcomes that are looked at when everything is learnt anew; older ones count next to nothing."""
_OVERLAP = 200
"""Rows that are read once more: on PostgreSQL a row with a lower number may become visible after one with a higher."""


class RouteStore:
    """All choices and outcomes of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, choices: Sequence[RouteChoice]) -> None:
        """Write choices down, each call once."""
        if not choices:
            return
        with self._database.writing() as connection:
            connection.execute(sa.insert(route_choices), [msgspec.structs.asdict(choice) for choice in choices])

    def report(self, call: str, key_id: str, passed: bool, at: float) -> Report:
        """A client's word on a call of its own that was answered; the first one counts."""
        with self._database.writing() as connection:
            found = connection.execute(sa.select(route_choices).where(route_choices.c.call == call)).first()
            if found is None or found.key_id != key_id or not found.answered:
                return Report.UNKNOWN
            values = _values(found, passed, at)
            taken = sa.select(route_outcomes.c.outcome).where(route_outcomes.c.reference == call)
            if connection.execute(taken).first() is not None:
                return Report.TWICE
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(route_outcomes).values(values))
            except sa.exc.IntegrityError:
                # another process was told at the same time
                return Report.TWICE
        return Report.RECORDED

    def record(self, outcome: RouteOutcome) -> None:
        """An outcome that is no client's word, in place of an earlier one: more may be known later."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(route_outcomes).where(route_outcomes.c.reference == outcome.reference))
            connection.execute(sa.insert(route_outcomes).values(msgspec.structs.asdict(outcome)))

    def outcomes(self, after: int = 0, *, pool: str | None = None) -> list[tuple[int, RouteOutcome]]:
        """With their numbers, the oldest first: the newest ones if ``after`` is 0, else those that are about as new as
        that number or newer, of which some may have been seen before; with ``pool`` only those of one pool.
        """
        query = sa.select(route_outcomes)
        if after:
            query = query.where(route_outcomes.c.outcome > after - _OVERLAP)
        if pool is not None:
            query = query.where(route_outcomes.c.pool == pool)
        query = query.order_by(route_outcomes.c.outcome.desc()).limit(NEWEST)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [(row.outcome, _outcome(row)) for row in reversed(rows)]

    def choice(self, call: str) -> RouteChoice | None:
        """``None`` if there is none of this name."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(route_choices).where(route_choices.c.call == call)).first()
        return None if row is None else RouteChoice(**row._mapping)

    def outcome(self, reference: str) -> RouteOutcome | None:
        """``None`` if nobody told yet."""
        query = sa.select(route_outcomes).where(route_outcomes.c.reference == reference)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _outcome(row)

    def habits(self, newest: int = 5_000) -> list[tuple[str, float, int | None]]:
        """Rung, seconds and tokens of the latest answers that came whole, the oldest first."""
        columns = route_choices.c.answered, route_choices.c.seconds, route_choices.c.output
        whole = sa.and_(route_choices.c.answered != "", route_choices.c.seconds.is_not(None))
        query = sa.select(*columns).where(whole).order_by(route_choices.c.at.desc()).limit(newest)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [(row.answered, row.seconds, row.output) for row in reversed(rows)]

    def forget(self, before: float) -> int:
        """Delete choices that are older than a time; their outcomes stay. Returns how many there were."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(route_choices).where(route_choices.c.at < before)).rowcount


def _values(choice: sa.Row[Any], passed: bool, at: float) -> dict[str, object]:
    return {
        "reference": choice.call,
        "at": at,
        "pool": choice.pool,
        "task_type": choice.task_type,
        "rung": choice.answered,
        "passed": passed,
    }


def _outcome(row: sa.Row[Any]) -> RouteOutcome:
    return RouteOutcome(**{name: getattr(row, name) for name in RouteOutcome.__struct_fields__})
