"""Who answers a question in time, and whose answer counts when two come at the same moment."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from short_lines import git

from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.domain.settings import IntakeDoor
from karkhana.domain.tasks import Order, Ticket
from karkhana.domain.understanding import Judgement, Question, QuestionState, Understanding
from karkhana.factory import asking
from karkhana.factory.assembly import job_for
from karkhana.factory.configuration import load_settings
from karkhana.factory.engine_control import RunControl
from karkhana.factory.job import Job
from karkhana.factory.records import REPLY, Reply
from karkhana.factory.remarks import reply
from karkhana.factory.replies import answer_within, waiting_question
from karkhana.factory.rooms import rooms_for
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.understanding import Understander, shown, understood
from karkhana.storage.intake_store import IntakeStore, Receipt, Writing
from karkhana.storage.outbox import Outbox
from postgres import until_waiting

TEXT = "The cart is broken"
DOOR = IntakeDoor(kind="github", senders=("asha", "ravi"))
PATIENCE_S = 20.0


@pytest.fixture
def stores(sqlite_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setenv("KARKHANA_HOME", str(sqlite_home))
    with open_stores(load_settings({})) as opened:
        yield opened


def asked(stores: Stores, shop: Path, *, left_s: float = 60.0) -> Job:
    """A run that waits for an answer for so many seconds more."""
    order = Order(ticket=Ticket(text=TEXT), repository=str(shop), commit=git(shop, "rev-parse", "HEAD"))
    task, claim = stores.tasks.add_and_claim(order, "worker", 600.0, product="shop")
    now = time.time()
    question = Question(
        text="Which call?", missing="observation", asked_at=now - 90.0, until=now + left_s, run_id=claim.run_id
    )
    kept = Understanding(type=Judgement(value="bugfix"), question=question)
    Understander(stores).renew(task.task_id, "shop", understood(TEXT), lambda _before: kept)
    control = RunControl(claim.run_id, claim.epoch)
    return job_for(stores, rooms_for(stores), control, "worker", lambda _event: None)


def replies(stores: Stores, job: Job) -> list[str]:
    found = (stores.messages.read(job.run_id, REPLY, number) for number in range(3))
    return [msgspec.json.decode(each, type=Reply).by for each in found if each is not None]


def answer(stores: Stores, task_id: str, text: str, *, by: str) -> None:
    with stores.database.writing() as connection:
        answer_within(stores, connection, task_id, text, by=by)


def bound(writing: Writing, task_id: str) -> Receipt:
    writing.bind(["octo/shop#7"], task_id)
    return Receipt(status="accepted", task_id=task_id)


@pytest.mark.postgres
def test_of_two_answers_at_the_same_time_one_counts_and_the_other_is_told(
    postgres_migrated_url: str, tmp_path: Path, shop: Path
) -> None:
    settings = msgspec.structs.replace(load_settings({}), home=tmp_path / "home", database_url=postgres_migrated_url)
    with open_stores(settings) as stores:
        job = asked(stores, shop)
        told: list[KarkhanaError] = []

        def second() -> None:
            try:
                answer(stores, job.task_id, "Mine", by="ravi")
            except KarkhanaError as error:
                told.append(error)

        thread = threading.Thread(target=second)
        with stores.database.writing() as connection:
            answer_within(stores, connection, job.task_id, "It shows 2", by="asha")
            thread.start()
            until_waiting(stores.database)
        thread.join(PATIENCE_S)
        assert [error.message for error in told] == [f"{job.task_id} was answered already, by asha"]
        assert replies(stores, job) == ["asha"]


def test_an_answer_counts_until_its_time_is_over_and_not_after(stores: Stores, shop: Path) -> None:
    job = asked(stores, shop, left_s=-1.0)
    assert waiting_question(stores, job.task_id) is None
    with pytest.raises(InvalidInput, match="was not answered in time"):
        answer(stores, job.task_id, "It shows 2", by="asha")
    assert replies(stores, job) == []
    assert waiting_question(stores, asked(stores, shop).task_id) is not None


def test_who_was_thanked_in_the_last_moment_is_heard(stores: Stores, shop: Path) -> None:
    job = asked(stores, shop)
    # the wait ended without a message, and before the run could say so somebody answered
    answer(stores, job.task_id, "It shows 2", by="asha")
    heard = asking.hear(job, None)
    assert (heard.added, heard.rejected) == ("It shows 2", False)
    settled = shown(stores, job.task_id).question
    assert settled is not None
    assert (settled.state, settled.reply, settled.by) == (QuestionState.ANSWERED, "It shows 2", "asha")


def test_nobody_is_thanked_once_the_wait_is_settled(stores: Stores, shop: Path) -> None:
    job = asked(stores, shop)
    asking.hear(job, None)
    with pytest.raises(InvalidInput, match="was not answered in time"):
        answer(stores, job.task_id, "It shows 2", by="asha")
    assert asking.hear(job, None).added == "", "a station may be carried out twice"


def test_who_was_slower_at_a_door_is_told_there(stores: Stores, shop: Path) -> None:
    job = asked(stores, shop)
    store = IntakeStore(stores.database)
    store.admit("forge", "d-1", "x", lambda writing: bound(writing, job.task_id))
    writes = [
        reply(stores, store, "forge", DOOR, subjects=["octo/shop#7"], sender=sender, text=text, address="octo/shop#7")
        for sender, text in (("asha", "It shows 2"), ("ravi", "It shows 3"))
    ]
    found = [store.admit("forge", f"d-{n}", f"digest-{n}", write)[0] for n, write in enumerate(writes, 2) if write]
    assert [each.status for each in found] == ["done", "ignored"]
    said = [each.text for each in Outbox(stores.database).due()]
    assert said == [f"{job.task_id} goes on with this answer.", f"{job.task_id} was answered already, by asha."]
    assert replies(stores, job) == ["asha"]
