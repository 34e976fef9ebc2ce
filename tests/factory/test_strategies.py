"""The choice of a strategy by outcomes, by simulation on the real store."""

import random
from pathlib import Path

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import TaskType
from karkhana.factory.strategies import beliefs, draw, holds, pool
from karkhana.routing.policy.posteriors import Beta
from karkhana.storage.database import open_database
from karkhana.storage.route_store import RouteStore

OPTIONS = (Strategy(name="plain"), Strategy(name="careful"))


def outcome(number: int, rung: str, passed: bool, *, model: str = "m", type: str = "bugfix") -> RouteOutcome:
    return RouteOutcome(
        reference=f"strategy:{number}", at=float(number), pool=pool(model), task_type=type, rung=rung, passed=passed
    )


def test_the_better_strategy_gets_most_of_the_runs_and_the_other_some(tmp_path: Path) -> None:
    chance, right = random.Random(5), {"plain@1": 0.7, "careful@1": 0.95}
    with open_database(None, tmp_path) as database:
        store, chosen = RouteStore(database), []
        for number in range(150):
            key, propensity = draw(beliefs(store, "m", "bugfix", OPTIONS, now=float(number)), chance)
            assert 0 < propensity <= 1
            store.record(outcome(number, key, chance.random() < right[key]))
            chosen.append(key)
    assert chosen[75:].count("careful@1") > 55
    assert chosen.count("plain@1") > 5


def test_the_bandit_turns_when_the_better_one_becomes_worse(tmp_path: Path) -> None:
    with open_database(None, tmp_path) as database:
        store = RouteStore(database)
        for number in range(60):
            store.record(outcome(number, "careful@1", True))
            store.record(outcome(1000 + number, "plain@1", number % 2 == 0))
        before = beliefs(store, "m", "bugfix", OPTIONS, now=1060.0)
        for number in range(80):
            store.record(outcome(2000 + number, "careful@1", False))
        after = beliefs(store, "m", "bugfix", OPTIONS, now=2080.0)
    assert before["careful@1"].mean > 0.9 > before["plain@1"].mean
    assert after["careful@1"].mean < after["plain@1"].mean


def test_outcomes_of_another_model_or_of_the_router_say_nothing(tmp_path: Path) -> None:
    with open_database(None, tmp_path) as database:
        store = RouteStore(database)
        fresh = beliefs(store, "m", "bugfix", OPTIONS, now=0.0)
        store.record(outcome(1, "careful@1", False, model="other"))
        store.record(RouteOutcome(reference="c", at=1.0, pool="", task_type="bugfix", rung="careful@1", passed=False))
        assert beliefs(store, "m", "bugfix", OPTIONS, now=1.0) == fresh


def test_the_propensity_is_how_often_the_choice_is_made() -> None:
    known = {"a@1": Beta(8, 2), "b@1": Beta(6, 4)}
    draws = [draw(known, random.Random(seed)) for seed in range(200)]
    share = sum(key == "a@1" for key, _ in draws) / len(draws)
    assert abs(share - next(p for key, p in draws if key == "a@1")) < 0.1


def gate(name: str, status: GateStatus) -> GateResult:
    return GateResult(gate=name, status=status, hard=True, summary="")


def test_a_change_that_mends_nothing_is_no_success() -> None:
    passed, unknown, failed = GateStatus.PASSED, GateStatus.UNKNOWN, GateStatus.FAILED
    good = [gate("suite", passed), gate("target_tests", passed)]
    idle = [gate("suite", passed), gate("target_tests", unknown)]
    assert holds(TaskType.BUGFIX, ("t::a",), good)
    assert not holds(TaskType.BUGFIX, ("t::a",), idle)
    assert holds(TaskType.BUGFIX, (), idle), "no test shows the bug"
    assert holds(TaskType.REFACTOR, ("t::a",), idle), "what fails is none of its business"
    assert not holds(TaskType.BUGFIX, (), [gate("suite", failed), gate("target_tests", passed)])
