import threading

import pytest

from karkhana.domain.errors import UnknownRun
from karkhana.domain.tasks import Status
from karkhana.storage.database import Database
from karkhana.storage.messages import MessageStore
from karkhana.storage.runs import Claim, RunStore
from karkhana.storage.tasks import TaskStore


@pytest.fixture
def messages(database: Database) -> MessageStore:
    return MessageStore(database)


def test_messages_are_read_in_the_order_in_which_they_came(messages: MessageStore, run_id: str) -> None:
    for text in ("first", "zweite ✓", ""):
        messages.post(run_id, "approval", text)
    messages.post(run_id, "canary", "other")
    assert [messages.read(run_id, "approval", index) for index in range(4)] == ["first", "zweite ✓", "", None]
    assert messages.read(run_id, "canary") == "other"
    assert messages.read(run_id, "approval") == "first"


def test_a_message_to_nobody_is_refused(messages: MessageStore) -> None:
    with pytest.raises(UnknownRun):
        messages.post("run_nowhere", "approval", "yes")


def test_a_message_wakes_a_parked_run(messages: MessageStore, runs: RunStore, run_id: str) -> None:
    runs.park(run_id, 1)
    assert runs.expired() == []
    messages.post(run_id, "approval", "yes")
    assert [lease.run_id for lease in runs.expired()] == [run_id]
    assert runs.take_over(run_id, "other", 20.0) is not None
    messages.post(run_id, "approval", "again")
    assert runs.lease(run_id).owner == "other"
    assert runs.expired() == []


def test_a_message_does_not_touch_a_run_that_is_held_or_over(
    messages: MessageStore, runs: RunStore, run_id: str
) -> None:
    messages.post(run_id, "approval", "yes")
    assert runs.expired() == []
    runs.finish(run_id, 1, Status.DELIVERED, b"{}")
    messages.post(run_id, "approval", "too late")
    messages.wake(run_id)
    assert runs.expired() == []


def test_waking_lets_any_worker_go_on(messages: MessageStore, runs: RunStore, run_id: str) -> None:
    runs.park(run_id, 1)
    messages.wake(run_id)
    assert [lease.run_id for lease in runs.expired()] == [run_id]


def test_a_parked_run_expires_at_its_time(runs: RunStore, run_id: str) -> None:
    now = runs.lease(run_id).expires_at
    assert now is not None
    runs.park(run_id, 1, now + 100)
    assert runs.expired(now + 99) == []
    assert [lease.run_id for lease in runs.expired(now + 100)] == [run_id]


def test_cancelling_wakes_a_parked_run(tasks: TaskStore, runs: RunStore, run_id: str) -> None:
    runs.park(run_id, 1)
    tasks.cancel(runs.get(run_id).task_id)
    assert [lease.cancel_requested for lease in runs.expired()] == [True]


def test_a_run_that_is_to_be_cancelled_is_not_left_parked(runs: RunStore, run_id: str) -> None:
    runs.request_cancel(run_id)
    assert runs.expired() == []
    runs.park(run_id, 1)
    assert [lease.run_id for lease in runs.expired()] == [run_id]


def test_a_run_that_failed_may_send_its_task_back_to_the_queue(tasks: TaskStore, runs: RunStore, run_id: str) -> None:
    task_id = runs.get(run_id).task_id
    runs.finish(run_id, 1, Status.FAILED, b"{}", requeue=True)
    assert runs.get(run_id).status is Status.FAILED
    assert (tasks.get(task_id).status, tasks.get(task_id).assigned_to) == (Status.QUEUED, None)
    again = tasks.claim("other", (), 20.0)
    assert again is not None
    assert again.task_id == task_id
    assert again.run_id != run_id


def test_posting_and_parking_at_the_same_time_never_loses_the_run(
    messages: MessageStore, runs: RunStore, run_id: str
) -> None:
    # As a worker does it: park, then look again. Whoever comes second sees the other.
    for number in range(20):
        claim = runs.take_over(run_id, "worker", 20.0) if number else Claim(run_id, "", 1)
        assert claim is not None
        start = threading.Barrier(2)
        poster = threading.Thread(target=_post, args=(messages, run_id, start))
        poster.start()
        start.wait()
        runs.park(run_id, claim.epoch)
        if messages.read(run_id, "approval", number) is not None:
            messages.wake(run_id)
        poster.join()
        assert [lease.run_id for lease in runs.expired()] == [run_id]


def _post(messages: MessageStore, run_id: str, start: threading.Barrier) -> None:
    start.wait()
    messages.post(run_id, "approval", "yes")
