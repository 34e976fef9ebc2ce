"""What nobody could count is corrected by its provider's own account, once, and balances follow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain.chat import Usage
from karkhana.domain.errors import InvalidInput
from karkhana.domain.money import Money, money, picos, usd
from karkhana.domain.spending import Account, Budget, Period
from karkhana.routing.ledger_keeping import Closing, LedgerKeeper, Reservation
from karkhana.routing.reconciling import Record, in_doubt, read_record, read_records, reconcile
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore

DAY = "2026-11-21"
ACCOUNT = Account("k", "web")
EACH = usd(2)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(None, tmp_path) as opened:
        BudgetStore(opened).put(Budget(scope="key:k", period=Period.TOTAL, hard=usd(100)))
        yield opened


def written_down(database: Database, *states: str, each: Money = EACH) -> None:
    """Entries 1, 2, … with these states, for each of which two dollars were reserved."""
    keeper = LedgerKeeper(LedgerStore(database), lambda: 1.0)
    keeper.start()
    made = [
        Reservation(
            entry=number,
            account=ACCOUNT,
            provider="p",
            model="m",
            prices="v",
            amount=picos(each),
            at=1.0,
            day=DAY,
            attempt=f"run-{number}-1",
        )
        for number, _ in enumerate(states, 1)
    ]
    assert keeper.keep(made, []) == [None] * len(made)
    over = [
        Closing(each_made, ClosedEntry(each_made.entry, state, picos(each), 1.0))
        for each_made, state in zip(made, states, strict=True)
        if state != "open"
    ]
    keeper.keep([], over)


def used(database: Database) -> Money:
    (standing,) = BudgetStore(database).standings(["key:k"], DAY)
    return standing.used


def test_entries_in_doubt_are_charged_with_what_their_provider_says(database: Database) -> None:
    written_down(database, "unknown", "unknown", "unknown", "settled", "open")
    told = [
        Record(attempt="run-1-1", cost_usd="0.25", usage=Usage(input=7, output=3)),
        Record(attempt="run-2-1", cost_usd="0"),
        Record(attempt="run-4-1", cost_usd="1"),
        Record(attempt="run-5-1", cost_usd="1"),
        Record(attempt="nobody's", cost_usd="9"),
    ]
    assert used(database) == usd(10)
    done = reconcile(database, told)
    assert (done.corrected, done.freed, done.passed_over, done.in_doubt) == (2, usd("3.75"), 3, 1)
    entries = LedgerReader(database).entries()
    assert [entry.state for entry in entries] == ["settled", "released", "unknown", "settled", "open"]
    assert [entry.cost for entry in entries] == [usd("0.25"), usd(0), usd(2), usd(2), None]
    assert entries[0].usage == Usage(input=7, output=3)
    assert used(database) == usd("6.25")
    assert [entry.attempt for entry in in_doubt(database)] == ["run-3-1"]


def test_doing_it_twice_changes_nothing_more(database: Database) -> None:
    written_down(database, "unknown")
    told = [Record(attempt="run-1-1", cost_usd="0.5"), Record(attempt="run-1-1", cost_usd="0.7")]
    assert reconcile(database, told).corrected == 1
    assert reconcile(database, told).corrected == 0
    assert used(database) == usd("0.5")


def test_many_are_corrected_in_several_transactions(database: Database) -> None:
    written_down(database, *["unknown"] * 1201, each=money(1000))
    done = reconcile(database, (Record(attempt=f"run-{n}-1", cost_usd="0.000000000001") for n in range(1, 1202)))
    assert (done.corrected, done.in_doubt) == (1201, 0)
    assert used(database) == money(1201)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        '{"attempt": "a"}',
        '{"attempt": "a", "cost_usd": "-1"}',
        '{"attempt": "a", "cost_usd": "NaN"}',
        '{"attempt": "a", "cost_usd": "10001"}',
        '{"attempt": "a", "cost_usd": 0.1}',
        '{"attempt": "a", "cost_usd": "1", "usage": {"input": -1}}',
        '{"attempt": "a", "cost_usd": "1", "price": "1"}',
    ],
)
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="no record"):
        read_record(line)


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "told.ndjson"
    file.write_text('{"attempt": "a", "cost_usd": "1"}\n\n{"attempt": "b"}\n')
    with pytest.raises(InvalidInput, match="line 3"):
        list(read_records(file))
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_records(tmp_path / "nothing"))
