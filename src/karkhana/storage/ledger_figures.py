"""What calls did cost and how long they took, by place and day, for a page. Knows nothing of prices.

>>> # LedgerFigures(database).places("2026-11-01")
"""

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from karkhana.domain.chat import Usage
from karkhana.domain.money import Money, money
from karkhana.storage.database import Database
from karkhana.storage.tables import ledger_entries

NEWEST = 20_000
"""Calls that are looked at one by one."""
_E = ledger_entries.c


class PlaceSum(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one model at one provider."""

    provider: str
    model: str
    calls: int
    """That were made or are being made."""
    refused: int
    """That came to nothing: the provider failed, or refused them."""
    unknown: int
    """Of which nobody knows how they ended; they are charged with what was reserved."""
    unpriced: int
    cost: Money


class DaySum(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one day, UTC."""

    day: str
    calls: int
    refused: int
    cost: Money


class Call(NamedTuple):
    """One that is over and whose price is known."""

    provider: str
    model: str
    seconds: float
    cost: int
    """Trillionths of a dollar."""
    usage: Usage
    cluster: str
    """Calls of one task, else of one key on one day: they are alike."""


class LedgerFigures:
    """Of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def places(self, first_day: str) -> list[PlaceSum]:
        """Since a day (YYYY-MM-DD, UTC), the dearest first."""
        unpriced = sa.and_(_E.reserved.is_(None), _E.cost.is_(None), _MADE)
        query = sa.select(_E.provider, _E.model, *_COUNTS, _count(unpriced).label("unpriced")).where(
            _E.day >= first_day
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_E.provider, _E.model)).all()
        found = [
            PlaceSum(
                provider=row.provider,
                model=row.model,
                calls=row.calls,
                refused=row.refused,
                unknown=row.unknown,
                unpriced=row.unpriced,
                cost=money(int(row.cost)),
            )
            for row in rows
        ]
        return sorted(found, key=lambda each: (-each.cost, each.provider, each.model))

    def days(self, first_day: str) -> list[DaySum]:
        """Since a day, in their order; days without a call are left out."""
        query = sa.select(_E.day, *_COUNTS).where(_E.day >= first_day).group_by(_E.day).order_by(_E.day)
        with self._database.reading() as connection:
            return [
                DaySum(day=row.day, calls=row.calls, refused=row.refused, cost=money(int(row.cost)))
                for row in connection.execute(query)
            ]

    def calls(self, first_day: str, limit: int = NEWEST) -> list[Call]:
        """The newest since a day that were settled with a cost, the newest first."""
        settled = _E.state == "settled", _E.cost.is_not(None), _E.input.is_not(None), _E.day >= first_day
        query = sa.select(ledger_entries).where(*settled).order_by(_E.entry.desc()).limit(limit)
        with self._database.reading() as connection:
            return [
                Call(
                    provider=row.provider,
                    model=row.model,
                    seconds=max(0.0, row.settled_at - row.at),
                    cost=row.cost,
                    usage=Usage(**{name: getattr(row, name) or 0 for name in Usage.__struct_fields__}),
                    cluster=row.task_id or f"{row.key_id} {row.day}",
                )
                for row in connection.execute(query)
            ]


def _count(which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((which, 1), else_=0)), 0)


_MADE = _E.state != "released"
_COUNTS = (
    _count(_MADE).label("calls"),
    _count(_E.state == "released").label("refused"),
    _count(_E.state == "unknown").label("unknown"),
    sa.func.coalesce(sa.func.sum(_E.cost), 0).label("cost"),
)
