"""Calls of tools, between wires that write arguments as text and those that write them as an object.

>>> arguments_object('{"path":"a.py"}')
{'path': 'a.py'}
>>> arguments_text({"path": "a.py"})
'{"path":"a.py"}'
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from karkhana.domain.chat import Message, Part, ToolCall, ToolResult

UNREADABLE = "unreadable_arguments"
"""Holds arguments that are no JSON object, on wires where they must be one."""


def arguments_object(text: str) -> dict[str, Any]:
    """Arguments as an object; those that are none stand under :data:`UNREADABLE`, so that nothing is lost."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {UNREADABLE: text}
    return found if isinstance(found, dict) else {UNREADABLE: text}


def arguments_text(arguments: Any) -> str:
    """The reverse of :func:`arguments_object`."""
    if isinstance(arguments, Mapping) and set(arguments) == {UNREADABLE}:
        return str(arguments[UNREADABLE])
    return json.dumps(arguments or {}, ensure_ascii=False, separators=(",", ":"))


def fresh_id(start: str = "call_") -> str:
    """An identifier for a call (or an answer) of a provider that gives none; never the same twice."""
    return f"{start}{secrets.token_hex(12)}"


def names_of_calls(messages: Iterable[Message]) -> dict[str, str]:
    """Identifier of each call → the tool's name, which results on some wires must have."""
    return {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCall)}


def results_first(parts: Iterable[Part]) -> list[Part]:
    """Results before what else the user says, as most wires want them."""
    return sorted(parts, key=lambda part: not isinstance(part, ToolResult))
