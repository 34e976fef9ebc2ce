"""What a model is told and what it said: a task that stays, and turns that may be shortened and forgotten.

A turn is one answer and the results of its calls. What is pinned (instructions, ticket, the newest test results) never
goes. Knows nothing of tools and models; tokens are estimated from characters.

>>> from karkhana.domain.chat import StopReason
>>> talk = Conversation("rules", "ticket", room=1000)
>>> talk.answered(ChatAnswer(model="m", parts=(Text(text="hm"),), stop=StopReason.END))
>>> talk.told("go on")
>>> [message.role.value for message in talk.messages()]
['system', 'user', 'assistant', 'user']
"""

import itertools
from collections.abc import Iterable

import msgspec

from karkhana.domain.chat import (
    Cache,
    ChatAnswer,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

CHARACTERS = 3.3
"""Of code in one token; a little low, so that estimates are a little high."""
_OVERHEAD = 8
"""Tokens of a part besides its text."""
_SHORT = 300
"""Characters that are kept of a result that is shortened."""
_WHOLE = 4
"""Newest turns that are never shortened."""
_FULL = 0.6
"""Share of the room that is in use after turns were forgotten, so that the prompt's beginning is not new each turn."""


class Turn(msgspec.Struct):
    """One answer and what it was answered with."""

    said: tuple[Part, ...]
    results: tuple[Part, ...] = ()
    tokens: int = 0
    tests: bool = False
    """Whether a result of the suite is in it."""


class Compacted(msgspec.Struct, frozen=True):
    """What was done to make room."""

    before: int
    after: int
    """Tokens, estimated."""
    shortened: int
    forgotten: int
    """Turns."""


class Conversation:
    """Of one run."""

    def __init__(self, rules: str, task: str, *, room: int) -> None:
        """``room``: tokens that the prompt may have, about."""
        self.room = room
        self._rules, self._task = rules, task
        self._turns: list[Turn] = []
        self._digest: list[str] = []
        self._pinned = estimate(rules) + estimate(task) + 2 * _OVERHEAD
        self.tokens = self._pinned
        self._messages: list[Message] = []
        """Kept from turn to turn, so that a turn costs the same however long the run is."""
        self._rebuild()

    def answered(self, answer: ChatAnswer) -> None:
        """The model said something. A model cannot take an empty answer of its own back, so one is made a word."""
        said = tuple(part for part in answer.parts if not isinstance(part, Text) or part.text.strip())
        if not any(isinstance(part, Text | ToolCall) for part in said):
            said = (*said, Text(text="(nothing)"))
        self._turns.append(Turn(said))
        self._messages.append(Message(role=Role.ASSISTANT, parts=said))
        self._count(said)

    def returned(self, results: Iterable[ToolResult], *, tests: bool = False) -> None:
        """What came of the calls of the last answer: one result each."""
        self._reply(tuple(results), tests=tests)

    def told(self, text: str) -> None:
        """A word to the model, after the results if there are any."""
        self._reply((Text(text=text),))

    def messages(self) -> tuple[Message, ...]:
        """The whole prompt. The provider is asked to keep the task, and all up to the newest message."""
        *before, last = self._messages
        if last.role is Role.USER and before[1:]:
            marked = msgspec.structs.replace(last.parts[-1], cache=Cache.SHORT)
            last = msgspec.structs.replace(last, parts=(*last.parts[:-1], marked))
        return (*before, last)

    def shown(self, text: str) -> bool:
        """Whether a text stands in what the model was shown as material: the task and the results."""
        results = (part for turn in self._turns for part in turn.results if isinstance(part, ToolResult))
        shown = (each.text for result in results for each in result.parts if isinstance(each, Text))
        return any(text in each for each in (self._task, *shown))

    def compact(self, room: int | None = None) -> Compacted | None:
        """Make room if there is too little: shorten old results, then forget the oldest turns.

        The newest turns and the newest test results stay. Afterwards all calls have their results and the roles
        alternate (:func:`check`).
        """
        room = self.room if room is None else room
        if self.tokens <= room:
            return None
        before, shortened, forgotten = self.tokens, 0, 0
        goal = int(room * _FULL)
        pinned = self._newest_tests()
        for turn in self._turns[:-_WHOLE]:
            if self.tokens <= goal:
                break
            shortened += turn is not pinned and self._shorten(turn)
        for turn in self._turns[:-_WHOLE]:
            if self.tokens <= goal:
                break
            if turn is not pinned:
                self._forget(turn)
                forgotten += 1
        self._rebuild()
        check(self.messages())
        return Compacted(before, self.tokens, shortened, forgotten)

    # -- turns

    def _rebuild(self) -> None:
        task = "\n\n".join([self._task, *self._digested()])
        self._messages = [
            Message(role=Role.SYSTEM, parts=(Text(text=self._rules),)),
            Message(role=Role.USER, parts=(Text(text=task, cache=Cache.SHORT),)),
        ]
        for turn in self._turns:
            self._messages.append(Message(role=Role.ASSISTANT, parts=turn.said))
            if turn.results:
                self._messages.append(Message(role=Role.USER, parts=turn.results))

    def _reply(self, parts: tuple[ToolResult | Text, ...], *, tests: bool = False) -> None:
        turn = self._turns[-1]
        if turn.results:
            self._messages.pop()
        turn.results = (*turn.results, *parts)
        self._messages.append(Message(role=Role.USER, parts=turn.results))
        turn.tests |= tests
        self._count(parts)

    def _count(self, parts: Iterable[Part]) -> None:
        more = sum(map(tokens_of, parts))
        self._turns[-1].tokens += more
        self.tokens += more

    def _newest_tests(self) -> Turn | None:
        return next((turn for turn in reversed(self._turns) if turn.tests), None)

    def _shorten(self, turn: Turn) -> bool:
        turn.said = tuple(part for part in turn.said if not isinstance(part, Reasoning))
        turn.results = tuple(_shortened(part) for part in turn.results)
        tokens = sum(map(tokens_of, (*turn.said, *turn.results)))
        self.tokens -= turn.tokens - tokens
        changed, turn.tokens = tokens != turn.tokens, tokens
        return changed

    def _forget(self, turn: Turn) -> None:
        self._turns.remove(turn)
        self.tokens -= turn.tokens
        for call in turn.said:
            if isinstance(call, ToolCall):
                line = f"{call.name} {call.arguments[:120]}"
                self._digest.append(line)
        self._digest = self._digest[-60:]
        digest = sum(estimate(line) for line in self._digest)
        self.tokens = self._pinned + digest + sum(each.tokens for each in self._turns)

    def _digested(self) -> list[str]:
        if not self._digest:
            return []
        return ["Calls that you made before, whose results are forgotten:\n" + "\n".join(self._digest)]


def estimate(text: str) -> int:
    """Tokens of a text, about."""
    return int(len(text) / CHARACTERS) + 1


def tokens_of(part: Part) -> int:
    """Tokens of a part, about."""
    match part:
        case Text() | Reasoning():
            return estimate(part.text) + _OVERHEAD
        case ToolCall():
            return estimate(part.arguments) + estimate(part.name) + _OVERHEAD
        case ToolResult():
            return sum(map(tokens_of, part.parts)) + _OVERHEAD
        case Image():
            return 1_600


def _shortened(part: Part) -> Part:
    if not isinstance(part, ToolResult):
        return part
    text = "\n".join(each.text for each in part.parts if isinstance(each, Text))
    if len(text) <= _SHORT + 100:
        return part
    short = f"{text[:_SHORT]}\n… {len(text) - _SHORT} characters are forgotten; call again to see them …"
    return msgspec.structs.replace(part, parts=(Text(text=short),), cache=Cache.NONE)


class Broken(AssertionError):
    """A conversation that no provider would take: a bug of ours."""


def check(messages: tuple[Message, ...]) -> None:
    """What providers demand of a conversation. Raises :class:`Broken`."""
    roles = [message.role for message in messages]
    if roles[:2] != [Role.SYSTEM, Role.USER]:
        raise Broken("the instructions and the task must stand first")
    for before, after in itertools.pairwise(messages):
        if before.role is after.role:
            raise Broken(f"two messages of the {after.role.value} follow each other")
        asked = [part.id for part in before.parts if isinstance(part, ToolCall)]
        given = [part.id for part in after.parts if isinstance(part, ToolResult)]
        if asked != given:
            raise Broken(f"calls {asked} have the results {given}")
    if any(not message.parts for message in messages):
        raise Broken("a message is empty")
