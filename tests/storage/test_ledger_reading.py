"""Entries and their sums, as reports want them."""

import pytest

from karkhana.domain.chat import Usage
from karkhana.domain.money import ZERO, money
from karkhana.domain.spending import Account
from karkhana.storage.database import Database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore, OpenEntry


@pytest.fixture
def reader(database: Database) -> LedgerReader:
    ledger = LedgerStore(database)
    with ledger.transaction() as transaction:
        transaction.open(
            [
                OpenEntry(1, 1, 5.0, "2026-11-20", "k1", "web", "", "openai", "gpt", "v1", 100),
                OpenEntry(2, 1, 6.0, "2026-11-21", "k1", "web", "t", "openai", "gpt", "v1", 100),
                OpenEntry(3, 1, 7.0, "2026-11-21", "k2", "web", "", "house", "llama", "", None),
                OpenEntry(4, 1, 8.0, "2026-11-21", "k2", "", "", "openai", "gpt", "v1", 100),
                OpenEntry(5, 1, 9.0, "2026-11-22", "k2", "", "", "openai", "gpt", "v1", 30),
            ]
        )
        transaction.close(
            [
                ClosedEntry(1, "settled", 130, 6.5, 10, 20, 30, 40, 50, 60),
                ClosedEntry(2, "unknown", 100, 6.5),
                ClosedEntry(3, "settled", None, 8.5, 1, 0, 0, 0, 1, 0),
                ClosedEntry(4, "released", 0, 8.5),
            ]
        )
    ledger.close()
    return LedgerReader(database)


def test_an_entry_has_all_that_was_written(reader: LedgerReader) -> None:
    first, fifth = reader.entry(1), reader.entry(5)
    assert first is not None
    assert fifth is not None
    assert (first.account, first.provider, first.model) == (Account("k1", "web"), "openai", "gpt")
    assert (first.cost, first.reserved, first.overrun) == (money(130), money(100), money(30))
    assert first.usage == Usage(input=10, cache_read=20, cache_write=30, cache_write_long=40, output=50, reasoning=60)
    assert (fifth.state, fifth.cost, fifth.usage, fifth.overrun) == ("open", None, None, ZERO)
    assert reader.entry(6) is None


def test_entries_are_read_page_by_page_and_by_state(reader: LedgerReader) -> None:
    assert [entry.entry for entry in reader.entries(limit=2)] == [1, 2]
    assert [entry.entry for entry in reader.entries(after=2, limit=2)] == [3, 4]
    assert [entry.entry for entry in reader.entries(state="unknown")] == [2]


def test_sums_tell_what_is_known_and_what_is_not(reader: LedgerReader) -> None:
    by_key = {found.name: found for found in reader.sums("key_id")}
    one, two = by_key["k1"], by_key["k2"]
    assert (one.calls, one.cost, one.unknown, one.unpriced, one.reserved) == (2, money(230), 1, 0, ZERO)
    assert (two.calls, two.cost, two.unknown, two.unpriced, two.reserved) == (2, ZERO, 0, 1, money(30))
    assert [found.name for found in reader.sums("day")] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert [found.cost for found in reader.sums("team", first_day="2026-11-21", last_day="2026-11-21")] == [
        ZERO,
        money(100),
    ]
