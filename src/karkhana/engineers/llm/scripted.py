"""A model that says what a script says: for tests, rehearsals and measuring the loop around a model.

>>> ScriptedModel([calls(("read_file", {"path": "a.py"}))]).name
'scripted'
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Part, StopReason, Text, ToolCall, Usage
from karkhana.domain.money import Money
from karkhana.ports import Said

Step = ChatAnswer | BaseException | Callable[[ChatRequest], ChatAnswer]
"""An answer, what is raised instead of one, or a function of the request."""


class ScriptedModel:
    """Implements ``karkhana.ports.ChatModel``. The script's last step is repeated for ever."""

    name = "scripted"

    def __init__(
        self, script: Iterable[Step], *, context: int = 100_000, calls_tools: bool = True, cost: Money | None = None
    ) -> None:
        self.context = context
        self.calls_tools = calls_tools
        self.requests: list[ChatRequest] = []
        self._steps: Iterator[Step] = iter(script)
        self._step: Step = text("")
        self._cost = cost

    def ask(self, request: ChatRequest) -> Said:
        """The next step. Raises what the script says."""
        self.requests.append(request)
        self._step = next(self._steps, self._step)
        if isinstance(self._step, BaseException):
            raise self._step
        answer = self._step(request) if callable(self._step) else self._step
        return Said(answer=answer, place="scripted/scripted", cost=self._cost)


def calls(
    *wanted: tuple[str, dict[str, Any] | str], said: str = "", stop: StopReason = StopReason.TOOL_CALLS
) -> ChatAnswer:
    """An answer that calls tools; arguments are an object, or JSON as a model would write it."""
    parts: list[Part] = [Text(text=said)] if said else []
    for index, (name, arguments) in enumerate(wanted):
        written = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
        parts.append(ToolCall(id=f"c{index}", name=name, arguments=written))
    return ChatAnswer(model="scripted", parts=tuple(parts), stop=stop, usage=Usage(input=10, output=5))


def text(said: str, stop: StopReason = StopReason.END) -> ChatAnswer:
    """An answer in words."""
    return ChatAnswer(model="scripted", parts=(Text(text=said),), stop=stop, usage=Usage(input=10, output=5))
