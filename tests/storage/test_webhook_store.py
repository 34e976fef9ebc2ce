"""What happens is in the feed when it has happened, on every database, and becomes each webhook's messages once."""

import hashlib

import pytest
from storage_support import StoppedClock

from karkhana.domain import events as ev
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.storage.database import Database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import TaskStore
from karkhana.storage.webhook_store import Happening, Message, WebhookStore, new_webhook_id

ORDER = Order(ticket=Ticket(text="Add prices once"), repository="/srv/shop", commit="a" * 40)


@pytest.fixture
def store(database: Database) -> WebhookStore:
    return WebhookStore(database)


def added(store: WebhookStore, database: Database, *events: str) -> str:
    webhook_id = new_webhook_id()
    with database.writing() as connection:
        store.add(
            connection,
            webhook_id=webhook_id,
            url="https://a.example/",
            events=events,
            products=(),
            description="",
            secret="webhook",
            by="asha",
        )
    return webhook_id


def told(happening: Happening) -> list[Message]:
    key = f"{happening.kind} {happening.status} {happening.seq}"
    name = hashlib.sha256(f"{key} {happening.task_id}".encode()).hexdigest()
    return [Message(message_id=name, type=happening.kind, subject=happening.task_id, product="shop", body=key)]


def heard(store: WebhookStore) -> list[str]:
    return [body for _, body in store.due()]


def test_statuses_and_events_are_written_with_what_happened(
    store: WebhookStore, database: Database, tasks: TaskStore, runs: RunStore
) -> None:
    added(store, database, "*")
    task, claim = tasks.add_and_claim(ORDER, "worker-1", 600.0)
    trail = EventLog(database, Redactor({})).trail(claim.run_id, claim.epoch)
    trail.record(ev.Noted(text="not told"))
    trail.record(ev.ApprovalRequested(patch_sha256="b" * 64))
    trail.record(ev.Noted(text="not told"))
    runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    seen: list[Happening] = []
    assert store.spread(lambda happening: seen.append(happening) or []) == 4
    assert [(each.kind, each.task_id, each.status, each.seq) for each in seen] == [
        ("task.created", task.task_id, "queued", 0),
        ("task.status", task.task_id, "planning", 0),
        ("approval.requested", "", "", 2),
        ("task.status", task.task_id, "waiting_for_review", 0),
    ]
    assert seen[2].run_id == claim.run_id


def test_what_is_taken_back_is_not_told(store: WebhookStore, database: Database, tasks: TaskStore) -> None:
    added(store, database, "*")

    def fail() -> None:
        with database.writing() as connection:
            tasks.add_within(connection, ORDER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.spread(told) == 0


def test_each_webhook_has_its_messages_in_order_and_once(
    store: WebhookStore, database: Database, tasks: TaskStore
) -> None:
    everything, few = added(store, database, "*"), added(store, database, "task.status")
    task = tasks.add(ORDER)
    tasks.cancel(task.task_id)
    assert store.spread(told) == 2
    assert store.spread(told) == 0
    assert heard(store) == ["task.created queued 0", "task.status cancelled 0"], "one each, the first first"
    assert [each.webhook_id for each, _ in store.due()] == [everything, few]
    store.arrived(store.due()[0][0].ordinal, 204)
    assert heard(store) == ["task.status cancelled 0"] * 2
    assert store.get(everything).arrived_at is not None


def test_one_that_is_off_is_sent_nothing_and_goes_on_with_what_waits(
    store: WebhookStore, database: Database, tasks: TaskStore
) -> None:
    webhook = added(store, database, "*")
    tasks.add(ORDER)
    store.spread(told)
    store.switch(webhook, active=False, notice="because")
    tasks.add(ORDER)
    assert store.spread(told) == 0, "nobody listens"
    assert heard(store) == []
    store.switch(webhook, active=True)
    assert heard(store) == ["task.created queued 0"]
    store.failed(store.due()[0][0].ordinal, 500, "it answered 500", 60.0)
    assert heard(store) == []
    assert store.get(webhook).failing_since is not None
    assert store.remove(webhook)
    assert not store.remove(webhook)
    assert store.messages(webhook) == []


def test_messages_are_forgotten_but_not_that_a_budget_was_told(database: Database, clock: StoppedClock) -> None:
    store = WebhookStore(database, clock)
    added(store, database, "*")
    reached = Message(message_id="msg_b", type="budget.hard", subject="budget", product="", body="{}")
    store.post(reached)
    store.post(Message(message_id="msg_t", type="task.failed", subject="SHOP-1", product="", body="{}"))
    for sent, _ in store.due():
        store.arrived(sent.ordinal, 204)
    clock.move(31 * 86_400.0)
    assert store.prune() == 1
    assert store.post(reached) == 0, "the budget still stands at its limit"
