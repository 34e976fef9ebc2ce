"""Is asked as Anthropic's Messages. Knows nothing of connections."""

from collections.abc import Iterator
from typing import Any

import msgspec

from karkhana.domain.chat import (
    Cache,
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
from karkhana.routing.wires.anthropic.errors import NO_THREADS, refusal_of
from karkhana.routing.wires.anthropic.writing import MessagesWriter, body_of
from karkhana.routing.wires.cache_marks import cache_of
from karkhana.routing.wires.images import bytes_of
from karkhana.routing.wires.seals import sealed, with_proofs
from karkhana.routing.wires.tool_calls import arguments_text
from karkhana.routing.wires.wire import (
    BadRequest,
    Json,
    flag_of,
    object_of,
    objects_of,
    request_of,
    text_of,
    unknown_fields,
)

_CHOICES = {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "tool": ToolUse.REQUIRED, "none": ToolUse.NONE}
_PLAIN = ("temperature", "top_p", "top_k", "max_tokens")
_KNOWN = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", "output_config", "output_format", "stop_sequences"),
        *("stream", "thinking", "metadata", "cache_control", *_PLAIN),
    }
)


class MessagesServer:
    """Is asked as a Messages server."""

    def request(self, path: str, body: Json) -> ChatRequest:
        del path
        if not body.get("messages"):
            raise BadRequest("messages must hold at least one message", "messages")
        if body.get("thread") is not None:
            message = "thread is not supported: nothing is kept here, send the whole conversation"
            raise BadRequest(message, "thread", code=NO_THREADS)
        system = tuple(_texts(body.get("system"), "system"))
        messages = [Message(role=Role.SYSTEM, parts=system)] if system else []
        messages += [_message(each, place) for each, place in objects_of(body["messages"], "messages")]
        config = object_of(body.get("output_config"), "output_config")
        tools, unknown = _tools(body.get("tools"))
        return request_of(
            {
                "model": text_of(body.get("model"), "model"),
                "messages": _marked(messages, cache_of(body)),
                "tools": tools,
                "tool_choice": _choice(body.get("tool_choice")),
                "format": _format(config.get("format") or body.get("output_format")),
                "stop": body.get("stop_sequences") or (),
                "stream": bool(body.get("stream")),
                "user": object_of(body.get("metadata"), "metadata").get("user_id") or "",
                "unknown": (*unknown_fields(body, _KNOWN), *unknown),
                **_thinking(object_of(body.get("thinking"), "thinking"), config.get("effort") or ""),
                **{name: body.get(name) for name in _PLAIN},
            }
        )

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        return body_of(answer, request)

    def writer(self, request: ChatRequest) -> MessagesWriter:
        return MessagesWriter(request)

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        return refusal_of(fault)


def _thinking(thinking: Json, effort: Any) -> Json:
    shown = thinking.get("display")
    match thinking.get("type"):
        case "enabled":
            # Models with a budget show their thinking unless they are told not to.
            budget = thinking.get("budget_tokens")
            return {"effort": effort, "reasoning_tokens": budget, "show_reasoning": shown != "omitted"}
        case "adaptive":
            return {"effort": effort or "auto", "show_reasoning": shown == "summarized"}
        case "disabled":
            return {"effort": "none"}
        case _:
            return {"effort": effort}


def _message(value: Json, field: str) -> Message:
    try:
        role = Role(str(value.get("role")))
    except ValueError as error:
        raise BadRequest(f"{field}.role must be user, assistant or system", f"{field}.role") from error
    if isinstance(value.get("content"), str):
        return Message(role=role, parts=(Text(text=value["content"]),))
    said = objects_of(value.get("content"), f"{field}.content")
    return Message(role=role, parts=tuple(with_proofs(_part(each, place) for each, place in said)))


def _part(block: Json, field: str) -> Part:
    match block.get("type"):
        case "thinking":
            signature = text_of(block.get("signature") or "", f"{field}.signature")
            text = text_of(block.get("thinking") or "", f"{field}.thinking")
            return Reasoning(text=text, signature=sealed(signature, "anthropic"))
        case "redacted_thinking":
            return Reasoning(hidden=sealed(text_of(block.get("data"), f"{field}.data"), "anthropic"))
        case "tool_use":
            return ToolCall(
                id=text_of(block.get("id"), f"{field}.id"),
                name=text_of(block.get("name"), f"{field}.name"),
                arguments=arguments_text(object_of(block.get("input"), f"{field}.input")),
                cache=cache_of(block),
            )
        case "tool_result":
            return ToolResult(
                id=text_of(block.get("tool_use_id"), f"{field}.tool_use_id"),
                parts=tuple(_shown(block.get("content"), f"{field}.content")),
                failed=bool(block.get("is_error")),
                cache=cache_of(block),
            )
        case _:
            return _plain(block, field)


def _plain(block: Json, field: str) -> Text | Image:
    source = object_of(block.get("source"), f"{field}.source")
    match block.get("type"), source.get("type"):
        case "text", _:
            return Text(text=text_of(block.get("text"), f"{field}.text"), cache=cache_of(block))
        case "image", "base64":
            data = bytes_of(text_of(source.get("data"), f"{field}.source.data"), f"{field}.source.data")
            return Image(media_type=str(source.get("media_type") or ""), data=data, cache=cache_of(block))
        case "image", "url":
            return Image(url=text_of(source.get("url"), f"{field}.source.url"), cache=cache_of(block))
        case "document", "text":
            return Text(text=text_of(source.get("data"), f"{field}.source.data"), cache=cache_of(block))
        case kind, _:
            raise BadRequest(f"{field}: blocks of the type {kind!r} (with this source) are not supported", field)


def _shown(content: Any, field: str) -> Iterator[Text | Image]:
    if isinstance(content, str):
        yield Text(text=content)
        return
    for each, place in objects_of(content, field):
        yield _plain(each, place)


def _texts(value: Any, field: str) -> Iterator[Text]:
    for part in _shown(value, field):
        if not isinstance(part, Text):
            raise BadRequest(f"{field} must hold nothing but texts", field)
        yield part


def _marked(messages: list[Message], cache: Cache) -> list[Message]:
    """A mark of the whole request is one on the last part that can have one."""
    if cache and messages and messages[-1].parts:
        *before, last = messages[-1].parts
        if not isinstance(last, Reasoning):
            parts = (*before, msgspec.structs.replace(last, cache=last.cache or cache))
            messages[-1] = msgspec.structs.replace(messages[-1], parts=parts)
    return messages


def _tools(value: Any) -> tuple[list[Tool], list[str]]:
    """Tools of the client; those that the provider would run are named as unknown."""
    tools, unknown = [], []
    for tool, place in objects_of(value, "tools"):
        if tool.get("type") not in (None, "custom"):
            unknown.append(f"{place}.type={tool['type']}")
            continue
        tools.append(
            Tool(
                name=text_of(tool.get("name"), f"{place}.name"),
                description=text_of(tool.get("description") or "", f"{place}.description"),
                parameters=object_of(tool.get("input_schema"), f"{place}.input_schema"),
                strict=flag_of(tool.get("strict"), f"{place}.strict"),
                cache=cache_of(tool),
            )
        )
    return tools, unknown


def _choice(value: Any) -> ToolChoice | None:
    choice = object_of(value, "tool_choice")
    if not choice:
        return None
    kind = choice.get("type")
    if kind not in _CHOICES:
        raise BadRequest(f"tool_choice.type {kind!r} is none of {', '.join(_CHOICES)}", "tool_choice.type")
    name = text_of(choice.get("name"), "tool_choice.name") if kind == "tool" else ""
    single = flag_of(choice.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
    return ToolChoice(use=_CHOICES[kind], name=name, parallel=None if single is None else not single)


def _format(value: Any) -> Format | None:
    wanted = object_of(value, "output_config.format")
    if not wanted:
        return None
    if wanted.get("type") != "json_schema":
        raise BadRequest("output_config.format must be a json_schema", "output_config.format")
    return Format(schema=object_of(wanted.get("schema"), "output_config.format.schema"), strict=True)
