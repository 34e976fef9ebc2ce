"""Tools of Responses that take one text instead of JSON (``custom``), as functions with one argument.

Other wires know only functions. A grammar of the text, to which only OpenAI's models are held, goes into the
description.

Source: https://platform.openai.com/docs/guides/function-calling#custom-tools.

>>> input_of(arguments_of("*** Begin Patch"))
'*** Begin Patch'
"""

from collections.abc import Iterable

from karkhana.domain.chat import Tool
from karkhana.routing.wires.tool_calls import arguments_object, arguments_text
from karkhana.routing.wires.wire import Json, object_of, text_of

_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "the whole input, as it is described"}},
    "required": ["input"],
    "additionalProperties": False,
}


def tool_of(value: Json, field: str) -> Tool:
    """Raises ``BadRequest``."""
    description = text_of(value.get("description") or "", f"{field}.description")
    form = object_of(value.get("format"), f"{field}.format")
    if form.get("type") == "grammar":
        grammar = text_of(form.get("definition"), f"{field}.format.definition")
        description = f"{description}\n\nThe input fits this grammar ({form.get('syntax')}):\n{grammar}".lstrip()
    name = text_of(value.get("name"), f"{field}.name")
    return Tool(name=name, description=description, parameters=_PARAMETERS, freeform=True)


def freeform(tools: Iterable[Tool]) -> frozenset[str]:
    """Names of those that take one text."""
    return frozenset(tool.name for tool in tools if tool.freeform)


def arguments_of(text: str) -> str:
    """The text as arguments of a function."""
    return arguments_text({"input": text})


def input_of(arguments: str) -> str:
    """The reverse of :func:`arguments_of`; what does not fit is given as it is."""
    found = arguments_object(arguments).get("input")
    return found if isinstance(found, str) else arguments
