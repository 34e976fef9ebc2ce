"""Webhooks are told everything once it happened, in order, until it arrives or a day is over."""

import asyncio
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from karkhana.delivery.webhooks import PATIENCE_S, signed
from karkhana.domain import events as ev
from karkhana.domain.money import usd
from karkhana.domain.spending import Budget, Period
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.webhook_sending import Telling
from karkhana.factory.webhooks import added, removed, seal
from karkhana.http.outward import NotSent
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.leases import LeaseStore
from karkhana.storage.webhook_store import WebhookStore

ORDER = Order(ticket=Ticket(text="Add prices once"), repository="/srv/shop", commit="a" * 40)
DIGEST = hashlib.sha256(b"change").hexdigest()


class Receiver:
    """Stands for the address: remembers what came, and answers as told."""

    def __init__(self) -> None:
        self.answers: list[int | Exception] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    async def __call__(self, url: str, headers: dict[str, str], body: bytes, **_more: Any) -> int:
        self.got.append((url, headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, _, body in self.got]


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated home, made once."""
    home = tmp_path_factory.mktemp("webhooks") / "home"
    with open_stores(msgspec.structs.replace(load_settings({}), home=home, database_url=None)):
        return home


@pytest.fixture
def stores(fresh: Path, tmp_path: Path) -> Iterator[Stores]:
    shutil.copytree(fresh, tmp_path / "home")
    settings = msgspec.structs.replace(
        load_settings({}), home=tmp_path / "home", database_url=None, secrets_key_file=tmp_path / "key"
    )
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def telling(stores: Stores, receiver: Receiver, clock: Clock) -> Telling:
    made = Telling(stores, "one", sending=receiver, clock=clock.seconds)
    made._store = WebhookStore(stores.database, clock)
    made._leases = LeaseStore(stores.database, clock)
    return made


def webhook(stores: Stores, *events: str, products: tuple[str, ...] = ()) -> tuple[str, str]:
    webhook_id, secret = seal(stores, by="asha")
    with stores.database.writing() as connection:
        added(
            stores,
            connection,
            webhook_id,
            url="https://a.example/hook",
            events=events or ("*",),
            products=products,
            by="asha",
        )
    return webhook_id, secret


def go(telling: Telling, rounds: int = 1) -> None:
    for _ in range(rounds):
        asyncio.run(telling.go())


def feed(stores: Stores) -> int:
    with stores.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM webhook_feed").scalar_one())


def test_a_run_is_told_from_its_beginning_to_its_end_in_order(stores, telling, receiver) -> None:
    webhook(stores)
    task, claim = stores.tasks.add_and_claim(ORDER, "worker-1", 600.0)
    trail = stores.events.trail(claim.run_id, claim.epoch)
    stores.runs.set_status(claim.run_id, claim.epoch, Status.BUILDING)
    trail.record(ev.Noted(text="not of interest"))
    trail.record(ev.ApprovalRequested(patch_sha256=DIGEST))
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    trail.record(ev.Delivered(branch="karkhana/B", commit="c" * 40))
    stores.runs.finish(claim.run_id, claim.epoch, Status.DELIVERED, b"{}")
    go(telling, 8)
    assert receiver.types() == [
        "task.created",
        "task.planning",
        "task.building",
        "approval.requested",
        "task.waiting_for_review",
        "change.delivered",
        "task.delivered",
    ]
    told = json.loads(receiver.got[3][2])
    assert told["version"] == 1
    assert told["data"]["task"]["task_id"] == task.task_id
    assert told["data"]["run_id"] == claim.run_id
    assert told["data"]["event"]["patch_sha256"] == DIGEST
    assert feed(stores) == 0


def test_messages_are_signed_by_standard_webhooks(stores, telling, receiver, clock) -> None:
    _, secret = webhook(stores)
    stores.tasks.add(ORDER)
    go(telling)
    url, headers, body = receiver.got[0]
    assert url == "https://a.example/hook"
    expected = signed(secret, headers["webhook-id"], int(clock.seconds()), body.decode())
    assert {name: headers[name] for name in expected} == expected


def test_only_what_is_wanted_is_told(stores, telling, receiver) -> None:
    webhook(stores, "task.cancelled", products=("shop",))
    mine, other = stores.tasks.add(ORDER), stores.tasks.add(ORDER, product="bank")
    stores.tasks.cancel(mine.task_id)
    stores.tasks.cancel(other.task_id)
    go(telling, 2)
    assert receiver.types() == ["task.cancelled"]
    assert json.loads(receiver.got[0][2])["data"]["task"]["product"] == "shop"


def test_without_a_webhook_nothing_piles_up(stores, telling) -> None:
    stores.tasks.add(ORDER)
    assert feed(stores) == 0
    webhook_id, _ = webhook(stores)
    stores.tasks.add(ORDER)
    assert feed(stores) == 1
    with stores.database.writing() as connection:
        assert removed(stores, webhook_id, connection)
    assert feed(stores) == 0
    assert stores.sealed.all() == []


def test_what_is_not_taken_is_sent_again_with_the_same_identifier_and_in_order(
    stores, telling, receiver, clock
) -> None:
    webhook_id, _ = webhook(stores)
    receiver.answers = [500, NotSent("away")]
    first, second = stores.tasks.add(ORDER), stores.tasks.add(ORDER)
    stores.tasks.cancel(first.task_id)
    go(telling)
    assert receiver.types() == ["task.created", "task.created"], "the cancellation waits for what is before it"
    go(telling)
    assert len(receiver.got) == 2, "not at once"
    clock.pass_(10)
    go(telling, 2)
    assert receiver.types()[2:] == ["task.created", "task.created", "task.cancelled"]
    assert receiver.got[0][1]["webhook-id"] in {got[1]["webhook-id"] for got in receiver.got[2:4]}
    states = WebhookStore(stores.database).messages(webhook_id)
    assert [(each.state, each.attempts) for each in states] == [("arrived", 1), ("arrived", 2), ("arrived", 2)]
    assert second.task_id in {each.subject for each in states}


def test_attempts_become_rare_and_end_after_a_day_with_a_notice(stores, telling, receiver, clock) -> None:
    webhook_id, _ = webhook(stores)
    other, _ = webhook(stores, "webhook.*")
    began = clock.seconds()

    async def broken(*_told: Any, **_more: Any) -> int:
        tried.append(clock.seconds() - began)
        return 503

    tried: list[float] = []
    telling._sending = broken
    stores.tasks.add(ORDER)
    for _ in range(2000):
        go(telling)
        if not WebhookStore(stores.database).get(webhook_id).active:
            break
        clock.pass_(60)
    gaps = [b - a for a, b in itertools.pairwise(tried)]
    assert 8 <= len(tried) <= 16
    assert gaps[0] <= 60
    assert gaps[-1] > 3 * 3600 * 0.8
    assert tried[-1] <= PATIENCE_S
    found = WebhookStore(stores.database).get(webhook_id)
    assert not found.active
    assert "nothing arrived for a day" in found.notice
    assert [entry.target for entry in stores.audit.entries() if entry.action == "webhook.disable"] == [webhook_id]
    assert [each.type for each in WebhookStore(stores.database).messages(other)] == ["webhook.disabled"]


def test_an_address_that_is_gone_is_told_no_more(stores, telling, receiver) -> None:
    webhook_id, _ = webhook(stores)
    receiver.answers = [410]
    stores.tasks.add(ORDER)
    go(telling)
    stores.tasks.add(ORDER)
    go(telling, 2)
    assert len(receiver.got) == 1
    assert "410" in WebhookStore(stores.database).get(webhook_id).notice


def test_one_process_at_a_time_sends_and_another_goes_on_when_it_is_gone(stores, telling, receiver, clock) -> None:
    webhook(stores)
    stores.tasks.add(ORDER)
    other = Receiver()
    second = Telling(stores, "two", sending=other, clock=clock.seconds)
    second._store, second._leases = WebhookStore(stores.database, clock), LeaseStore(stores.database, clock)
    go(telling)
    stores.tasks.add(ORDER)
    go(second)
    assert other.got == []
    clock.pass_(60)
    go(second)
    assert other.types() == ["task.created"]
    go(telling)
    assert len(receiver.got) == 1


def test_a_crash_between_sending_and_remembering_sends_the_same_message_again(stores, telling, receiver, clock) -> None:
    webhook(stores)
    stores.tasks.add(ORDER)

    def crash(*_told: Any) -> None:
        raise KeyboardInterrupt

    keep = telling._store.arrived
    telling._store.arrived = crash
    with pytest.raises(KeyboardInterrupt):
        go(telling)
    telling._store.arrived = keep
    go(telling)
    assert [got[1]["webhook-id"] for got in receiver.got] == [receiver.got[0][1]["webhook-id"]] * 2


def test_a_happening_whose_event_is_not_there_holds_nothing_up(stores, telling, receiver) -> None:
    webhook(stores)
    _task, claim = stores.tasks.add_and_claim(ORDER, "worker-1", 600.0)
    with stores.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM webhook_feed")
        lost = f"VALUES (1, 'work.paused', '', '{claim.run_id}', 99, '')"
        connection.exec_driver_sql(f"INSERT INTO webhook_feed (at, kind, task_id, run_id, seq, status) {lost}")
    stores.tasks.add(ORDER)
    go(telling)
    assert receiver.types() == ["task.created"]


def test_what_nobody_foresaw_ends_no_sending(stores, telling, receiver) -> None:
    webhook(stores)
    stores.tasks.add(ORDER)

    async def work() -> None:
        asked = asyncio.Event()

        async def broken(*_about: Any, **_more: Any) -> int:
            asked.set()
            raise RuntimeError("nobody foresaw this")

        known, telling._sending = telling._sending, broken
        going = asyncio.ensure_future(telling.run())
        await asked.wait()
        ended, _ = await asyncio.wait({going}, timeout=0.1)
        assert not ended
        going.cancel()
        await asyncio.wait({going})
        telling._sending = known

    asyncio.run(work())
    go(telling)
    assert receiver.types() == ["task.created"], "it is sent again"


def test_a_budget_that_is_reached_is_told_once_a_period(stores, telling, receiver, clock) -> None:
    webhook(stores, "budget.*")
    BudgetStore(stores.database).put(Budget(scope="team:web", period=Period.MONTH, soft=usd("1"), hard=usd("5")))
    with stores.database.writing() as connection:
        start = clock.at.strftime("%Y-%m")
        connection.exec_driver_sql(
            f"INSERT INTO budget_balances (budget, start, spent, reserved) VALUES (1, '{start}', 2000000000000, 0)"
        )
    go(telling, 2)
    clock.pass_(31)
    go(telling, 2)
    assert receiver.types() == ["budget.soft"]
    assert json.loads(receiver.got[0][2])["data"]["budget"]["scope"] == "team:web"
