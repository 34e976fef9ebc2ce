"""Misbehaving models: the harmless ones through the loop and the real toolbox, all others through the real line."""

from pathlib import Path

import msgspec
import pytest
from benchmarks.misbehaving import measure
from benchmarks.misbehaving_attacks import ATTACKS
from benchmarks.misbehaving_models import FAILED, FILES, SCENARIOS, TICKET, WAITS, Place, Scenario

from karkhana.domain.errors import BudgetExhausted
from karkhana.domain.events import ModelAnswered, ToolCalled, ToolReturned
from karkhana.domain.money import usd
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Budget, Ticket
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.conversation import check
from karkhana.engineers.llm.scripted import ScriptedModel
from karkhana.factory.trails import MemoryTrail
from karkhana.ports import Assignment
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

PLACE = Place(guard="/nowhere", port=9)
COMMAND = ("python", "-m", "pytest", "-q")
BUDGET = Budget(turns=15, seconds=60.0, usd=1.0)
BASELINE = TestReport(
    command=COMMAND,
    exit_code=1,
    results=(TestResult("test_area.py::test_oblong", Outcome.FAILED, message="assert 7 == 10"),),
    duration_s=0.1,
)
HARMLESS = [scenario for scenario in SCENARIOS if scenario.safe]
TELLING = (
    "sleeps past its time",
    "links to what lies outside and reads it",
    "lowers the bar",
    "edits by a command and boasts",
)
"""One of each kind that needs the sandbox and the line; ``benchmarks.misbehaving`` has them all."""


def test_there_are_many() -> None:
    assert len(SCENARIOS) + len(ATTACKS) >= 30
    assert len({scenario.name for scenario in (*SCENARIOS, *ATTACKS)}) == len(SCENARIOS) + len(ATTACKS)


@pytest.mark.parametrize("scenario", HARMLESS, ids=lambda scenario: scenario.name)
def test_it_ends_within_its_budget(scenario: Scenario) -> None:
    trail = MemoryTrail()
    model = ScriptedModel([lambda request: scenario.model(len(model.requests) - 1, PLACE)], cost=usd("0.02"))
    with TemporaryWorkspace(FILES) as workspace:
        tools = Toolbox(workspace, trail, budget=BUDGET, test_command=COMMAND)
        assignment = Assignment(
            ticket=Ticket(text=TICKET),
            baseline=BASELINE,
            budget=BUDGET,
            root=workspace.root,
            test_command=COMMAND,
            model=model,
        )
        try:
            handover = LlmEngineer().work(assignment, tools, trail)
        except BudgetExhausted as exhausted:
            ended, reason = WAITS, exhausted.message
        else:
            assert not handover.solved
            ended, reason = FAILED, handover.reason
    assert ended <= scenario.ends, reason
    assert reason
    assert tools.turns <= BUDGET.turns
    answers = sum(isinstance(event, ModelAnswered) for event in trail.events)
    assert answers == len(model.requests) <= 2 * BUDGET.turns
    called = [event for event in trail.events if isinstance(event, ToolCalled | ToolReturned)]
    assert [type(event) for event in called] == [ToolCalled, ToolReturned] * (len(called) // 2)
    for request in model.requests:
        check(request.messages)
        msgspec.json.encode(request)


@pytest.mark.slow
@pytest.mark.parametrize("name", TELLING)
def test_it_is_held_by_sandbox_and_line(name: str, tmp_path: Path) -> None:
    scenario = next(each for each in (*SCENARIOS, *ATTACKS) if each.name == name)
    row = measure(scenario, tmp_path)
    assert row["wrong"] == []
    assert row["status"] in scenario.ends
