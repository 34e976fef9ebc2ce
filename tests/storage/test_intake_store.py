import threading

import pytest
from storage_support import ORDER, StoppedClock

from karkhana.domain.tasks import Status
from karkhana.storage.database import Database, open_database
from karkhana.storage.intake_store import Flood, IntakeStore, Receipt, TicketRow, Writing
from karkhana.storage.outbox import Saying
from karkhana.storage.tasks import TaskStore

ROW = TicketRow(door="forge", sender="asha", place="octo/shop", reference="https://forge.test/7", suspicions=("x",))


@pytest.fixture
def store(database: Database, clock: StoppedClock) -> IntakeStore:
    return IntakeStore(database, clock)


def making(tasks: TaskStore, subject: str = "octo/shop#7"):
    def act(writing: Writing) -> Receipt:
        writing.alone()
        known = writing.task_of(subject)
        if known is not None:
            return Receipt(status="known", task_id=known)
        task_id = tasks.add_within(writing.connection, ORDER).task_id
        writing.bind([subject], task_id)
        writing.came(task_id, ROW)
        writing.answer(ROW.reference, task_id, Saying(text="in the queue"))
        return Receipt(status="accepted", task_id=task_id)

    return act


def test_a_delivery_is_done_once_by_its_name_and_by_its_body(store, tasks):
    first, repeated = store.admit("forge", "d-1", "digest-1", making(tasks))
    assert (first.status, repeated) == ("accepted", False)
    assert store.admit("forge", "d-1", "digest-2", making(tasks)) == (first, True)
    assert store.admit("forge", "d-2", "digest-1", making(tasks)) == (first, True)
    assert store.admit("other", "d-1", "digest-1", making(tasks))[0].task_id != first.task_id
    assert store.receipt("forge", "d-1", "-") == first
    assert len(tasks.list()) == 2


def test_what_fails_leaves_nothing(store, tasks):
    def act(writing: Writing) -> Receipt:
        making(tasks)(writing)
        raise Flood(1.0)

    with pytest.raises(Flood):
        store.admit("forge", "d-1", "digest-1", act)
    assert (tasks.list(), store.outbox.due(), store.receipt("forge", "d-1", "digest-1")) == ([], [], None)
    assert store.admit("forge", "d-1", "digest-1", making(tasks))[1] is False


def test_two_at_once_make_one_ticket(database_url, database, tmp_path, tasks):
    start = threading.Barrier(8)
    found = []

    def deliver(number: int) -> None:
        with open_database(database_url, tmp_path / "home") as opened:
            mine, own = IntakeStore(opened), TaskStore(opened)
            start.wait(10)
            # half of them are one delivery again and again, the others tell the same in other words
            identity = "d-0" if number % 2 else f"d-{number}"
            found.append(mine.admit("forge", identity, f"digest-{identity}", making(own))[0].task_id)

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len(set(found)) == len(tasks.list()) == 1


def test_a_sender_may_send_so_much_in_a_minute(store, clock):
    def take(number: int, sender: str = "asha") -> None:
        def act(writing: Writing) -> Receipt:
            writing.take(sender, 3)
            return Receipt(status="ignored")

        store.admit("forge", f"d-{number}", f"digest-{number}", act)

    for number in range(3):
        take(number)
    with pytest.raises(Flood) as caught:
        take(3)
    assert 0 < caught.value.wait_s <= 20
    take(4, "ravi")
    clock.move(20.5)
    take(3)
    with pytest.raises(Flood):
        take(5)


def test_what_becomes_of_a_ticket_is_told_once(store, tasks):
    task_id = store.admit("forge", "d-1", "digest-1", making(tasks))[0].task_id

    def said(row: TicketRow, task: str, now: Status) -> list[Saying]:
        assert row == ROW
        return [] if now is Status.PLANNING else [Saying(text=f"{task} is {now.value}")]

    assert store.tell_changes(said) == 0
    tasks.set_status(task_id, Status.PLANNING)
    assert store.tell_changes(said) == 0
    tasks.set_status(task_id, Status.FAILED)
    assert [store.tell_changes(said), store.tell_changes(said)] == [1, 0]
    assert [answer.text for answer in store.outbox.due()] == ["in the queue", f"{task_id} is failed"]
    assert store.ticket(task_id) == ROW
    assert store.ticket("BUILD-none") is None


def test_old_deliveries_are_forgotten_and_their_tickets_are_not(store, tasks, clock):
    first = store.admit("forge", "d-1", "digest-1", making(tasks))[0]
    store.outbox.sent(store.outbox.due()[0])
    clock.move(1000.0)
    second = store.admit("forge", "d-2", "digest-2", making(tasks, "octo/shop#8"))[0]
    assert store.prune(clock().timestamp()) == 2
    assert store.receipt("forge", "d-2", "-") == second
    assert store.receipt("forge", "d-1", "digest-1") is None
    assert store.admit("forge", "d-1", "digest-1", making(tasks))[0] == Receipt(status="known", task_id=first.task_id)
