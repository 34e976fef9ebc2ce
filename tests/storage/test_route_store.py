"""Choices and outcomes survive, each call is told of once, and only by whoever made it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from karkhana.domain.routes import Report, RouteChoice, RouteOutcome
from karkhana.storage.database import Database
from karkhana.storage.route_store import RouteStore


@pytest.fixture
def store(database: Database) -> RouteStore:
    return RouteStore(database)


def choice(call: str, **fields: Any) -> RouteChoice:
    known: dict[str, Any] = {
        "at": 10.0,
        "key_id": "k1",
        "pool": "web",
        "entry": "auto",
        "task_type": "bugfix",
        "chosen": "cloud/small",
        "propensity": 0.75,
        "answered": "cloud/small",
        "seconds": 1.5,
        "output": 40,
        "reasons": '{"offers":[]}',
    }
    return RouteChoice(call=call, **known | fields)


def test_a_choice_is_found_as_it_was_kept(store: RouteStore) -> None:
    kept = [choice("c1"), choice("c2", seconds=None, output=None, answered="")]
    store.keep(kept)
    store.keep([])
    assert [store.choice(each.call) for each in kept] == kept
    assert store.choice("c3") is None


def test_a_report_is_about_the_rung_that_answered_and_counts_once(store: RouteStore) -> None:
    store.keep([choice("c1", answered="cloud/large")])
    assert store.report("c1", "k1", True, 20.0) is Report.RECORDED
    assert store.report("c1", "k1", False, 30.0) is Report.TWICE
    expected = RouteOutcome(reference="c1", at=20.0, pool="web", task_type="bugfix", rung="cloud/large", passed=True)
    assert [found for _, found in store.outcomes()] == [expected]
    assert store.outcome("c1") == expected
    assert store.outcome("c2") is None


@pytest.mark.parametrize(("call", "key_id"), [("c1", "k2"), ("c1", ""), ("c9", "k1"), ("c2", "k1")])
def test_calls_of_others_unknown_ones_and_unanswered_ones_are_the_same(
    store: RouteStore, call: str, key_id: str
) -> None:
    store.keep([choice("c1"), choice("c2", answered="")])
    assert store.report(call, key_id, True, 20.0) is Report.UNKNOWN
    assert store.outcomes() == []


def test_of_many_reports_at_once_one_counts(store: RouteStore) -> None:
    store.keep([choice("c1")])
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda passed: store.report("c1", "k1", passed, 20.0), [True, False] * 4))
    assert sorted(told) == [Report.RECORDED] + [Report.TWICE] * 7
    assert len(store.outcomes()) == 1


def test_a_record_replaces_what_was_believed_before(store: RouteStore) -> None:
    first = RouteOutcome(reference="run:1", at=1.0, pool="", task_type="bugfix", rung="symbolic", passed=True)
    later = RouteOutcome(reference="run:1", at=2.0, pool="", task_type="bugfix", rung="symbolic", passed=False)
    store.record(first)
    store.record(later)
    assert [found for _, found in store.outcomes()] == [later]


def test_only_new_outcomes_need_to_be_read(store: RouteStore) -> None:
    for number in range(5):
        store.record(
            RouteOutcome(reference=f"run:{number}", at=1.0, pool="", task_type="x", rung="symbolic", passed=True)
        )
    newest = store.outcomes()[-1][0]
    assert [number for number, _ in store.outcomes(newest + 198)] == [newest - 1, newest]
    assert store.outcomes(newest + 500) == []


def test_habits_are_of_whole_answers_and_old_choices_are_forgotten(store: RouteStore) -> None:
    store.keep([choice("c1", at=1.0), choice("c2", at=2.0, seconds=None), choice("c3", at=3.0, output=None)])
    assert store.habits() == [("cloud/small", 1.5, 40), ("cloud/small", 1.5, None)]
    assert store.habits(newest=1) == [("cloud/small", 1.5, None)]
    store.report("c1", "k1", True, 5.0)
    assert store.forget(2.5) == 2
    assert store.habits() == [("cloud/small", 1.5, None)]
    assert store.outcome("c1") is not None
