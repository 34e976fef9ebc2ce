"""Which engineer suits a model."""

import pytest

from karkhana.domain.events import AnyEvent
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, TaskType, Ticket
from karkhana.domain.tools import ToolCall
from karkhana.engineers.by_capability import ByCapability
from karkhana.engineers.llm.scripted import ScriptedModel, text
from karkhana.ports import Assignment, Handover, Tools, Trail


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        return Handover(solved=False, reason=self.name)


class NoTools:
    def call(self, call: ToolCall[object]) -> object:
        raise AssertionError(call)


class Notes:
    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return ""


def chosen(name: str, *, context: int, tools: bool, type: TaskType) -> str:
    model = ScriptedModel([text("")], context=context)
    model.name = name
    model.calls_tools = tools
    assignment = Assignment(
        ticket=Ticket(text="t"),
        baseline=TestReport(command=(), results=(), duration_s=0.0, exit_code=0),
        budget=Budget(),
        root="/",
        test_command=(),
        type=type,
        model=model,
    )
    engineer = ByCapability(Named("able"), Named("weak"))
    return engineer.work(assignment, NoTools(), Notes()).reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "context", "tools", "type", "wanted"),
    [
        ("claude-sonnet-4-5", 100_000, True, TaskType.BUGFIX, "able"),
        ("qwen2.5-coder:1.5b", 100_000, True, TaskType.BUGFIX, "weak"),
        ("claude-sonnet-4-5", 100_000, False, TaskType.BUGFIX, "weak"),
        ("unheard-of", 8_000, True, TaskType.BUGFIX, "weak"),
        ("qwen2.5-coder:1.5b", 100_000, True, TaskType.FEATURE, "able"),
    ],
)
def test_the_model_decides(name: str, context: int, tools: bool, type: TaskType, wanted: str) -> None:
    assert chosen(name, context=context, tools=tools, type=type) == wanted
