"""How attempts share a budget; and that a crash in the last one repeats none of the others."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from benchmarks.common import small_repository

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.tasks import Budget, Order, TaskType, Ticket
from karkhana.domain.tools import EditFile, PushChanges
from karkhana.engineers.llm.scripted import ScriptedModel
from karkhana.engineers.registry import default_engineers
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.assembly import open_factory
from karkhana.factory.attempts import model_name, share
from karkhana.factory.building import engineers_for
from karkhana.factory.job import Job
from karkhana.factory.ordering import make_order

WHOLE = Budget(turns=30, seconds=90.0, usd=3.0)


def job(attempts: int, events: Sequence[ev.AnyEvent] = (), models: Sequence[str] = (), model: str = "") -> Job:
    order = Order(ticket=Ticket(text="t"), repository="r", commit="c", attempts=attempts, model=model)
    rooms = SimpleNamespace(events=lambda _run: events, models=SimpleNamespace(names=tuple(models)) if models else None)
    settings = SimpleNamespace(models=SimpleNamespace(work=""))
    return cast(Job, SimpleNamespace(order=order, rooms=rooms, run_id="run", settings=settings))


def opened(attempt: int) -> ev.WorkspaceOpened:
    return ev.WorkspaceOpened(commit="c", engineer="llm", attempt=attempt)


def answered(cost: str) -> ev.ModelAnswered:
    return ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd=cost)


def returned(count: int) -> list[ev.AnyEvent]:
    return [ev.ToolReturned(turn=number) for number in range(1, count + 1)]


def test_the_only_attempt_has_the_whole_budget() -> None:
    assert share(job(1), WHOLE, 1, 1) == WHOLE


def test_what_one_attempt_leaves_is_shared_by_the_others() -> None:
    events: list[ev.AnyEvent] = [opened(1), *returned(2), answered("0.5")]
    assert share(job(3), WHOLE, 1, 3) == Budget(turns=10, seconds=30.0, usd=1.0)
    assert share(job(3, events), WHOLE, 2, 2) == Budget(turns=14, seconds=30.0, usd=1.25)
    # What it did itself before a crash is not taken from it.
    assert share(job(3, [*events, opened(2), answered("0.5")]), WHOLE, 2, 2).usd == 1.25


def test_calls_that_are_repeated_after_a_crash_count_once() -> None:
    events: list[ev.AnyEvent] = [opened(1), *returned(4), opened(1), *returned(6)]
    assert share(job(3, events), WHOLE, 2, 2).turns == 12


def test_what_a_run_is_given_is_shared_by_those_that_go_on() -> None:
    events: list[ev.AnyEvent] = [
        *[opened(1), *returned(10), answered("1")],
        *[opened(2), *returned(3), answered("0.5")],
        *[opened(3), *returned(17), answered("1.5")],
        ev.WorkResumed(by="me", turns=12, usd=2.0),
    ]
    more = Budget(turns=42, seconds=90.0, usd=5.0)
    # The first and the third go on: 12 calls and 2 dollars between them, besides what each had.
    assert share(job(3, events), more, 1, 2) == Budget(turns=16, seconds=30.0, usd=2.0)
    events += [opened(1), *returned(12), answered("0.25")]
    assert share(job(3, events), more, 1, 2).turns == 16
    assert share(job(3, events), more, 3, 1) == Budget(turns=27, seconds=30.0, usd=3.25)


def test_each_attempt_takes_the_next_model_unless_one_is_named() -> None:
    two = job(3, models=("a", "b"))
    assert [model_name(two, attempt) for attempt in (1, 2, 3)] == ["", "b", "a"]
    assert model_name(job(3, models=("a", "b"), model="b"), 3) == "b"


def asked_first(type: TaskType, *models: str, name: str = "fake", tools: bool = True, attempt: int = 1) -> list[str]:
    """The engineers that ``auto`` asks, one after the other."""
    made = ScriptedModel([], calls_tools=tools)
    made.name = name
    asked = job(2, models=models)
    rooms = SimpleNamespace(**vars(asked.rooms), engineers=default_engineers(), content=None)
    if rooms.models is not None:
        rooms.models.model = lambda _name, **_more: made
    order = msgspec.structs.replace(asked.order, type=type, engineer="auto")
    filled = SimpleNamespace(**{**vars(asked), "rooms": rooms, "order": order, "cancelled": lambda: False})
    return [engineer.name for engineer in engineers_for(cast(Job, filled), attempt)]


def test_auto_asks_whoever_can_do_the_type_of_task_and_nobody_twice_for_the_same() -> None:
    assert asked_first(TaskType.BUGFIX) == ["symbolic"]
    assert asked_first(TaskType.BUGFIX, "fake") == ["symbolic", "llm"]
    assert asked_first(TaskType.BUGFIX, "fake", attempt=2) == ["llm"]
    assert asked_first(TaskType.BUGFIX, "fake", tools=False) == ["llm"]
    assert asked_first(TaskType.BUGFIX, "fake", name="qwen2.5-coder:1.5b") == ["llm"]
    for other in (TaskType.FEATURE, TaskType.REFACTOR, TaskType.TESTS, TaskType.DEPS):
        assert asked_first(other) == ["llm"], "which says that there is no model"
        assert asked_first(other, "fake") == ["llm"]


class Breaks(ScriptedEngineer):
    """The machinery breaks in its second attempt, once."""

    worked = 0

    def work(self, assignment: Any, tools: Any, trail: Any) -> Any:
        self.worked += 1
        if self.worked == 2:
            raise InfrastructureFailure("the sandbox broke")
        return super().work(assignment, tools, trail)


@pytest.mark.slow
def test_a_failure_in_the_second_attempt_does_not_repeat_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    repository = small_repository(
        tmp_path / "repository",
        {"a.py": "def f():\n    return 1\n", "test_a.py": "from a import f\n\n\ndef test_f():\n    assert f() == 2\n"},
    )
    order, settings = make_order("f() is 1", repository, attempts=2)
    fix = EditFile(path="a.py", old="return 1", new="return 2")
    engineer = Breaks([fix, PushChanges(title="Return two", summary="It returned one.")])
    with open_factory(settings, engineers={"scripted": engineer}) as factory:
        _, claim = factory.stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        events = [entry.event for entry in factory.stores.events.entries(claim.run_id)]
    assert [event.attempt for event in events if isinstance(event, ev.WorkspaceOpened)] == [1, 2, 2]
    compared = next(event for event in events if isinstance(event, ev.AttemptsCompared))
    assert [each.group for each in compared.attempts] == [1, 1]
