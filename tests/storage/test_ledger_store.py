"""The ledger's rows on both databases: many at once, closed once, balances locked while they are decided on."""

import pytest

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.money import usd
from karkhana.domain.spending import Budget, Period
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.ledger_store import BalanceRow, ClosedEntry, LedgerStore, OpenEntry

DAY = "2026-11-21"


@pytest.fixture
def store(database: Database):
    made = LedgerStore(database)
    yield made
    made.close()


def opened(number: int, writer: int = 1, reserved: int | None = 100, team: str = "web") -> OpenEntry:
    return OpenEntry(number, writer, 5.0, DAY, "k", team, "", "openai", "gpt", "v1", reserved)


def closed(number: int, state: str = "settled", cost: int | None = 7) -> ClosedEntry:
    return ClosedEntry(number, state, cost, 6.0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("count", [0, 1, 3, 64, 151])
def test_any_number_of_entries_is_opened_and_closed(store: LedgerStore, database: Database, count: int) -> None:
    numbers = range(1, count + 1)
    with store.transaction() as transaction:
        transaction.open([opened(number) for number in numbers])
    with store.transaction() as transaction:
        assert transaction.close([closed(number) for number in numbers]) == set(numbers)
    found = LedgerReader(database).entries()
    assert [(entry.entry, entry.state) for entry in found] == [(number, "settled") for number in numbers]


def test_an_entry_is_closed_once_and_one_that_is_not_there_never(store: LedgerStore) -> None:
    with store.transaction() as transaction:
        transaction.open([opened(1), opened(2)])
        assert transaction.close([closed(1), closed(9)]) == {1}
        assert transaction.close([closed(1), closed(2, "unknown", 100)]) == {2}
        assert transaction.close([closed(1), closed(2)], "unknown") == {2}


def test_of_many_those_are_told_that_were_open(store: LedgerStore, database: Database) -> None:
    with store.transaction() as transaction:
        transaction.open([opened(number) for number in range(150)])
    with store.transaction() as transaction:
        transaction.close([closed(70, cost=1)])
    with store.transaction() as transaction:
        rows = [closed(number) for number in (*range(150), 3)]
        assert transaction.close(rows) == set(range(150)) - {70}
    costs = {entry.entry: entry.cost for entry in LedgerReader(database).entries()}
    assert (costs[70], costs[69], costs[3]) == (usd("0.000000000001"), *[usd("0.000000000007")] * 2)


def test_what_has_no_price_and_no_usage_keeps_none(store: LedgerStore, database: Database) -> None:
    with store.transaction() as transaction:
        transaction.open([opened(1, reserved=None), opened(2, reserved=None)])
        transaction.close([ClosedEntry(1, "settled", None, 6.0), ClosedEntry(2, "settled", None, 6.0)])
    first = LedgerReader(database).entry(1)
    assert first is not None
    assert (first.cost, first.reserved, first.usage) == (None, None, None)


def test_a_transaction_that_fails_leaves_nothing(store: LedgerStore, database: Database) -> None:
    def half() -> None:
        with store.transaction() as transaction:
            transaction.open([opened(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert LedgerReader(database).entries() == []
    with store.transaction() as transaction:
        transaction.open([opened(1)])
    assert len(LedgerReader(database).entries()) == 1


def test_balances_are_made_when_they_are_wanted(store: LedgerStore, database: Database) -> None:
    BudgetStore(database).put(Budget(scope="team:web", period=Period.DAY, hard=usd(1)))
    with store.transaction() as transaction:
        [budget] = transaction.budgets({"team:web", "team:other"})
        wanted = [(budget.budget, day) for day in ("2026-11-21", "2026-11-20")]
        made = transaction.balances(wanted)
        assert made == [BalanceRow(budget.budget, "2026-11-20", 0, 0), BalanceRow(budget.budget, "2026-11-21", 0, 0)]
        transaction.set_balances([made[1]._replace(spent=2**62, reserved=5)])
        assert transaction.balances(wanted)[1][2:] == (2**62, 5)


def test_writers_never_share_a_number(store: LedgerStore) -> None:
    with store.transaction() as transaction:
        numbers = {transaction.new_writer(1.0) for _ in range(5)}
    assert len(numbers) == 5


def test_what_a_lost_writer_left_open_is_charged_once(store: LedgerStore) -> None:
    with store.transaction() as transaction:
        lost, alive = transaction.new_writer(10.0), transaction.new_writer(10.0)
        transaction.open([opened(1, lost), opened(2, lost, None), opened(3, alive), opened(4, lost)])
        transaction.close([closed(4)])
        transaction.seen(alive, 50.0)
        charged = transaction.charge_lost(30.0, 60.0)
        assert sorted((row.entry, row.reserved, row.team) for row in charged) == [(1, 100, "web"), (2, None, "web")]
        assert transaction.charge_lost(30.0, 60.0) == []


def test_recovery_goes_in_steps(store: LedgerStore) -> None:
    with store.transaction() as transaction:
        lost = transaction.new_writer(10.0)
        transaction.open([opened(number, lost) for number in range(1, 6)])
        assert [len(transaction.charge_lost(30.0, 60.0, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.postgres
def test_a_broken_connection_is_replaced(postgres_migrated_url: str, postgres_server, tmp_path) -> None:
    with open_database(postgres_migrated_url, tmp_path / "home") as database:
        store = LedgerStore(database)
        with store.transaction() as transaction:
            transaction.open([opened(1)])
        postgres_server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
        with pytest.raises(InfrastructureFailure), store.transaction() as transaction:
            transaction.open([opened(2)])
        with store.transaction() as transaction:
            transaction.open([opened(3)])
        database.engine.dispose()
        assert [entry.entry for entry in LedgerReader(database).entries()] == [1, 3]
        store.close()
