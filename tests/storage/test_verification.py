import random
import zlib

import msgspec
import pytest
import sqlalchemy as sa

from karkhana.domain.changes import FileChange, FileState
from karkhana.domain.events import Noted, ToolCalled, ToolReturned
from karkhana.domain.tasks import Status
from karkhana.storage.appender import Row
from karkhana.storage.tables import blobs, events, tasks
from karkhana.storage.tables import runs as run_rows
from karkhana.storage.verification import ProblemKind, digest

EVENTS = 8


@pytest.fixture
def recorded(log, run_id):
    """A run with eight events, and its identifier."""
    trail = log.trail(run_id, 1)
    for number in range(1, EVENTS + 1):
        trail.record(ToolCalled(turn=number, call={"tool": "read_file", "path": f"file{number}.py", "n": 0.5}))
    assert log.verify(run_id) == []
    return run_id


def found(log, run_id):
    return [(problem.kind.value, problem.seq) for problem in log.verify(run_id)]


def write(database, statement, values=None):
    with database.writing() as connection:
        connection.execute(statement if not isinstance(statement, str) else sa.text(statement), values or {})


def at(seq):
    return events.c.seq == seq


def rows(database, run_id):
    with database.reading() as connection:
        query = sa.select(events).where(events.c.run_id == run_id).order_by(events.c.seq)
        return [dict(row._mapping) for row in connection.execute(query)]


@pytest.mark.parametrize("column", ["at", "type", "payload", "previous_hash", "hash"])
@pytest.mark.parametrize("seq", [1, 4, EVENTS])
def test_one_flipped_character_of_any_column_names_the_event(log, database, recorded, column, seq):
    value = rows(database, recorded)[seq - 1][column]
    for place in random.Random(seq).sample(range(len(value)), 3):
        flipped = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
        write(database, sa.update(events).where(at(seq)).values({column: flipped}))
        assert found(log, recorded) == [("altered", seq)]
    write(database, sa.update(events).where(at(seq)).values({column: value}))
    assert found(log, recorded) == []


def test_every_single_bit_of_a_payload_counts(log, database, recorded):
    """In SQLite a flipped bit may leave bytes that are not text at all."""
    if database.kind != "sqlite":
        pytest.skip("PostgreSQL stores no invalid UTF-8")
    payload = rows(database, recorded)[2]["payload"].encode()
    for place in range(len(payload)):
        for bit in (0, 5, 7):
            flipped = bytearray(payload)
            flipped[place] ^= 1 << bit
            if not flipped[place]:
                continue
            write(database, "UPDATE events SET payload = CAST(:p AS TEXT) WHERE seq = 3", {"p": bytes(flipped)})
            assert found(log, recorded) == [("altered", 3)], flipped


def test_columns_cannot_be_cut_differently(log, database, recorded):
    row = rows(database, recorded)[0]
    forged = {"at": row["at"] + '","' + row["type"], "type": ""}
    write(database, sa.update(events).where(at(1)).values(forged))
    assert found(log, recorded) == [("altered", 1)]


@pytest.mark.parametrize(("gone", "expected"), [
    ([1], [("removed", 1)]),
    ([4], [("removed", 4)]),
    ([3, 4, 7], [("removed", 3), ("removed", 7)]),
    ([EVENTS], [("truncated", EVENTS)]),
    ([7, EVENTS], [("truncated", 7)]),
    (list(range(1, EVENTS + 1)), [("truncated", 1)]),
])  # fmt: skip
def test_removed_events_are_named(log, database, recorded, gone, expected):
    write(database, sa.delete(events).where(events.c.seq.in_(gone)))
    assert found(log, recorded) == expected
    if gone == [3, 4, 7]:
        assert log.verify(recorded)[0].message == "events 3 to 4 were removed"


def test_removing_an_event_and_closing_the_gap(log, database, recorded):
    write(database, sa.delete(events).where(at(4)))
    for seq in range(5, EVENTS + 1):
        write(database, sa.update(events).where(at(seq)).values(seq=seq - 1))
    assert found(log, recorded) == [("removed", 4), *[("reordered", seq) for seq in range(5, EVENTS + 1)]]


def test_swapped_events_are_named(log, database, recorded):
    write(database, sa.update(events).where(at(3)).values(seq=100))
    write(database, sa.update(events).where(at(5)).values(seq=3))
    write(database, sa.update(events).where(at(100)).values(seq=5))
    assert found(log, recorded) == [("reordered", 3), ("reordered", 5)]


def test_a_moved_event_is_named(log, database, recorded):
    write(database, sa.update(events).where(at(5)).values(seq=500))
    assert found(log, recorded) == [("reordered", 5)]


def forge(row: dict, **changes) -> dict:
    """An event whose hash fits its own columns."""
    forged = Row(**{**row, **changes})
    return msgspec.structs.asdict(msgspec.structs.replace(forged, hash=digest(forged)))


def test_an_inserted_event_is_named(log, database, recorded):
    last = rows(database, recorded)[-1]
    write(database, sa.insert(events), forge(last, seq=EVENTS + 1, previous_hash=last["hash"], payload="{}"))
    assert found(log, recorded) == [("inserted", EVENTS + 1)]


def test_an_event_inserted_in_between_is_named(log, database, recorded):
    for seq in range(EVENTS, 4, -1):
        write(database, sa.update(events).where(at(seq)).values(seq=seq + 1))
    fourth = rows(database, recorded)[3]
    write(database, sa.insert(events), forge(fourth, seq=5, previous_hash=fourth["hash"]))
    assert ("inserted", 5) in found(log, recorded)
    assert [p for p in found(log, recorded) if p[0] != "reordered"] == [("inserted", 5)]


def test_a_copied_event_is_named(log, database, recorded):
    third = rows(database, recorded)[2]
    write(database, sa.insert(events), {**third, "seq": EVENTS + 1})
    assert found(log, recorded) == [("inserted", EVENTS + 1)]


@pytest.mark.parametrize("seq", [1, 4])
def test_a_rewritten_event_with_a_fitting_hash_is_named(log, database, recorded, seq):
    row = forge(rows(database, recorded)[seq - 1], payload='{"text":"other","type":"note"}')
    write(database, sa.update(events).where(at(seq)).values(row))
    assert found(log, recorded) == [("altered", seq)]


def test_a_rewritten_end_does_not_fit_the_head(log, database, recorded):
    previous = rows(database, recorded)[4]
    for row in rows(database, recorded)[5:]:
        previous = forge(row, previous_hash=previous["hash"], payload='{"text":"other","type":"note"}')
        write(database, sa.update(events).where(at(row["seq"])).values(previous))
    assert found(log, recorded) == [("head", EVENTS)]


@pytest.mark.parametrize("values", [
    {"trail_hash": "0" * 64},
    {"trail_hash": ""},
    {"trail_seq": EVENTS + 2},
    {"trail_seq": EVENTS - 1},
    {"trail_seq": 0},
    {"trail_seq": 10**9},
])  # fmt: skip
def test_an_altered_head_is_named(log, database, recorded, values):
    write(database, sa.update(run_rows).where(run_rows.c.run_id == recorded).values(values))
    assert found(log, recorded) == [("head", values.get("trail_seq", EVENTS))]


def test_an_event_given_to_another_run_is_missed_and_named(log, database, recorded, runs):
    task_id = runs.get(recorded).task_id
    runs.finish(recorded, 1, Status.FAILED, b"")
    other = runs.create(task_id, "w", 20.0).run_id
    write(database, sa.update(events).where(at(4)).values(run_id=other))
    assert found(log, recorded) == [("removed", 4)]
    assert found(log, other) == [("inserted", 4)]


@pytest.fixture
def with_blobs(log, run_id):
    """A run whose events refer to two blobs: a large text, and a file's content."""
    trail = log.trail(run_id)
    trail.record(Noted(text="small"))
    trail.record(Noted(text="large" * 3000))
    name = trail.keep(b"content\n")
    trail.record(ToolReturned(turn=1, changed=(FileChange("f", None, FileState(0o100644, name)),)))
    return run_id


@pytest.mark.parametrize("seq", [2, 3])
def test_altered_and_missing_blobs_are_named(log, database, with_blobs, seq):
    content = b"content\n" if seq == 3 else b"large" * 3000
    with database.reading() as connection:
        stored = {zlib.decompress(row.data): row for row in connection.execute(sa.select(blobs))}
    row = stored[content]
    mine = blobs.c.sha256 == row.sha256
    damaged = [
        {"data": zlib.compress(content[:-1] + b"!", 1)},
        {"data": row.data[:-1] + bytes([row.data[-1] ^ 1])},
        {"data": b""},
        {"size": row.size + 1},
    ]
    for values in damaged:
        write(database, sa.update(blobs).where(mine).values({"data": row.data, "size": row.size, **values}))
        assert found(log, with_blobs) == [("blob_altered", seq)]
        assert row.sha256 in log.verify(with_blobs)[0].message
    write(database, sa.delete(blobs).where(mine))
    assert found(log, with_blobs) == [("blob_missing", seq)]


def test_a_run_without_events_is_sound(log, run_id, database):
    assert log.verify(run_id) == []
    write(database, sa.update(run_rows).values(trail_hash="f" * 64))
    assert found(log, run_id) == [("head", 0)]


def test_other_tables_are_not_part_of_the_trail(log, database, recorded):
    write(database, sa.update(tasks).values(title="other"))
    assert found(log, recorded) == []


def test_the_kinds_of_problems_are_stable_names():
    assert [kind.value for kind in ProblemKind] == [
        "altered", "removed", "reordered", "inserted", "truncated", "head", "blob_altered", "blob_missing",
    ]  # fmt: skip
