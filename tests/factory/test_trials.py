"""A strategy on trial, by the real line: it reads its instructions, nothing is delivered, nothing is learnt."""

import subprocess
from pathlib import Path

import msgspec
import pytest
from benchmarks.common import small_repository
from benchmarks.strategies import FILES, answer

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.scripted import ScriptedModel
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.assembly import open_factory
from karkhana.factory.ordering import make_order
from karkhana.factory.trials import past_tickets, right, try_on
from karkhana.learning.shelf import Shelf
from karkhana.ports import Assignment, Handover, Tools, Trail
from karkhana.storage.route_store import RouteStore


class Hears:
    """The LLM engineer with a model that works well only if it is told to run the tests. Implements ``Engineer``."""

    name = "llm"

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        model = ScriptedModel([lambda request: answer(request, hard=True, deaf=False)])
        return LlmEngineer().work(msgspec.structs.replace(assignment, model=model), tools, trail)


@pytest.mark.slow
def test_a_trial_tells_whether_a_strategy_helps_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    repository = small_repository(tmp_path / "repository", FILES)
    order, settings = make_order("total() is too low", repository, engineer="llm", auto=True)
    with open_factory(settings, engineers={"llm": Hears()}) as factory:
        stores = factory.stores
        _, claim = stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        factory.worker.carry_out(claim)
        events = [entry.event for entry in stores.events.entries(claim.run_id)]
        chosen = next(event for event in events if isinstance(event, ev.StrategyChosen))
        assert (chosen.strategy.key, chosen.propensity) == ("plain@1", 1.0)
        assert right(events) is False
        known = RouteStore(stores.database).outcomes(pool="strategy:")
        assert [(outcome.rung, outcome.passed) for _, outcome in known] == [("plain@1", False)]
        past = past_tickets(stores, TaskType.BUGFIX)
        assert [(each.solved, each.strategy) for each in past] == [(False, "plain@1")]

        told = Strategy(name="told", text="Always run the tests once more before you hand over.")
        tried = try_on(factory, settings.queue.lease_s, past[0].order, told)
        assert tried.right is True
        assert RouteStore(stores.database).outcomes(pool="strategy:") == known
        assert [each.order for each in past_tickets(stores, TaskType.BUGFIX)] == [order]
        newest = stores.runs.list(limit=1)[0]
        assert newest.status.value == "cancelled"
    assert Shelf(settings.home, shipped()).usable(TaskType.BUGFIX)[0].key == "plain@1"
    branches = subprocess.run(["git", "-C", repository, "branch"], check=True, capture_output=True, text=True).stdout
    assert "karkhana" not in branches
