"""Calls that stand in a model's text: because it cannot make them and was asked for them so, or because it is weak.

They stand in tags or fences or are all of the text, as a JSON object or as a call in Python's way. What names no tool,
or is a quotation of what the model was shown, is no call, and of an answer that was cut off nothing is completed. Pure;
knows nothing of what becomes of them.

>>> from karkhana.domain.chat import StopReason
>>> said = Text(text='First I look.\\n```json\\n{"name": "read_file", "arguments": {"path": "cart.py"}}\\n```')
>>> answer = ChatAnswer(model="m", parts=(said,), stop=StopReason.END)
>>> for part in with_calls(answer, [Tool(name="read_file")], lambda text: False).parts:
...     print(part)
Text(text='First I look.', signature='', cache=<Cache.NONE: ''>)
ToolCall(id='', name='read_file', arguments='{"path": "cart.py"}', signature='', cache=<Cache.NONE: ''>)
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    Format,
    Message,
    Part,
    StopReason,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from karkhana.engineers.llm.sight import Sight

_BLOCK = re.compile(
    r"<(?P<tag>tool_calls?|function_calls?|tools?|call)>(?P<tagged>.*?)(?:</(?P=tag)>|(?P<open>\Z))"
    r"|```[ \t]*\w*[ \t]*\n(?P<fenced>.*?)(?:^[ \t]*```|(?P<unclosed>\Z))",
    re.DOTALL | re.MULTILINE,
)
_NAMES = ("name", "tool", "tool_name", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "params", "input")
THOUGHT = "thought"
"""What a model is asked for before a call: it finds the fault more often when it first says what it is."""
_THOUGHT = 300
"""Characters."""
_DECODER = json.JSONDecoder(strict=False)
"""Weak models leave the ends of lines in texts as they are."""
_MOST = 8
"""Calls of one answer."""
_LARGEST = 100_000
"""Characters of a text that is looked through."""
_PYTHON = 4_000
"""Characters of a call in Python's way; what is longer is not parsed."""

Parameters = Mapping[str, Sequence[str]]
"""Names of tools, with those of their parameters in order."""


class Written(NamedTuple):
    """A call that stands in a text."""

    name: str
    fields: dict[str, Any]
    text: str
    """As it was written."""
    thought: str = ""


def with_calls(answer: ChatAnswer, tools: Sequence[Tool], shown: Callable[[str], bool]) -> ChatAnswer:
    """The answer with the calls of its text as calls; unchanged if it made calls itself or wrote none.

    ``shown``: whether the model was shown a text before.
    """
    text = answer.text
    if answer.calls or not text or len(text) > _LARGEST:
        return answer
    parameters = {tool.name: list(tool.parameters.get("properties", ())) for tool in tools}
    cut = answer.stop is StopReason.LENGTH
    found = [each for each in written_calls(text, parameters, cut=cut) if not shown(each.text)][:_MOST]
    if not found:
        return answer
    calls = [ToolCall(id="", name=each.name, arguments=json.dumps(each.fields)) for each in found]
    before = _BLOCK.split(text, maxsplit=1)[0] if _BLOCK.search(text) else text[: text.index(found[0].text)]
    before = found[0].thought or before
    kept = [part for part in answer.parts if not isinstance(part, Text)]
    said = [Text(text=before.strip())] if before.strip() else []
    return msgspec.structs.replace(answer, parts=(*kept, *said, *calls))


def written_calls(text: str, parameters: Parameters, *, cut: bool = False) -> Iterator[Written]:
    """The calls, in the order of the text. ``cut``: the text ended because it was too long."""
    for piece in _pieces(text, cut=cut):
        yield from list(_from_json(piece, parameters)) or _from_python(piece, parameters)


def _pieces(text: str, *, cut: bool) -> list[str]:
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        return [text]
    whole = [block for block in blocks if not (cut and (block["open"] is not None or block["unclosed"] is not None))]
    return [block["tagged"] or block["fenced"] or "" for block in whole]


def _from_json(piece: str, parameters: Parameters) -> Iterator[Written]:
    at = piece.find("{")
    while at >= 0:
        try:
            found, end = _DECODER.raw_decode(piece, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if call := _call(found, parameters):
                yield Written(*call, piece[at:end], str(found.get(THOUGHT) or ""))
        at = piece.find("{", end)


def _call(found: Any, parameters: Parameters) -> tuple[str, dict[str, Any]] | None:
    """What an object means: ``{"name": …, "arguments": {…}}`` in one of the usual spellings, or flat."""
    name = next((found[key] for key in _NAMES if key in found), None)
    if isinstance(name, dict):
        return _call(name, parameters)
    if not isinstance(name, str):
        return None
    given = next((found[key] for key in _ARGUMENTS if isinstance(found.get(key), dict)), None)
    if given is not None:
        return name, given
    if name not in parameters:
        return None
    return name, {key: value for key, value in found.items() if key in parameters[name]}


def _from_python(piece: str, parameters: Parameters) -> Iterator[Written]:
    starts = re.compile(rf"^[ \t]*(?P<call>(?:{'|'.join(map(re.escape, parameters))})\(.*)", re.MULTILINE)
    for match in starts.finditer(piece):
        for text in (match["call"].strip(), piece[match.start("call") :].strip()):
            fields = _arguments(text, parameters)
            if fields is not None:
                yield Written(text.partition("(")[0], fields, text)
                break


def _arguments(text: str, parameters: Parameters) -> dict[str, Any] | None:
    """Of a single call in Python's way, all of whose arguments are plain values."""
    if len(text) > _PYTHON:
        return None
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        fields = dict(zip(parameters[call.func.id], map(ast.literal_eval, call.args), strict=False))
        fields |= {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
        msgspec.json.encode(fields)
    # what is no Python, no plain value, no JSON, or nested more deeply than the parser goes
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return None
    return fields


def one_call(tools: Sequence[Tool], sight: Sight) -> Format:
    """The form of an answer that is one call of one of the tools, and before it the thought that leads to it.

    Edits are held to the lines in ``sight``, if a file is.
    """
    calls = [
        {
            "type": "object",
            "properties": {
                THOUGHT: {"type": "string", "maxLength": _THOUGHT},
                "name": {"const": tool.name},
                "arguments": _arguments_of(tool, sight),
            },
            "required": [THOUGHT, "name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return Format(schema={"anyOf": calls}, name="call")


def _arguments_of(tool: Tool, sight: Sight) -> dict[str, Any]:
    parameters = {**tool.parameters, "additionalProperties": False}
    if tool.name == "edit_file" and sight.path and (lines := sight.lines):
        held = {"path": {"const": sight.path}, "old": {"enum": lines}}
        parameters["properties"] = {**tool.parameters["properties"], **held}
    return parameters


def in_text(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation for a model that knows texts only: its calls as it wrote them, and their results."""
    return tuple(
        msgspec.structs.replace(message, parts=_in_text(message.parts))
        if any(isinstance(part, ToolCall | ToolResult) for part in message.parts)
        else message
        for message in messages
    )


def _in_text(parts: Sequence[Part]) -> tuple[Part, ...]:
    told: list[Part] = []
    for part in parts:
        match part:
            case ToolCall():
                thought = told.pop().text if told and isinstance(told[-1], Text) else ""  # type: ignore[union-attr]
                start = json.dumps({THOUGHT: thought, "name": part.name})[:-1]
                told.append(Text(text=f'{start}, "arguments": {part.arguments}}}'))
            case ToolResult():
                text = "\n".join(each.text for each in part.parts if isinstance(each, Text))
                told.append(Text(text=text, cache=part.cache))
            case _:
                told.append(part)
    return tuple(told)
