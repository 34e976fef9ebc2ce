"""Tells the tools which calls of an answer only look, so that they can carry them out together.

A hint and nothing more: each call is made, answered and refused in its turn. Knows nothing of how tools do it.
"""

from collections.abc import Sequence
from typing import Any

from karkhana.domain import tools as kinds
from karkhana.domain.chat import ToolCall
from karkhana.engineers.llm.calls import READERS, GiveUp, Unreadable, read
from karkhana.ports import ForeseeingTools, Tools


def foresee(tools: Tools, calls: Sequence[ToolCall]) -> None:
    """Announce the calls that stand before the first one that may change something."""
    if len(calls) < 2 or not isinstance(tools, ForeseeingTools):
        return
    ahead: list[kinds.ToolCall[Any]] = []
    for call in calls:
        if call.name not in READERS:
            break
        try:
            wanted = read(call.name, call.arguments)
        except Unreadable:
            continue  # told the model in its turn
        if not isinstance(wanted, GiveUp):
            ahead.append(wanted)
    if len(ahead) > 1:
        tools.foresee(ahead)
