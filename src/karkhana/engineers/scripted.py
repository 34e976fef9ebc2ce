"""An engineer that follows a script: for tests, rehearsals and measuring the harness around any engineer.

It goes through the same tools, budget and trail as every other engineer.

>>> ScriptedEngineer([]).name
'scripted'
"""

from collections.abc import Sequence
from typing import Any

from karkhana.domain.errors import ToolRefused
from karkhana.domain.tools import PushChanges, ToolCall
from karkhana.ports import Assignment, Handover, Tools, Trail


class ScriptedEngineer:
    """Makes the given calls in order. A refused call is skipped, as a model would read the reason and go on."""

    name = "scripted"

    def __init__(self, calls: Sequence[ToolCall[Any]]) -> None:
        self._calls = calls
        self.results: list[Any] = []
        """What each call returned, or the refusal."""

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Solved when the script pushed changes."""
        pushed: PushChanges | None = None
        for call in self._calls:
            try:
                self.results.append(tools.call(call))
            except ToolRefused as refusal:
                self.results.append(refusal)
            else:
                pushed = call if isinstance(call, PushChanges) else pushed
        if pushed is None:
            return Handover(solved=False, reason="the script ended without a change")
        return Handover(solved=True, reason="the script was carried out", title=pushed.title, summary=pushed.summary)
