import hashlib
import math
import threading
import zlib
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_support import ORDER

from karkhana.domain import events as kinds
from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.errors import InvalidInput, LeaseLost, UnknownRun
from karkhana.domain.events import ChangeHandedOver, Noted, RunStarted, ToolCalled, ToolReturned
from karkhana.domain.json import canonical
from karkhana.domain.tools import CommandResult
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import GENESIS, blobs, events


def notes(log, run_id):
    return [entry.event.text for entry in log.entries(run_id) if isinstance(entry.event, Noted)]


def stored(database, run_id):
    with database.reading() as connection:
        return list(connection.execute(sa.select(events).where(events.c.run_id == run_id).order_by(events.c.seq)))


def everything_stored(database):
    """All bytes that the trail holds, blobs uncompressed."""
    with database.reading() as connection:
        rows = "\n".join(str(tuple(row)) for row in connection.execute(sa.select(events)))
        contents = [zlib.decompress(data) for data in connection.execute(sa.select(blobs.c.data)).scalars()]
    return rows.encode() + b"\n".join(contents)


def test_events_come_back_in_order_with_their_chain(log, run_id, clock):
    trail = log.trail(run_id, 1)
    started = RunStarted(task_id="T", order=ORDER, version="1")
    trail.record(started)
    clock.move(1.5)
    trail.record(Noted(text="hello ü\n"))
    first, second = log.entries(run_id)
    assert (first.seq, first.type, first.event, first.at) == (1, "run.started", started, "2026-05-12T08:30:00.123456Z")
    assert (second.seq, second.event, second.at) == (2, Noted(text="hello ü\n"), "2026-05-12T08:30:01.623456Z")
    assert (first.previous_hash, second.previous_hash) == (GENESIS, first.hash)
    assert log.head(run_id) == (2, second.hash)
    assert log.verify(run_id) == []


def test_the_hash_is_what_the_documentation_says(log, run_id, database):
    log.trail(run_id).record(Noted(text='quote " and ü'))
    (row,) = stored(database, run_id)
    parts = canonical([row.run_id, row.seq, row.at, row.type, msgspec.Raw(row.payload.encode())])
    assert row.hash == hashlib.sha256(GENESIS.encode() + parts).hexdigest()


def test_entries_after_a_place_and_over_many_pages(log, run_id):
    trail = log.trail(run_id)
    for number in range(1203):
        trail.record(Noted(text=str(number)))
    assert notes(log, run_id) == [str(number) for number in range(1203)]
    assert [entry.seq for entry in log.entries(run_id, after=1200)] == [1201, 1202, 1203]


def test_events_of_many_runs_at_once(log, tasks):
    run_ids = [tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id for _ in range(3)]
    for turn in range(2):
        for run_id in run_ids:
            log.trail(run_id).record(Noted(text=f"{run_id} {turn}"))
    log.trail(run_ids[0]).record(RunStarted(task_id="T", order=ORDER, version="1"))
    found = list(log.across([run_ids[2], run_ids[0]], ("note",)))
    assert [(each.run_id, each.event.text) for each in found] == [
        (run_id, f"{run_id} {turn}") for run_id in sorted([run_ids[0], run_ids[2]]) for turn in range(2)
    ]
    assert list(log.across([], ("note",))) == []


def test_unknown_runs(log):
    for call in (lambda: list(log.entries("run_x")), lambda: log.verify("run_x"), lambda: log.head("run_x")):
        with pytest.raises(UnknownRun):
            call()
    with pytest.raises(UnknownRun):
        log.trail("run_x").record(Noted(text=""))


def test_a_worker_that_lost_its_lease_writes_nothing(log, runs, run_id, clock):
    zombie = log.trail(run_id, 1)
    zombie.record(Noted(text="mine"))
    clock.move(30)
    epoch = runs.take_over(run_id, "w2", 20.0).epoch
    with pytest.raises(LeaseLost, match="epoch 1"):
        zombie.record(Noted(text="late"))
    log.trail(run_id, epoch).record(Noted(text="theirs"))
    with pytest.raises(LeaseLost):
        zombie.record(Noted(text="later"))
    assert notes(log, run_id) == ["mine", "theirs"]
    assert log.verify(run_id) == []


def test_writers_without_a_lease_interleave(log, run_id):
    worker, person = log.trail(run_id, 1), log.trail(run_id)
    for number in range(3):
        worker.record(Noted(text=f"w{number}"))
        person.record(Noted(text=f"p{number}"))
    assert notes(log, run_id) == ["w0", "p0", "w1", "p1", "w2", "p2"]
    assert log.verify(run_id) == []


def test_threads_share_a_trail_and_a_run(log, run_id):
    shared = log.trail(run_id, 1)

    def write(trail, name):
        for number in range(40):
            trail.record(Noted(text=f"{name}{number}"))

    writers = [(shared, "a"), (shared, "b"), (log.trail(run_id, 1), "c"), (log.trail(run_id), "d")]
    threads = [threading.Thread(target=write, args=writer) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = notes(log, run_id)
    for name in "abcd":
        assert [text for text in texts if text[0] == name] == [f"{name}{number}" for number in range(40)]
    assert log.verify(run_id) == []


def test_large_values_lie_beside_the_log(log, run_id, database):
    call = ToolCalled(turn=1, call={"tool": "write_file", "content": "ü" * 9000, "again": "ü" * 9000})
    log.trail(run_id).record(call)
    (row,) = stored(database, run_id)
    assert len(row.payload) < 1000
    assert msgspec.json.decode(row.payload)["call"]["content"] == {
        "$blob": hashlib.sha256(("ü" * 9000).encode()).hexdigest(),
        "size": 18000,
    }
    assert [entry.event for entry in log.entries(run_id)] == [call]


def test_bytes_come_back_as_base64_large_or_small(log, run_id):
    for output in (b"\xff\0small", b"\xff\0" * 10_000):
        result = CommandResult(exit_code=0, stdout=output, stderr=b"", duration_s=0.5)
        log.trail(run_id).record(ToolReturned(turn=1, result=result))
        *_, last = log.entries(run_id)
        assert msgspec.convert(last.event.result, CommandResult) == result


def test_text_that_is_not_unicode_comes_back(log, run_id):
    patch = "".join(["caf\udce9\n", "x" * 20_000])
    for text in ("caf\udce9", patch):
        change = Change(
            base="a" * 40, files=(FileChange("f\udcff", None, FileState(0o100644, "0" * 64)),), patch=text,
            summary="", engineer="e",
        )  # fmt: skip
        log.trail(run_id).record(ChangeHandedOver(change=change))
        *_, last = log.entries(run_id)
        assert last.event.change == change
    assert log.verify(run_id) == []


def test_keys_that_look_like_ours_come_back(log, run_id):
    tricky = {"$blob": "x", "$$blob": {"$surrogates": "y"}, "size": 1, "$": None}
    log.trail(run_id).record(ToolCalled(turn=1, call=tricky))
    (entry,) = log.entries(run_id)
    assert entry.event.call == tricky


def test_keeping_content(log, run_id, database):
    trail = log.trail(run_id)
    content = bytes(range(256)) * 100
    name = trail.keep(content)
    assert name == trail.keep(content) == hashlib.sha256(content).hexdigest()
    assert log.blob(name) == content
    assert EventLog(database, Redactor({})).trail(run_id).keep(content) == name
    with pytest.raises(InvalidInput, match="not in the store"):
        log.blob("0" * 64)


SECRET = "tok-correct-horse"


def test_no_secret_is_stored_anywhere(log, run_id, database):
    trail = log.trail(run_id)
    trail.record(Noted(text=f"the token is {SECRET}"))
    trail.record(ToolCalled(turn=1, call={"tool": "x", SECRET: [SECRET, {"deep": SECRET}], "big": SECRET * 1000}))
    output = CommandResult(exit_code=0, stdout=SECRET.encode(), stderr=(SECRET * 900).encode(), duration_s=0.0)
    trail.record(ToolReturned(turn=1, result=output))
    trail.record(Noted(text=f"\udce9{SECRET}"))
    trail.record(Noted(text="AKIAIOSFODNN7EXAMPLE and\n-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 80 + "\n"))
    name = trail.keep(b"TOKEN = '" + SECRET.encode() + b"'\n")
    assert log.stored_blob(name).redacted
    assert log.blob(name) == b"TOKEN = '[redacted:SHOP_TOKEN]'\n"
    kept = everything_stored(database)
    for form in (SECRET.encode(), b"dG9rLWNvcnJlY3QtaG9yc2", b"AKIAIOSFODNN7EXAMPLE", b"A" * 64):
        assert form not in kept
    assert notes(log, run_id)[0] == "the token is [redacted:SHOP_TOKEN]"
    assert log.verify(run_id) == []


def test_the_hash_of_content_with_a_secret_is_replaced_by_that_of_what_is_stored(log, run_id, database):
    trail = log.trail(run_id)
    content = f"TOKEN = '{SECRET}'\n".encode()
    name, true_hash = trail.keep(content), hashlib.sha256(content).hexdigest()
    assert name != true_hash
    change = FileChange("settings.py", None, FileState(0o100644, true_hash))
    trail.record(ToolReturned(turn=1, changed=(change,)))
    (entry,) = log.entries(run_id)
    assert entry.event.changed[0].after == FileState(0o100644, name)
    assert true_hash.encode() not in everything_stored(database)
    assert log.verify(run_id) == []


def test_redaction_sticks_to_a_blob_that_was_also_kept_plainly(log, run_id):
    trail = log.trail(run_id)
    plain = trail.keep(b"T='[redacted:SHOP_TOKEN]'")
    assert not log.stored_blob(plain).redacted
    assert trail.keep(f"T='{SECRET}'".encode()) == plain
    assert log.stored_blob(plain).redacted


def test_an_event_of_a_newer_version_is_named(log, run_id, database):
    log.trail(run_id).record(Noted(text="x"))
    with database.writing() as connection:
        connection.execute(sa.update(events).values(payload='{"type":"from.the.future"}'))
    with pytest.raises(InvalidInput, match="event 1 of"):
        list(log.entries(run_id))


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=[]), max_size=30)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(texts, plain_values, max_size=4), finite)
def test_any_plain_data_comes_back_from_an_event(log, run_id, data, duration):
    trail = log.trail(run_id)
    recorded = [ToolCalled(turn=1, call=data), ToolReturned(turn=1, result=data, duration_s=duration)]
    for event in recorded:
        trail.record(event)
    seq, _ = log.head(run_id)
    assert [entry.event for entry in log.entries(run_id, after=seq - 2)] == recorded


@given(plain_values.filter(lambda value: not isinstance(value, float) or math.isfinite(value)))
@settings(max_examples=150, deadline=None)
def test_canonical_json_does_not_depend_on_the_order_of_keys(value):
    def reordered(item):
        if isinstance(item, dict):
            return {key: reordered(item[key]) for key in reversed(item)}
        return [reordered(each) for each in item] if isinstance(item, list) else item

    try:
        first = canonical(value)
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            canonical(reordered(value))
        return
    assert first == canonical(reordered(value))
    assert canonical(msgspec.json.decode(first)) == first


def test_every_kind_of_event_can_be_decoded_by_its_tag():
    tags = {kind.__struct_config__.tag for kind in kinds.Event.__subclasses__()}
    assert tags == {kind.__struct_config__.tag for kind in kinds.AnyEvent.__args__}


def test_times_with_an_offset_are_written_in_utc(log, run_id, clock):
    clock.now = clock.now.astimezone(tz=None) + timedelta(hours=1)
    log.trail(run_id).record(Noted(text=""))
    assert next(log.entries(run_id)).at == "2026-05-12T09:30:00.123456Z"
