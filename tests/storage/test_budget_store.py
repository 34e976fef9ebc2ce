"""Budgets count everything of their period, whenever they were set."""

import pytest

from karkhana.domain.money import money, usd
from karkhana.domain.spending import Budget, Period
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore, OpenEntry


@pytest.fixture
def store(database: Database) -> BudgetStore:
    return BudgetStore(database)


@pytest.fixture
def spent(database: Database) -> None:
    """Three days of calls of a team, some of them open, released or without a price."""
    ledger = LedgerStore(database)
    rows = [
        (1, "2026-10-31", 100, "settled", 70),
        (2, "2026-11-01", 100, "settled", 130),
        (3, "2026-11-02", 100, "released", 0),
        (4, "2026-11-02", 100, "unknown", 100),
        (5, "2026-11-02", 1000, None, None),
        (6, "2026-11-02", None, None, None),
        (7, "2026-11-02", None, "settled", None),
    ]
    with ledger.transaction() as transaction:
        transaction.open([OpenEntry(n, 1, 5.0, day, "k", "web", "t", "p", "m", "v", a) for n, day, a, _, _ in rows])
        transaction.open([OpenEntry(99, 1, 5.0, "2026-11-02", "k", "other", "", "p", "m", "v", 5)])
        transaction.close([ClosedEntry(n, state, cost, 6.0) for n, _, _, state, cost in rows if state])
    ledger.close()


@pytest.mark.parametrize(
    ("period", "day", "expected"),
    [
        (Period.TOTAL, "2026-11-02", (300, 1000)),
        (Period.MONTH, "2026-10-05", (70, 0)),
        (Period.MONTH, "2026-11-30", (230, 1000)),
        (Period.DAY, "2026-11-02", (100, 1000)),
        (Period.DAY, "2026-11-03", (0, 0)),
    ],
)
@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize("scope", ["team:web", "task:t"])
def test_a_new_budget_counts_what_was_spent_before(store: BudgetStore, scope, period, day: str, expected) -> None:
    store.put(Budget(scope=scope, period=period, hard=usd(1)))
    [standing] = store.standings([scope, "team:nobody"], day)
    assert (standing.spent, standing.reserved) == tuple(map(money, expected))
    assert standing.budget.hard == usd(1)


def test_limits_are_replaced_and_the_balance_stays(store: BudgetStore, database: Database) -> None:
    store.put(Budget(scope="key:k", period=Period.TOTAL, soft=usd(1), hard=usd(2)))
    ledger = LedgerStore(database)
    with ledger.transaction() as transaction:
        [row] = transaction.budgets(["key:k"])
        [balance] = transaction.balances([(row.budget, "")])
        transaction.set_balances([balance._replace(spent=42)])
    ledger.close()
    raised = Budget(scope="key:k", period=Period.TOTAL, hard=usd(5))
    store.put(raised)
    assert store.all() == [raised]
    assert store.standings(["key:k"], "2026-11-21")[0].spent == money(42)


def test_a_removed_budget_is_gone_and_begins_anew(store: BudgetStore) -> None:
    budget = Budget(scope="key:k", period=Period.DAY, hard=usd(2))
    store.put(budget)
    assert not store.remove("key:k", Period.MONTH)
    assert store.remove("key:k", Period.DAY)
    assert not store.remove("key:k", Period.DAY)
    assert store.all() == []
    store.put(budget)
    assert store.all() == [budget]
