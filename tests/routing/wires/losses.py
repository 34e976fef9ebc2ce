"""What each wire cannot say, so that tests demand all the rest. The same table stands in docs/design/wires.md."""

from collections.abc import Callable

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Image, Message, Part, Role, Text, ToolResult, ToolUse

REFUSED = {
    "openai": (),
    "anthropic": (),
    "gemini": (),
    "openai_responses": ("stop sequences",),
    "ollama": ("a call that must be made", "images by address"),
}
"""A request with one of these is refused, for the answer would not be what was asked for."""
LOST = {
    "openai": (),
    "anthropic": (),
    "gemini": ("whether calls may be parallel",),
    "openai_responses": (),
    "ollama": ("the choice among tools", "where images stand", "kinds of images", "identifiers of answers"),
}
"""Left out."""


def sayable(wire: str, request: ChatRequest) -> ChatRequest:
    """The request without what the wire refuses."""
    refused = REFUSED[wire]
    if "stop sequences" in refused:
        request = msgspec.structs.replace(request, stop=())
    choice = request.tool_choice
    if "a call that must be made" in refused and choice is not None and choice.use is ToolUse.REQUIRED:
        request = msgspec.structs.replace(request, tool_choice=None)
    if "images by address" in refused:
        request = _each_part(request, lambda part: Text(text="?") if isinstance(part, Image) and part.url else part)
    return request


def told(wire: str, request: ChatRequest) -> ChatRequest:
    """What the wire can say. On all, neighbouring texts are one, and results may lose the tool's name."""
    lost = LOST[wire]
    request = msgspec.structs.replace(request, stream_usage=True, unknown=())
    if "whether calls may be parallel" in lost and request.tool_choice is not None:
        request = msgspec.structs.replace(
            request, tool_choice=msgspec.structs.replace(request.tool_choice, parallel=None)
        )
    if "the choice among tools" in lost:
        none = request.tool_choice is not None and request.tool_choice.use is ToolUse.NONE
        request = msgspec.structs.replace(request, tool_choice=None, tools=() if none else request.tools)
    if "kinds of images" in lost:
        request = _each_part(request, lambda part: Image(data=part.data) if isinstance(part, Image) else part)
    in_order = "where images stand" not in lost
    messages = tuple(_joined(message if in_order else _texts_first(message)) for message in request.messages)
    return msgspec.structs.replace(request, messages=messages)


def heard(wire: str, answer: ChatAnswer) -> ChatAnswer:
    """What the wire can say of an answer."""
    if "identifiers of answers" not in LOST[wire]:
        return answer
    usage = answer.usage
    if usage is not None:
        usage = msgspec.structs.replace(usage, input=usage.prompt, cache_read=0, reasoning=0)
    return msgspec.structs.replace(answer, id="", usage=usage)


def _each_part(request: ChatRequest, change: Callable[[Part], Part]) -> ChatRequest:
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(map(change, message.parts))) for message in request.messages
    )
    return msgspec.structs.replace(request, messages=messages)


def _texts_first(message: Message) -> Message:
    parts = tuple(sorted(message.parts, key=lambda part: isinstance(part, Image)))
    return msgspec.structs.replace(message, parts=parts)


def _joined(message: Message) -> Message:
    parts = []
    for said in message.parts:
        part = msgspec.structs.replace(said, name="") if isinstance(said, ToolResult) else said
        before = parts[-1] if parts else None
        if isinstance(part, Text) and isinstance(before, Text):
            sign = "" if message.role is Role.ASSISTANT else "\n"
            parts[-1] = Text(text=before.text + sign + part.text)
        else:
            parts.append(part)
    return msgspec.structs.replace(message, parts=tuple(parts))
