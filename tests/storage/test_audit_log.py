"""Every entry is kept as it was written, and what was done to one of them shows."""

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_support import StoppedClock

from karkhana.domain.access import Principal, Role, single_user
from karkhana.storage.audit import LONGEST_DETAIL, Audit, AuditFilter
from karkhana.storage.database import Database, open_database
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import audit_entries, audit_head

ASHA = single_user("asha")
ROBOT = Principal(name="nightly", roles={"shop": Role.OPERATOR}, via="token", token_id="t1")


@pytest.fixture
def audit(database: Database, clock: StoppedClock) -> Audit:
    return Audit(database, Redactor({"SHOP_TOKEN": "tok-correct-horse"}), clock)


def filled(audit: Audit, clock: StoppedClock) -> None:
    audit.record(ASHA, action="run.cancel", target="R1", product="shop", details={"why": "slow_er"})
    clock.move(1)
    audit.record(ROBOT, action="run.verify", target="R1", product="shop")
    clock.move(1)
    audit.record(ASHA, action="token.create", target="t1", details={"roles": {"shop": "operator"}})
    clock.move(1)
    audit.record(ROBOT, action="run.approve", target="R2", product="bank", outcome="refused")


def test_what_was_recorded_is_read_as_it_was(audit, clock):
    filled(audit, clock)
    newest, *_, first = audit.entries()
    assert (first.seq, first.actor, first.via, first.action, first.target) == (1, "asha", "link", "run.cancel", "R1")
    assert (first.at, first.outcome, first.details) == ("2026-05-12T08:30:00.123456Z", "done", {"why": "slow_er"})
    assert (newest.token_id, newest.product, newest.outcome) == ("t1", "bank", "refused")
    assert newest.previous_hash == audit.entries(before=4, limit=1)[0].hash
    assert audit.head() == (4, newest.hash)
    assert audit.verify() is None


FOUND = (
    ({"actor": "nightly"}, [4, 2]),
    ({"action": "run.*"}, [4, 2, 1]),
    ({"action": "run.verify"}, [2]),
    ({"target": "R1"}, [2, 1]),
    ({"product": "bank"}, [4]),
    ({"outcome": "refused"}, [4]),
    ({"words": "slow_"}, [1]),
    ({"words": "OPERATOR"}, [3]),
    ({"words": "slow%r"}, []),
    ({"since": "2026-05-12T08:30:02", "until": "2026-05-12T08:30:03.123456Z"}, [3]),
    ({"visible": (False, frozenset({"shop"}))}, [2, 1]),
    ({"visible": (False, frozenset())}, []),
    ({"visible": (True, frozenset({"shop"}))}, [4, 3]),
)


def test_entries_are_found(audit, clock):
    filled(audit, clock)
    for chosen, expected in FOUND:
        asked = AuditFilter(**chosen)
        assert [entry.seq for entry in audit.entries(asked)] == expected, chosen
        assert [entry.seq for entry in audit.exported(asked)] == expected[::-1], chosen


def test_entries_come_in_pages(audit, clock):
    filled(audit, clock)
    assert [entry.seq for entry in audit.entries(limit=2)] == [4, 3]
    assert [entry.seq for entry in audit.entries(before=3, limit=2)] == [2, 1]
    assert [entry.seq for entry in audit.entries(after=3)] == [4]


def test_secrets_and_odd_bytes_do_not_get_in(audit):
    details = {"tok-correct-horse": ["x tok-correct-horse"], "odd": "a\udc80b\x00", "n": 2**80, "long": "y" * 99_999}
    audit.record(ASHA, action="secret.set", target="tok-correct-horse\x00\udcff", details=details)
    (entry,) = audit.entries()
    assert "correct-horse" not in str(entry)
    assert entry.details["odd"] == "a\\udc80b\\x00"
    assert entry.details["n"] == str(2**80)
    assert len(entry.details["long"]) == LONGEST_DETAIL
    assert audit.verify() is None


def test_an_entry_of_a_transaction_that_fails_is_not_there(audit, database):
    def fail() -> None:
        with database.writing() as connection:
            audit.record_within(connection, ASHA, action="run.cancel")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert audit.head()[0] == 0
    assert audit.record(ASHA, action="run.cancel") == 1


HARM = (
    ("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 2", (2, "altered")),
    ("UPDATE audit_entries SET details = '{}' WHERE seq = 1", (1, "altered")),
    ("UPDATE audit_entries SET previous_hash = hash WHERE seq = 3", (3, "altered")),
    ("DELETE FROM audit_entries WHERE seq = 2", (2, "removed")),
    ("DELETE FROM audit_entries WHERE seq = 1", (1, "removed")),
    ("DELETE FROM audit_entries WHERE seq > 2", (3, "truncated")),
    ("DELETE FROM audit_entries", (1, "truncated")),
    ("UPDATE audit_head SET hash = 'x'", (4, "head")),
    ("UPDATE audit_head SET seq = 3", (4, "inserted")),
    ("DELETE FROM audit_head", (0, "head")),
)


def test_what_was_done_to_the_chain_shows(audit, clock, database):
    filled(audit, clock)
    tables = (audit_entries, audit_head)
    with database.reading() as connection:
        kept = [[dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables]
    for change, expected in HARM:
        with database.writing() as connection:
            connection.execute(sa.text(change))
        problem = audit.verify()
        assert problem is not None, change
        assert (problem.seq, problem.kind.value) == expected, change
        with database.writing() as connection:
            for table, rows in zip(tables, kept, strict=True):
                connection.execute(sa.delete(table))
                connection.execute(sa.insert(table), rows)
        assert audit.verify() is None


def test_an_entry_that_was_moved_or_made_anew_shows(audit, clock, database):
    filled(audit, clock)
    with database.writing() as connection:
        connection.execute(sa.text("DELETE FROM audit_entries WHERE seq = 4"))
        connection.execute(
            sa.text("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_entries WHERE seq = 3)")
        )
    noted = audit.head()
    audit.record(ASHA, action="run.cancel", target="R9")
    assert audit.verify() is None, (
        "whoever owns the database can write the chain anew: its head must be noted elsewhere"
    )
    assert audit.head()[0] == noted[0] + 1


def test_a_byte_that_is_no_text_shows(tmp_path):
    with open_database(None, tmp_path) as database:
        audit = Audit(database, Redactor({}))
        audit.record(ASHA, action="run.cancel")
    with sqlite3.connect(tmp_path / "karkhana.sqlite3") as connection:
        connection.execute("UPDATE audit_entries SET target = CAST(x'ff' AS TEXT)")
    connection.close()
    with open_database(None, tmp_path) as database:
        problem = Audit(database, Redactor({})).verify()
    assert problem is not None
    assert problem.seq == 1


def test_writers_at_once_make_one_chain(database_url: str, tmp_path: Path, database):
    def write(number: int) -> None:
        with open_database(database_url, tmp_path / "home") as opened:
            mine = Audit(opened, Redactor({}))
            for _ in range(5):
                mine.record(ASHA, action="run.cancel", target=str(number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    audit = Audit(database, Redactor({}))
    assert audit.head()[0] == 20
    assert audit.verify() is None
