"""Large values of old trails go; the chains verify, and what younger trails need stays. On both databases."""

from datetime import UTC, datetime

import pytest
from storage_support import ORDER, StoppedClock

from karkhana.domain.changes import REGULAR, FileChange, FileState
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import Noted, ToolReturned
from karkhana.domain.tasks import Status
from karkhana.storage.database import Database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.retention import Pruned, Retention
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import TaskStore
from karkhana.storage.verification import ProblemKind

LARGE, SHARED = "large " * 2000, "shared " * 2000
DAY = 86_400.0


@pytest.fixture
def old(database: Database, tasks: TaskStore, runs: RunStore, log: EventLog, clock: StoppedClock) -> str:
    """A run that ended a hundred days ago, with a large text, a file, and a text that a younger run has, too."""
    claim = tasks.add_and_claim(ORDER, "worker", 20.0)[1]
    trail = log.trail(claim.run_id, 1)
    trail.record(Noted(text=LARGE))
    trail.record(Noted(text=SHARED))
    state = FileState(REGULAR, trail.keep(b"the file"))
    trail.record(ToolReturned(turn=1, changed=(FileChange("a.py", None, state),)))
    runs.finish(claim.run_id, 1, Status.DELIVERED, b"{}")
    clock.move(100 * DAY)
    return claim.run_id


def test_the_chain_verifies_and_events_are_read_without_what_was_removed(
    old: str, database: Database, log: EventLog, clock: StoppedClock
) -> None:
    retention, before = Retention(database, clock), clock().timestamp() - 30 * DAY
    planned = retention.prune(before, dry_run=True)
    assert next(entry.event for entry in log.entries(old)) == Noted(text=LARGE)
    assert (planned.runs, planned.blobs) == (1, 3)
    assert retention.prune(before) == planned
    assert retention.prune(before) == Pruned(runs=0, blobs=0, bytes=0)
    assert log.verify(old) == []
    first, _, last = [entry.event for entry in log.entries(old)]
    assert isinstance(first, Noted)
    assert first.text.startswith(f"({len(LARGE)} bytes, removed; SHA-256 ")
    assert isinstance(last, ToolReturned)
    assert last.changed[0].after is not None
    with pytest.raises(InvalidInput, match="was removed on 2026-08-20"):
        log.blob(str(last.changed[0].after.sha256))


def test_what_a_younger_run_needs_stays(
    old: str, database: Database, tasks: TaskStore, log: EventLog, clock: StoppedClock
) -> None:
    young = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    log.trail(young, 1).record(Noted(text=SHARED))
    assert Retention(database, clock).prune(clock().timestamp() - 30 * DAY).blobs == 2
    for run_id in (old, young):
        assert log.verify(run_id) == []
        assert Noted(text=SHARED) in [entry.event for entry in log.entries(run_id)]


def test_a_run_that_has_not_ended_or_ended_lately_keeps_everything(
    old: str, database: Database, tasks: TaskStore, log: EventLog, clock: StoppedClock
) -> None:
    assert Retention(database, clock).prune(clock().timestamp() - 200 * DAY).runs == 0
    waiting = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    log.trail(waiting, 1).record(Noted(text="waits " * 2000))
    clock.move(1000 * DAY)
    assert Retention(database, clock).prune(clock().timestamp() - 30 * DAY).blobs == 3
    assert Noted(text="waits " * 2000) in [entry.event for entry in log.entries(waiting)]


def test_what_is_kept_again_between_the_look_and_the_removal_stays(
    old: str, database: Database, tasks: TaskStore, log: EventLog, clock: StoppedClock
) -> None:
    young = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    elsewhere = EventLog(database, Redactor({}), clock)
    acts = [lambda: elsewhere.trail(young, 1).record(Noted(text=LARGE))]

    def now() -> datetime:
        # asked for when the names are known, and before anything goes
        if acts:
            acts.pop()()
        return clock()

    assert Retention(database, now).prune(clock().timestamp() - 30 * DAY).blobs == 2
    for run_id in (old, young):
        assert Noted(text=LARGE) in [entry.event for entry in log.entries(run_id)]


def test_what_a_process_remembers_to_have_kept_stays(
    old: str, database: Database, tasks: TaskStore, log: EventLog, clock: StoppedClock
) -> None:
    young = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    elsewhere = EventLog(database, Redactor({}), clock).trail(young, 1)
    elsewhere.keep(SHARED.encode())
    clock.move(0.4 * DAY)
    # of the old run the same, but a day and more ago
    assert Retention(database, clock).prune(clock().timestamp() - 30 * DAY).blobs == 2
    elsewhere.record(Noted(text=SHARED))
    assert [entry.event for entry in log.entries(young)] == [Noted(text=SHARED)]


def test_content_that_comes_again_is_there_again(
    old: str, database: Database, tasks: TaskStore, log: EventLog, clock: StoppedClock
) -> None:
    Retention(database, clock).prune(clock().timestamp() - 30 * DAY)
    young = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    with_new_cache = EventLog(database, Redactor({}), clock)
    with_new_cache.trail(young, 1).record(Noted(text=LARGE))
    for run_id in (old, young):
        assert Noted(text=LARGE) in [entry.event for entry in log.entries(run_id)]
        assert log.verify(run_id) == []


def test_what_a_process_stored_long_ago_is_stored_again(
    old: str, database: Database, tasks: TaskStore, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = datetime(2090, 1, 1, tzinfo=UTC)
    Retention(database, lambda: late).prune(late.timestamp())
    monkeypatch.setattr("karkhana.storage.event_log._KNOWN_S", 0.0)
    young = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    log.trail(young, 1).record(Noted(text=LARGE))
    assert [entry.event for entry in log.entries(young)] == [Noted(text=LARGE)]


def test_what_was_altered_is_still_found(old: str, database: Database, log: EventLog, clock: StoppedClock) -> None:
    Retention(database, clock).prune(clock().timestamp() - 30 * DAY)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE events SET payload = '{}' WHERE seq = 2")
        connection.exec_driver_sql("UPDATE blobs SET pruned_at = NULL")
    found = log.verify(old)
    assert [problem.kind for problem in found if problem.kind is ProblemKind.ALTERED] == [ProblemKind.ALTERED]
    assert sum(problem.kind is ProblemKind.BLOB_ALTERED for problem in found) == 2, "without the note it is no pruning"
