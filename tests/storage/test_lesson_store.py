"""Lessons in both databases: replaced per run, summed over the newest runs, apart for here and elsewhere."""

import pytest
from storage_support import ORDER

from karkhana.domain.lessons import Lesson
from karkhana.storage.database import Database
from karkhana.storage.lesson_store import LessonStore
from karkhana.storage.tasks import TaskStore

SHOP, BANK = "/home/me/shop", "/home/me/bank"


@pytest.fixture
def store(database: Database) -> LessonStore:
    return LessonStore(database)


@pytest.fixture
def run_ids(tasks: TaskStore, clock) -> list[str]:
    found = []
    for _ in range(4):
        found.append(tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id)
        clock.move(1.0)
    return found


def lesson(subject: str, good: float = 0.0, bad: float = 0.0, *, here: bool = True) -> Lesson:
    return Lesson(subject=subject, circumstance="KeyError", good=good, bad=bad, here=here)


def test_nothing_is_recalled_before_anything_was_learned(store: LessonStore) -> None:
    assert store.recall(SHOP) == ()


def test_runs_add_up_here_and_elsewhere(store: LessonStore, run_ids: list[str]) -> None:
    store.learn(run_ids[0], SHOP, [lesson("b", good=1.0), lesson("a", bad=0.2)])
    store.learn(run_ids[1], SHOP, [lesson("b", bad=0.1)])
    store.learn(run_ids[2], BANK, [lesson("b", good=2.0)])
    assert store.recall(SHOP) == (
        lesson("a", bad=0.2),
        lesson("b", good=1.0, bad=0.1),
        lesson("b", good=2.0, here=False),
    )


def test_a_run_teaches_once_and_its_last_word_counts(store: LessonStore, run_ids: list[str]) -> None:
    for taught in ([lesson("a", good=1.0), lesson("b", bad=1.0)], [lesson("a", bad=1.0)]):
        store.learn(run_ids[0], SHOP, taught)
    assert store.recall(SHOP) == (lesson("a", bad=1.0),)
    store.learn(run_ids[0], SHOP, [])
    assert store.recall(SHOP) == ()


def test_only_the_newest_runs_count(store: LessonStore, run_ids: list[str]) -> None:
    for weight, run_id in enumerate(run_ids, 1):
        store.learn(run_id, SHOP, [lesson("a", good=10.0**weight), lesson("b", bad=1.0)])
    assert store.recall(SHOP, runs=2) == (lesson("a", good=11000.0), lesson("b", bad=2.0))


def test_circumstances_are_kept_apart(store: LessonStore, run_ids: list[str]) -> None:
    other = Lesson(subject="a", circumstance="TypeError", good=1.0)
    store.learn(run_ids[0], SHOP, [lesson("a", good=1.0), other])
    assert store.recall(SHOP) == (lesson("a", good=1.0), other)
