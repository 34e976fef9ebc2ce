"""The engineer without the line: on a plain folder, with a trail in memory. Only for code that you trust."""

import hashlib

from karkhana.domain.events import AnyEvent
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import RunTests
from karkhana.engineers.symbolic import SymbolicEngineer
from karkhana.ports import Assignment, ChatModel, Engineer, Handover
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox


class MemoryTrail:
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


def work_directly(
    workspace: TemporaryWorkspace,
    ticket: str,
    command: tuple[str, ...],
    seconds: float,
    *,
    suite_s: float = 60.0,
    engineer: Engineer | None = None,
    model: ChatModel | None = None,
) -> tuple[Handover, TestReport, MemoryTrail]:
    """What the engineer hands over, the suite before its work, and its trail.

    ``seconds`` of clock for the engineer (the symbolic one if absent), ``suite_s`` for the suite before it.
    """
    trail, budget = MemoryTrail(), Budget(seconds=seconds)
    before = Toolbox(workspace, MemoryTrail(), budget=Budget(), test_command=command).call(RunTests(timeout_s=suite_s))
    tools = Toolbox(workspace, trail, budget=budget, test_command=command)
    assignment = Assignment(
        ticket=Ticket(text=ticket),
        baseline=before,
        budget=budget,
        root=workspace.root,
        test_command=command,
        model=model,
    )
    return (engineer or SymbolicEngineer()).work(assignment, tools, trail), before, trail
