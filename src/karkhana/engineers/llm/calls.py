"""Turns what a model wrote into a tool call, mending what can be mended without guessing.

Weak models write Python's quotes, trailing commas, fences around their JSON, numbers as text, or a name that is
nearly right. What was cut off is never completed: half a file is not a file.

>>> read("read_file", '{"path": "cart.py", "start": "3",}')
ReadFile(path='cart.py', start=3, end=None)
>>> read("run_command", '{"command": "ls | wc -l"}').argv
('sh', '-c', 'ls | wc -l')
"""

import difflib
import functools
from typing import Any

import msgspec

from karkhana.domain.json import canonical
from karkhana.domain.tools import AnyToolCall, CallForeign, RunCommand, ToolCall
from karkhana.engineers.llm.prompting import told, tools

SHELL = ("sh", "-c")


class GiveUp(msgspec.Struct, frozen=True, kw_only=True, tag_field="tool", tag="give_up"):
    """The model says that the ticket cannot be done."""

    reason: str
    question: str = ""


class _Shell(msgspec.Struct, frozen=True, kw_only=True, tag_field="tool", tag="run_command"):
    command: str
    timeout_s: float | None = None


class Unreadable(Exception):
    """A call that cannot be carried out as it was written; the message is for the model."""


READERS = frozenset({"list_files", "read_file", "search", "review_diff"})
"""Tools that only look, so that the order of several of them does not matter."""


def read(
    name: str, arguments: str, *, cut: bool = False, foreign: frozenset[str] = frozenset()
) -> ToolCall[Any] | GiveUp:
    """The call. ``cut``: the answer was cut off, so arguments that are not whole are refused. Raises ``Unreadable``.

    ``foreign``: names of the user's own tools.
    """
    if _is_foreign(name, foreign):
        server, _, tool = name.partition("__")
        written = canonical(_fields(name, arguments, cut=cut)).decode()
        return CallForeign(server=server, name=tool, arguments=written)
    known = _known(name, foreign)
    fields = _fields(known, arguments, cut=cut)
    found: ToolCall[Any] | GiveUp
    try:
        if known == "give_up":
            return msgspec.convert(fields, GiveUp, strict=False)
        if known == "run_command":
            shell = msgspec.convert(fields, _Shell, strict=False)
            return RunCommand(argv=(*SHELL, shell.command), timeout_s=shell.timeout_s)
        found = msgspec.convert({**fields, "tool": known}, AnyToolCall, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unreadable(told("result", "malformed", name=known, error=error)) from None
    return found


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(tool.name for tool in tools())


def _is_foreign(name: str, foreign: frozenset[str]) -> bool:
    """Also a tool of the user's servers that is not allowed: its refusal belongs in the trail like any other."""
    server, mark, tool = name.partition("__")
    return name in foreign or bool(mark and tool and any(each.startswith(f"{server}__") for each in foreign))


def _known(name: str, foreign: frozenset[str]) -> str:
    names = _names()
    plain = name.strip().rpartition(".")[2].lower().replace("-", "_")
    if plain in names:
        return plain
    near = difflib.get_close_matches(plain, names, n=1, cutoff=0.85)
    if near:
        return near[0]
    raise Unreadable(told("result", "unknown", name=repr(name[:60]), names=", ".join([*names, *sorted(foreign)])))


def _fields(name: str, arguments: str, *, cut: bool) -> dict[str, Any]:
    try:
        found: Any = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if cut:
            raise Unreadable(told("nudge", "cut")) from None
        found = _mended(arguments)
        if not isinstance(found, dict):
            raise Unreadable(told("result", "malformed", name=name, error=error)) from None
    if isinstance(found, str):
        # Some models write the object as a text within a text.
        return _fields(name, found, cut=cut) if found.lstrip().startswith("{") else {}
    if not isinstance(found, dict):
        raise Unreadable(told("result", "malformed", name=name, error="they are no object"))
    return {key: value for key, value in found.items() if value is not None}


def _mended(arguments: str) -> Any:
    # Needed for the slips of weak models only, and it takes 0.08 s to import.
    import json_repair

    try:
        found = json_repair.loads(arguments)
        # It lets halves of characters through, which no file and no JSON can hold.
        msgspec.json.encode(found)
    except (ValueError, RecursionError):
        return None
    return found
