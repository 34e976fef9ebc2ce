"""Is asked as a Chat Completions server. Knows nothing of connections."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.cache_marks import cache_of
from karkhana.routing.wires.images import image_of
from karkhana.routing.wires.openai_chat.answers import signature_of
from karkhana.routing.wires.openai_chat.writing import ChatWriter, body_of
from karkhana.routing.wires.openai_errors import refusal_of
from karkhana.routing.wires.wire import (
    BadRequest,
    Json,
    object_of,
    objects_of,
    request_of,
    text_of,
    unknown_fields,
)

_PLAIN = ("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty")
_KNOWN = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "max_tokens", "n"),
        *("max_completion_tokens", "stop", "reasoning_effort", "stream", "stream_options", "user", *_PLAIN),
        *("safety_identifier", "prompt_cache_key"),
    }
)


class ChatServer:
    """Is asked as a Chat Completions server."""

    def request(self, path: str, body: Json) -> ChatRequest:
        del path
        if body.get("n") not in (None, 1):
            raise BadRequest("only one choice (n = 1) can be asked for", "n")
        messages = [_message(each, place) for each, place in objects_of(body.get("messages"), "messages")]
        if not messages:
            raise BadRequest("messages must hold at least one message", "messages")
        stop = body.get("stop") or ()
        return request_of(
            {
                "model": text_of(body.get("model"), "model"),
                "messages": _joined(messages),
                "tools": [_tool(each, place) for each, place in objects_of(body.get("tools"), "tools")],
                "tool_choice": _choice(body.get("tool_choice"), body.get("parallel_tool_calls")),
                "format": _format(body.get("response_format")),
                "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens"),
                "stop": [stop] if isinstance(stop, str) else stop,
                "effort": body.get("reasoning_effort") or "",
                "stream": bool(body.get("stream")),
                "stream_usage": bool(object_of(body.get("stream_options"), "stream_options").get("include_usage")),
                "user": body.get("user") or body.get("safety_identifier") or "",
                "cache_key": body.get("prompt_cache_key") or "",
                "unknown": unknown_fields(body, _KNOWN),
                **{name: body.get(name) for name in _PLAIN},
            }
        )

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        return body_of(answer, request)

    def writer(self, request: ChatRequest) -> ChatWriter:
        return ChatWriter(request)

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        return refusal_of(fault)


def _message(value: Json, field: str) -> Message:
    role = value.get("role")
    name = text_of(value.get("name") or "", f"{field}.name")
    if role in ("system", "developer"):
        return Message(role=Role.SYSTEM, parts=tuple(_content(value.get("content"), f"{field}.content")), name=name)
    if role == "user":
        return Message(role=Role.USER, parts=tuple(_content(value.get("content"), f"{field}.content")), name=name)
    if role in ("tool", "function"):
        identifier = text_of(value.get("tool_call_id") or name, f"{field}.tool_call_id")
        parts = tuple(_content(value.get("content"), f"{field}.content"))
        return Message(role=Role.USER, parts=(ToolResult(id=identifier, parts=parts, name=name),))
    if role == "assistant":
        return Message(role=Role.ASSISTANT, parts=tuple(_assistant(value, field)), name=name)
    raise BadRequest(f"{field}.role {role!r} is none of system, developer, user, assistant, tool", f"{field}.role")


def _assistant(value: Json, field: str) -> Iterable[Part]:
    if isinstance(thought := value.get("reasoning_content"), str) and thought:
        yield Reasoning(text=thought)
    yield from _content(value.get("content") or value.get("refusal"), f"{field}.content")
    for call, place in objects_of(value.get("tool_calls"), f"{field}.tool_calls"):
        function = object_of(call.get("function"), f"{place}.function")
        yield ToolCall(
            id=text_of(call.get("id"), f"{place}.id"),
            name=text_of(function.get("name"), f"{place}.function.name"),
            arguments=text_of(function.get("arguments") or "", f"{place}.function.arguments"),
            signature=_signature(call, place),
        )


def _signature(call: Json, field: str) -> str:
    try:
        return signature_of(call)
    except AttributeError as error:
        raise BadRequest(f"{field}.extra_content must hold objects", f"{field}.extra_content") from error


def _content(value: Any, field: str) -> Iterable[Text | Image]:
    if isinstance(value, str):
        yield Text(text=value)
        return
    for part, place in objects_of(value, field):
        kind = part.get("type")
        if kind in ("text", "refusal"):
            yield Text(text=text_of(part.get(kind), f"{place}.{kind}"), cache=cache_of(part))
        elif kind == "image_url":
            address = part.get("image_url")
            url = text_of(address.get("url") if isinstance(address, Mapping) else address, place)
            yield image_of(url, place, cache_of(part))
        else:
            raise BadRequest(
                f"{place}: parts of the type {kind!r} are not supported; there are text and image_url", place
            )


def _joined(messages: list[Message]) -> list[Message]:
    """Results of calls that were made together belong to one message."""
    found: list[Message] = []
    for message in messages:
        results = bool(message.parts) and all(isinstance(part, ToolResult) for part in message.parts)
        if results and found and found[-1].parts and all(isinstance(p, ToolResult) for p in found[-1].parts):
            found[-1] = msgspec.structs.replace(found[-1], parts=found[-1].parts + message.parts)
        else:
            found.append(message)
    return found


def _tool(value: Json, field: str) -> Tool:
    if value.get("type", "function") != "function":
        raise BadRequest(f"{field}: tools of the type {value['type']!r} are not supported; functions are", field)
    function = object_of(value.get("function"), f"{field}.function")
    return Tool(
        name=text_of(function.get("name"), f"{field}.function.name"),
        description=text_of(function.get("description") or "", f"{field}.function.description"),
        parameters=object_of(function.get("parameters"), f"{field}.function.parameters"),
        strict=function.get("strict"),
        cache=cache_of(value),
    )


def _choice(value: Any, parallel: bool | None) -> ToolChoice | None:
    if value is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(value, Mapping):
        function = value.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        return ToolChoice(use=ToolUse.REQUIRED, name=text_of(name, "tool_choice.function.name"), parallel=parallel)
    try:
        return ToolChoice(use=ToolUse(value), parallel=parallel)
    except ValueError as error:
        raise BadRequest(f"tool_choice {value!r} is none of auto, none, required", "tool_choice") from error


def _format(value: Any) -> Format | None:
    if value is None or (isinstance(value, Mapping) and value.get("type") == "text"):
        return None
    kind = value.get("type") if isinstance(value, Mapping) else value
    if kind == "json_object":
        return Format()
    if kind != "json_schema" or not isinstance(value.get("json_schema"), Mapping):
        raise BadRequest("response_format must be text, json_object or json_schema", "response_format")
    schema = value["json_schema"]
    return Format(
        schema=object_of(schema.get("schema"), "response_format.json_schema.schema"),
        name=str(schema.get("name") or "answer"),
        description=str(schema.get("description") or ""),
        strict=schema.get("strict"),
    )
