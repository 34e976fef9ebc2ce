"""How a model is worked with: the tools that it is offered, its rules, and how much it is told at once.

An able model gets everything. A weak one, or one with little room, gets few tools in few words, short results, and is
told after each step which one comes next; it does not review itself. Knows the model's name and context only.

>>> manner_of("claude-sonnet-4-5", 200_000).rules, manner_of("qwen2.5-coder-1.5b", 8_192).rules
('system', 'system_brief')
"""

from typing import Any

import msgspec

from karkhana.domain.chat import Tool
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import EditResult, FileText
from karkhana.engineers.llm.capability import is_weak
from karkhana.engineers.llm.conversation import CHARACTERS, estimate
from karkhana.engineers.llm.prompting import told, tools
from karkhana.engineers.llm.rendering import LONGEST

_PROMPT = 0.7
"""Share of the model's context that prompt and answer may take; estimates are not exact."""
_ANSWER = 8192
"""Tokens, at most."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model. Tokens are estimated."""

    brief: bool
    written: bool
    """The model makes no calls: it is asked to write them."""
    tools: tuple[Tool, ...]
    answer_tokens: int
    map_tokens: int
    """Of the repository's map."""
    room: int
    """Tokens of instructions and conversation."""
    temperature: float | None = None
    """``None``: the provider's default."""
    stirred: float | None = None
    """The temperature after a step that was made before: a weak model repeats itself for ever without chance."""

    @property
    def rules(self) -> str:
        """The template of the instructions."""
        return "system_brief" if self.brief else "system"

    @property
    def failing(self) -> int:
        """Failing tests that are told with their messages."""
        return 3 if self.brief else 8

    def characters(self, share: float, most: int) -> int:
        """A bound for one text that may take such a share of the room."""
        return min(most, int(self.room * CHARACTERS * share))

    @property
    def longest(self) -> int:
        """Characters of one result."""
        return self.characters(0.2, LONGEST)

    def next_step(self, result: Any) -> str:
        """What a weak model is told to do after a result; ``None``: its edit was refused."""
        if not self.brief:
            return ""
        match result:
            case None:
                step = "refused"
            case FileText():
                step = "read"
            case EditResult():
                step = "edited"
            case TestReport():
                step = "passed" if result.green else "failed"
            case _:
                return ""
        return "\n" + told("step", step)


def manner_of(name: str, context: int, *, calls_tools: bool = True) -> Manner:
    """The manner for a model by its name, its context in tokens, and whether it can call tools."""
    brief = is_weak(name, context)
    offered = tools(brief=brief)
    answer_tokens = min(_ANSWER, context // 8 if brief else context // 4)
    described = sum(estimate(msgspec.json.encode(tool).decode()) for tool in offered)
    return Manner(
        brief=brief,
        written=not calls_tools,
        tools=offered,
        answer_tokens=answer_tokens,
        map_tokens=context // (64 if brief else 16),
        room=int(context * _PROMPT) - answer_tokens - described,
        temperature=0.0 if brief else None,
        stirred=0.8 if brief else None,
    )
