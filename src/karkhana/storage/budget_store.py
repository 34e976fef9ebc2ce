"""Budgets as they are set, and how they stand. Knows nothing of what happens when one is reached.

A budget counts everything since its period began, also what was spent before it was set.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from karkhana.domain.money import ZERO, Money, money, picos
from karkhana.domain.spending import DIGITS, Budget, Period, Standing, start_of
from karkhana.storage.database import Database
from karkhana.storage.tables import budget_balances, budgets, ledger_entries

_COLUMNS = {"key": ledger_entries.c.key_id, "team": ledger_entries.c.team, "task": ledger_entries.c.task_id}


class BudgetStore:
    """All budgets of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, budget: Budget, connection: sa.Connection | None = None) -> None:
        """Set the limits of a scope in a period, in place of the former ones. Holds from the next call on."""
        limits = {"soft": _picos(budget.soft), "hard": _picos(budget.hard)}
        with self._database.joining(connection) as joined:
            _alone(joined)
            if not joined.execute(sa.update(budgets).where(_is(budget.scope, budget.period)).values(limits)).rowcount:
                values = {"scope": budget.scope, "period": budget.period.value, **limits}
                added = joined.execute(sa.insert(budgets).values(values).returning(budgets.c.budget))
                _count_entries(joined, added.scalar_one(), budget)

    def remove(self, scope: str, period: Period, connection: sa.Connection | None = None) -> bool:
        """Whether there was such a budget."""
        with self._database.joining(connection) as joined:
            _alone(joined)
            found = joined.execute(sa.select(budgets.c.budget).where(_is(scope, period))).scalar()
            if found is None:
                return False
            joined.execute(sa.delete(budget_balances).where(budget_balances.c.budget == found))
            joined.execute(sa.delete(budgets).where(budgets.c.budget == found))
            return True

    def all(self) -> list[Budget]:
        with self._database.reading() as connection:
            query = sa.select(budgets).order_by(budgets.c.scope, budgets.c.period)
            return [_budget(row) for row in connection.execute(query)]

    def standings(self, scopes: Iterable[str], day: str) -> list[Standing]:
        """How the budgets of ``scopes`` stand in the periods that ``day`` (YYYY-MM-DD, UTC) is in."""
        with self._database.reading() as connection:
            return self.standings_within(connection, scopes, day)

    def standings_within(self, connection: sa.Connection, scopes: Iterable[str], day: str) -> list[Standing]:
        """As :meth:`standings`, inside of somebody else's transaction."""
        found = []
        query = sa.select(budgets).where(budgets.c.scope.in_(list(scopes)))
        for row in list(connection.execute(query.order_by(budgets.c.scope, budgets.c.period))):
            start = start_of(row.period, day)
            place = sa.and_(budget_balances.c.budget == row.budget, budget_balances.c.start == start)
            balance = connection.execute(sa.select(budget_balances).where(place)).first()
            spent, reserved = (ZERO, ZERO) if balance is None else (money(balance.spent), money(balance.reserved))
            found.append(Standing(budget=_budget(row), start=start, spent=spent, reserved=reserved))
        return found


def _alone(connection: sa.Connection) -> None:
    # calls that are being written down right now must either be seen here, or see what is done here
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE ledger_entries IN SHARE MODE"))


def _count_entries(connection: sa.Connection, number: int, budget: Budget) -> None:
    kind, _, name = budget.scope.partition(":")
    start = sa.func.substr(ledger_entries.c.day, 1, DIGITS[budget.period])
    is_open = ledger_entries.c.state == "open"
    # sums of whole numbers are decimals on PostgreSQL
    whole = [
        sa.cast(sa.func.coalesce(sa.func.sum(amount), 0), sa.BigInteger)
        for amount in (
            sa.case((is_open, 0), else_=sa.func.coalesce(ledger_entries.c.cost, 0)),
            sa.case((is_open, sa.func.coalesce(ledger_entries.c.reserved, 0)), else_=0),
        )
    ]
    sums = sa.select(sa.literal(number), start, *whole).where(_COLUMNS[kind] == name).group_by(start)
    columns = ["budget", "start", "spent", "reserved"]
    connection.execute(sa.insert(budget_balances).from_select(columns, sums))


def _is(scope: str, period: Period) -> sa.ColumnElement[bool]:
    return sa.and_(budgets.c.scope == scope, budgets.c.period == period.value)


def _budget(row: sa.Row[Any]) -> Budget:
    return Budget(scope=row.scope, period=Period(row.period), soft=_money(row.soft), hard=_money(row.hard))


def _picos(amount: Money | None) -> int | None:
    return None if amount is None else picos(amount)


def _money(amount: int | None) -> Money | None:
    return None if amount is None else money(amount)
