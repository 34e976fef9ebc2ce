import msgspec
import pytest
import sqlalchemy as sa

from karkhana.storage.appender import Row
from karkhana.storage.appending import appender
from karkhana.storage.tables import GENESIS, blobs, events


@pytest.fixture
def first(run_id):
    return Row(run_id, 1, "2026-05-12T08:30:00.000000Z", "note", '{"text":"x"}', GENESIS, "1" * 64)


@pytest.fixture
def appends(database):
    made = appender(database)
    yield made
    made.close()


def count(database, table):
    with database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()


def test_an_event_must_follow_the_head(appends, database, first):
    assert appends.append(first, None)
    assert not appends.append(first, None)
    assert not appends.append(msgspec.structs.replace(first, seq=3, previous_hash="1" * 64), None)
    assert not appends.append(msgspec.structs.replace(first, seq=2), None)
    assert appends.append(msgspec.structs.replace(first, seq=2, previous_hash="1" * 64, hash="2" * 64), None)
    assert count(database, events) == 2
    head = appends.head(first.run_id)
    assert (head.epoch, head.seq, head.hash) == (1, 2, "2" * 64)


def test_the_epoch_is_checked_in_the_same_transaction(appends, database, first):
    assert not appends.append(first, 2)
    assert count(database, events) == 0
    assert appends.head(first.run_id).seq == 0
    assert appends.append(first, 1)


def test_an_unknown_run_has_no_head(appends, first):
    assert appends.head("run_x") is None
    assert not appends.append(msgspec.structs.replace(first, run_id="run_x"), None)


def test_a_blob_is_stored_once_and_redaction_sticks(appends, database):
    for redacted, at in ((False, 1000.0), (True, 2000.0), (False, 3000.0)):
        appends.keep("0" * 64, 3, redacted, b"abc", at)
    with database.reading() as connection:
        (row,) = connection.execute(sa.select(blobs))
    assert (row.size, row.redacted, row.data) == (3, True, b"abc")


def test_it_is_noted_within_an_hour_that_a_blob_was_kept(appends, database):
    for at, noted in ((1000.0, 1000.0), (4600.0, 1000.0), (4601.0, 4601.0), (1000.0, 4601.0)):
        appends.keep("0" * 64, 3, False, b"abc", at)
        with database.reading() as connection:
            assert connection.execute(sa.select(blobs.c.kept_at)).scalar() == noted


def test_it_opens_again_after_it_was_closed(appends, first):
    appends.close()
    assert appends.append(first, None)


@pytest.mark.postgres
def test_a_server_that_dropped_the_connection_is_asked_once_more(appends, database, first):
    if database.kind != "postgresql":
        pytest.skip("SQLite has no server")
    assert appends.append(first, None)
    with database.reading() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    second = msgspec.structs.replace(first, seq=2, previous_hash="1" * 64, hash="2" * 64)
    assert appends.append(second, 1)
    assert count(database, events) == 2
