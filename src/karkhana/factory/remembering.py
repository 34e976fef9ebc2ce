"""What a run's engineer already heard and did, so that its work goes on where it was: after a crash, a pause, a rewind.

The trail has every answer of the model and every result of a tool. In a fresh workspace the answers are given again
and the results are returned again, with the files that they changed, and nothing is asked or run a second time; what
comes after is new. Knows nothing of how an engineer works.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import AnyEvent, ModelAnswered, ToolCalled, ToolReturned, WorkspaceOpened
from karkhana.domain.money import usd
from karkhana.domain.tools import ToolCall
from karkhana.ports import ChatModel, Said, Tools
from karkhana.workspace.toolbox import Toolbox, as_data

R = TypeVar("R")


class Memory(msgspec.Struct, frozen=True):
    """Of one engineer in one run."""

    answers: tuple[ModelAnswered, ...]
    calls: tuple[tuple[ToolCalled, ToolReturned], ...]
    reviews: tuple[ModelAnswered, ...] = ()

    @property
    def turns(self) -> int:
        """Answers that moved the work on; those to a question beforehand are numbered apart."""
        return sum(map(_is_turn, self.answers))


def _is_turn(answer: ModelAnswered) -> bool:
    return answer.purpose != "criteria"


def memory_of(events: Iterable[AnyEvent], engineer: str, turn: int | None = None, attempt: int | None = None) -> Memory:
    """What an engineer heard and did in its longest piece of work; with ``turn``, as of that answer.

    ``attempt``: only of that one of the run's attempts.
    """
    best = Memory((), ())
    answers: list[ModelAnswered] = []
    reviews: list[ModelAnswered] = []
    calls: list[tuple[ToolCalled, ToolReturned]] = []
    called: ToolCalled | None = None
    ours, turns = False, 0
    for event in events:
        match event:
            case WorkspaceOpened():
                ours = event.engineer == engineer and attempt in (None, event.attempt)
                answers, reviews, calls, called, turns = [], [], [], None, 0
            case ModelAnswered(purpose="review") if ours:
                reviews.append(event)
            case ModelAnswered() if ours and turns == turn:
                ours = False
            case ModelAnswered() if ours:
                answers.append(event)
                turns += _is_turn(event)
            case ToolCalled() if ours:
                called = event
            case ToolReturned() if ours and called is not None:
                calls.append((called, event))
                called = None
        if (len(answers), len(calls), len(reviews)) > (len(best.answers), len(best.calls), len(best.reviews)):
            best = Memory(tuple(answers), tuple(calls), tuple(reviews))
    return best


class RememberingModel:
    """Gives the answers that were given before; then asks."""

    def __init__(self, model: ChatModel, answers: Iterable[ModelAnswered]) -> None:
        self.name = model.name
        self.context = model.context
        self.calls_tools = model.calls_tools
        self._model = model
        self._answers = deque(answers)

    def ask(self, request: ChatRequest) -> Said:
        """Raises what the model raises."""
        if not self._answers:
            return self._model.ask(request)
        event = self._answers.popleft()
        return Said(
            answer=msgspec.convert(event.answer, ChatAnswer),
            place=event.place,
            cost=usd(event.cost_usd) if event.cost_usd else None,
            recalled=True,
        )


class RememberingTools:
    """Returns what was returned before, with the files that it changed; then carries calls out.

    A call that is another than the one before ends the memory: the work took another way.
    """

    def __init__(
        self, toolbox: Toolbox, calls: Iterable[tuple[ToolCalled, ToolReturned]], content: Callable[[str], bytes]
    ) -> None:
        """``content`` gives the bytes of a file's version by their SHA-256."""
        self._toolbox = toolbox
        self._calls = deque(calls)
        self._content = content

    def foresee(self, calls: Sequence[ToolCall[Any]]) -> None:
        """Only what is not remembered can be looked up beforehand."""
        if not self._calls:
            self._toolbox.foresee(calls)

    def call(self, call: ToolCall[R]) -> R:
        """Raises what the call did raise, or does."""
        if self._calls:
            called, returned = self._calls.popleft()
            if called.call == as_data(call):
                return self._toolbox.recall(call, returned, self._content)
            self._calls.clear()
        return self._toolbox.call(call)


def remembering(
    model: ChatModel | None, toolbox: Toolbox, memory: Memory, content: Callable[[str], bytes]
) -> tuple[ChatModel | None, Tools]:
    """The model and the tools of an engineer that goes on."""
    if model is None or not memory.answers:
        return model, toolbox
    return RememberingModel(model, memory.answers), RememberingTools(toolbox, memory.calls, content)


def reviewing(model: ChatModel | None, memory: Memory) -> ChatModel | None:
    """The reviewer of an engineer that goes on."""
    return RememberingModel(model, memory.reviews) if model is not None and memory.reviews else model


def whole(memory: Memory, content: Callable[[str], bytes]) -> bool:
    """Whether every version of every file is there as it was: what held a secret is not kept."""
    try:
        for _, returned in memory.calls:
            for change in returned.changed:
                if change.after is not None:
                    content(change.after.sha256)
    except KarkhanaError:
        return False
    return True
