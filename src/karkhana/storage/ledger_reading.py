"""What the ledger says: entries, and sums of them. Knows nothing of how they come about."""

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from karkhana.domain.chat import Usage
from karkhana.domain.money import ZERO, Money, money
from karkhana.domain.spending import Account
from karkhana.storage.database import Database
from karkhana.storage.tables import ledger_entries

Grouping = Literal["key_id", "team", "task_id", "provider", "model", "day", "prices"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    entry: int
    at: float
    day: str
    account: Account
    provider: str
    model: str
    prices: str
    """Version of the prices that it was charged at."""
    state: str
    """``open``; ``settled``; ``released``: it was not made; ``unknown``: charged with what was reserved."""
    reserved: Money | None
    """``None``: the price was not known."""
    cost: Money | None
    """``None`` while it is open, and if the price was not known."""
    usage: Usage | None
    attempt: str = ""
    """What the provider was told as the name of the request (``x-client-request-id``)."""

    @property
    def overrun(self) -> Money:
        """By how much it did cost more than was reserved."""
        if self.cost is None or self.reserved is None:
            return ZERO
        return Money(max(ZERO, self.cost - self.reserved))


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that have something in common."""

    name: str
    calls: int
    """Made or being made."""
    cost: Money
    """Of those that are over and whose price is known."""
    reserved: Money
    """For those that are not over."""
    unpriced: int
    """Calls whose price is not known."""
    unknown: int
    """Calls charged with what was reserved for them."""


class LedgerReader:
    """Reads; never waits for those who write, and never keeps them waiting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entry(self, number: int) -> Entry | None:
        with self._database.reading() as connection:
            query = sa.select(ledger_entries).where(ledger_entries.c.entry == number)
            row = connection.execute(query).first()
        return None if row is None else _entry(row)

    def entries(self, *, state: str | None = None, after: int = 0, limit: int = 1000) -> list[Entry]:
        """In the order of their numbers, those above ``after``."""
        query = sa.select(ledger_entries).where(ledger_entries.c.entry > after)
        if state is not None:
            query = query.where(ledger_entries.c.state == state)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(ledger_entries.c.entry).limit(limit))]

    def sums(self, by: Grouping, *, first_day: str = "", last_day: str = "9999-12-31") -> list[Sum]:
        """Sums of the entries from the first to the last day (UTC), by one of their columns."""
        entry, is_open = ledger_entries.c, ledger_entries.c.state == "open"
        counts = {
            "calls": entry.state != "released",
            "unpriced": sa.and_(entry.reserved.is_(None), entry.cost.is_(None), entry.state != "released"),
            "unknown": entry.state == "unknown",
        }
        query = (
            sa.select(
                entry[by].label("name"),
                *(sa.func.sum(sa.case((which, 1), else_=0)).label(name) for name, which in counts.items()),
                sa.func.coalesce(sa.func.sum(entry.cost), 0).label("cost"),
                sa.func.coalesce(sa.func.sum(sa.case((is_open, entry.reserved), else_=0)), 0).label("reserved"),
            )
            .where(entry.day.between(first_day, last_day))
            .group_by(entry[by])
            .order_by(entry[by])
        )
        with self._database.reading() as connection:
            return [
                Sum(
                    name=row.name,
                    calls=row.calls,
                    cost=money(int(row.cost)),
                    reserved=money(int(row.reserved)),
                    unpriced=row.unpriced,
                    unknown=row.unknown,
                )
                for row in connection.execute(query)
            ]


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        entry=row.entry,
        at=row.at,
        day=row.day,
        account=Account(row.key_id, row.team, row.task_id),
        provider=row.provider,
        model=row.model,
        prices=row.prices,
        state=row.state,
        reserved=None if row.reserved is None else money(row.reserved),
        cost=None if row.cost is None else money(row.cost),
        usage=None if row.input is None else _usage(row),
        attempt=row.attempt,
    )


def _usage(row: sa.Row[Any]) -> Usage:
    return Usage(
        input=row.input,
        cache_read=row.cache_read,
        cache_write=row.cache_write,
        cache_write_long=row.cache_write_long,
        output=row.output,
        reasoning=row.reasoning,
    )
