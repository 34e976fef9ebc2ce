"""A key stands for one request, whose answer is kept for a day, whatever becomes of whoever began it."""

from datetime import UTC, datetime, timedelta

import pytest

from karkhana.storage.answer_store import KEPT_S, RUNNING_S, AnswerStore
from karkhana.storage.database import Database
from karkhana.storage.leases import LeaseStore


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_is_taken_once_and_keeps_the_answer(database: Database, clock: Clock) -> None:
    store = AnswerStore(database, clock)
    assert store.begin("asha", "k", "r").mine
    running = store.begin("asha", "k", "r")
    assert (running.mine, running.other, running.answer) == (False, False, None)
    assert store.keep("asha", "k", clock.at.timestamp(), b"done")
    assert store.begin("asha", "k", "r").answer == b"done"
    assert store.begin("asha", "k", "another").other
    assert store.begin("ravi", "k", "r").mine


def test_who_died_in_the_midst_gives_way_to_the_same_request_only(database: Database, clock: Clock) -> None:
    store = AnswerStore(database, clock)
    store.begin("asha", "k", "r")
    clock.at += timedelta(seconds=RUNNING_S - 1)
    assert not store.begin("asha", "k", "r").mine
    clock.at += timedelta(seconds=2)
    assert store.begin("asha", "k", "another").other
    assert store.begin("asha", "k", "r").mine
    assert not store.begin("asha", "k", "r").mine


def test_who_was_taken_for_dead_touches_nothing_of_who_has_the_key_now(database: Database, clock: Clock) -> None:
    store = AnswerStore(database, clock)
    dead = store.begin("asha", "k", "r").begun_at
    clock.at += timedelta(seconds=RUNNING_S)
    begun = store.begin("asha", "k", "r").begun_at
    store.give_up("asha", "k", dead)
    assert not store.keep("asha", "k", dead, b"late")
    running = store.begin("asha", "k", "r")
    assert (running.mine, running.answer) == (False, None)
    assert store.keep("asha", "k", begun, b"done")
    assert store.begin("asha", "k", "r").answer == b"done"


def test_a_key_is_free_again_when_nothing_came_of_it_or_its_day_is_over(database: Database, clock: Clock) -> None:
    store = AnswerStore(database, clock)
    begun_at = store.begin("asha", "k", "r").begun_at
    store.give_up("asha", "k", begun_at)
    assert store.begin("asha", "k", "another").mine
    store.keep("asha", "k", begun_at, b"done")
    store.give_up("asha", "k", begun_at)
    assert store.begin("asha", "k", "another").answer == b"done", "what is done stays"
    clock.at += timedelta(seconds=KEPT_S + 1)
    assert store.begin("ravi", "other", "r").mine
    with database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM api_answers").scalar_one()
    assert kept == 1, "what is over is forgotten"


def test_an_answer_is_kept_with_the_work_or_not_at_all(database: Database, clock: Clock) -> None:
    store = AnswerStore(database, clock)
    begun_at = store.begin("asha", "k", "r").begun_at

    def fail() -> None:
        with database.writing() as connection:
            store.keep("asha", "k", begun_at, b"done", connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.begin("asha", "k", "r").answer is None


def test_a_lease_has_one_holder_until_it_is_over(database: Database, clock: Clock) -> None:
    leases = LeaseStore(database, clock)
    assert leases.hold("w", "one", 30)
    assert not leases.hold("w", "two", 30)
    assert leases.hold("w", "one", 30)
    assert leases.hold("other", "two", 30)
    clock.at += timedelta(seconds=31)
    assert leases.hold("w", "two", 30)
    assert not leases.hold("w", "one", 30)
    leases.release("w", "one")
    assert not leases.hold("w", "one", 30), "it was not its own"
    leases.release("w", "two")
    assert leases.hold("w", "one", 30)
