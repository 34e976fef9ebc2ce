"""Is asked as OpenAI's Responses. Knows nothing of connections, and keeps nothing between requests."""

from collections.abc import Iterator
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    Part,
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
from karkhana.routing.wires.openai_errors import refusal_of
from karkhana.routing.wires.openai_responses import freeform
from karkhana.routing.wires.openai_responses.answers import reasoning_of
from karkhana.routing.wires.openai_responses.freeform import arguments_of
from karkhana.routing.wires.openai_responses.writing import ResponsesWriter, body_of
from karkhana.routing.wires.seals import with_proofs
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

_PLAIN = ("temperature", "top_p")
_STATE = ("previous_response_id", "conversation", "background", "prompt")
"""What is kept between requests; nothing is here."""
_HARMLESS = ("include", "store", "truncation", "metadata", "stream_options", "service_tier")
_KNOWN = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning"),
        *("max_output_tokens", "stream", "user", "safety_identifier", "prompt_cache_key", *_PLAIN, *_HARMLESS),
    }
)
_TEXTS = ("input_text", "output_text", "text", "refusal", "summary_text")


class ResponsesServer:
    """Is asked as a Responses server."""

    def request(self, path: str, body: Json) -> ChatRequest:
        del path
        for name in _STATE:
            if body.get(name):
                raise BadRequest(f"{name} is not supported: nothing is kept here, send the whole conversation", name)
        tools, unknown = _tools(body.get("tools"))
        reasoning = object_of(body.get("reasoning"), "reasoning")
        return request_of(
            {
                "model": text_of(body.get("model"), "model"),
                "messages": _messages(body),
                "tools": tools,
                "tool_choice": _choice(body.get("tool_choice"), body.get("parallel_tool_calls")),
                "format": _format(object_of(body.get("text"), "text").get("format")),
                "max_tokens": body.get("max_output_tokens"),
                "effort": reasoning.get("effort") or "",
                "show_reasoning": bool(reasoning.get("summary")),
                "stream": bool(body.get("stream")),
                "user": body.get("user") or body.get("safety_identifier") or "",
                "cache_key": body.get("prompt_cache_key") or "",
                "unknown": (*unknown_fields(body, _KNOWN), *unknown),
                **{name: body.get(name) for name in _PLAIN},
            }
        )

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        return body_of(answer, request)

    def writer(self, request: ChatRequest) -> ResponsesWriter:
        return ResponsesWriter(request)

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        return refusal_of(fault)


def _messages(body: Json) -> list[Message]:
    found = []
    if body.get("instructions"):
        instructions = text_of(body["instructions"], "instructions")
        found.append(Message(role=Role.SYSTEM, parts=(Text(text=instructions),)))
    if isinstance(body.get("input"), str):
        return [*found, Message(role=Role.USER, parts=(Text(text=body["input"]),))]
    items = [_item(item, place) for item, place in objects_of(body.get("input"), "input")]
    if not items:
        raise BadRequest("input must hold at least one item", "input")
    return [*found, *_joined(items)]


def _item(item: Json, field: str) -> tuple[Role, tuple[Part, ...]]:
    match item.get("type") or ("message" if "role" in item else None):
        case "message":
            return _role(item.get("role"), field), tuple(_content(item.get("content"), f"{field}.content"))
        case "function_call":
            call = ToolCall(
                id=text_of(item.get("call_id"), f"{field}.call_id"),
                name=text_of(item.get("name"), f"{field}.name"),
                arguments=text_of(item.get("arguments") or "", f"{field}.arguments"),
            )
            return Role.ASSISTANT, (call,)
        case "custom_tool_call":
            call = ToolCall(
                id=text_of(item.get("call_id"), f"{field}.call_id"),
                name=text_of(item.get("name"), f"{field}.name"),
                arguments=arguments_of(text_of(item.get("input") or "", f"{field}.input")),
            )
            return Role.ASSISTANT, (call,)
        case "function_call_output" | "custom_tool_call_output":
            parts = tuple(_content(item.get("output"), f"{field}.output"))
            result = ToolResult(
                id=text_of(item.get("call_id"), f"{field}.call_id"),
                name=text_of(item.get("name") or "", f"{field}.name"),
                parts=parts,
            )
            return Role.USER, (result,)
        case "reasoning":
            try:
                return Role.ASSISTANT, (reasoning_of(item),)
            except (TypeError, AttributeError) as error:
                raise BadRequest(f"{field} is no reasoning item", field) from error
        case kind:
            raise BadRequest(f"{field}: items of the type {kind!r} are not supported", f"{field}.type")


def _role(value: Any, field: str) -> Role:
    if value == "developer":
        return Role.SYSTEM
    try:
        return Role(str(value))
    except ValueError as error:
        raise BadRequest(f"{field}.role must be user, assistant, system or developer", f"{field}.role") from error


def _joined(items: list[tuple[Role, tuple[Part, ...]]]) -> Iterator[Message]:
    """What one side says without being interrupted is one message of an answer, or one of results."""
    role, parts = items[0]
    for following, more in items[1:]:
        if following is role and _belong(role, parts, more):
            parts += more
        else:
            yield Message(role=role, parts=tuple(with_proofs(parts)))
            role, parts = following, more
    yield Message(role=role, parts=tuple(with_proofs(parts)))


def _belong(role: Role, parts: tuple[Part, ...], more: tuple[Part, ...]) -> bool:
    return role is Role.ASSISTANT or all(isinstance(part, ToolResult) for part in (*parts, *more))


def _content(value: Any, field: str) -> Iterator[Text | Image]:
    if isinstance(value, str):
        yield Text(text=value)
        return
    for part, place in objects_of(value, field):
        kind = part.get("type")
        if kind in _TEXTS:
            said = part.get("refusal") if kind == "refusal" else part.get("text")
            yield Text(text=text_of(said, place), cache=cache_of(part))
        elif kind == "input_image":
            url = text_of(part.get("image_url"), f"{place}.image_url")
            yield image_of(url, f"{place}.image_url", cache_of(part))
        else:
            raise BadRequest(f"{place}: parts of the type {kind!r} are not supported", place)


def _tools(value: Any) -> tuple[list[Tool], list[str]]:
    """Functions of the client; tools that the provider would run are named as unknown."""
    tools, unknown = [], []
    for tool, place in objects_of(value, "tools"):
        if tool.get("type") == "custom":
            tools.append(freeform.tool_of(tool, place))
            continue
        if tool.get("type") != "function":
            unknown.append(f"{place}.type={tool.get('type')}")
            continue
        tools.append(
            Tool(
                name=text_of(tool.get("name"), f"{place}.name"),
                description=text_of(tool.get("description") or "", f"{place}.description"),
                parameters=object_of(tool.get("parameters"), f"{place}.parameters"),
                strict=flag_of(tool.get("strict"), f"{place}.strict") or None,
            )
        )
    return tools, unknown


def _choice(value: Any, parallel: Any) -> ToolChoice | None:
    parallel = flag_of(parallel, "parallel_tool_calls")
    if value is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(value, dict):
        if value.get("type") not in ("function", "custom"):
            raise BadRequest(f"tool_choice.type {value.get('type')!r} is not supported", "tool_choice.type")
        name = text_of(value.get("name"), "tool_choice.name")
        return ToolChoice(use=ToolUse.REQUIRED, name=name, parallel=parallel)
    try:
        return ToolChoice(use=ToolUse(str(value)), parallel=parallel)
    except ValueError as error:
        raise BadRequest(f"tool_choice {value!r} is none of auto, none, required", "tool_choice") from error


def _format(value: Any) -> Format | None:
    wanted = object_of(value, "text.format")
    match wanted.get("type"):
        case None | "text":
            return None
        case "json_object":
            return Format()
        case "json_schema":
            return Format(
                schema=object_of(wanted.get("schema"), "text.format.schema"),
                name=text_of(wanted.get("name") or "answer", "text.format.name"),
                description=text_of(wanted.get("description") or "", "text.format.description"),
                strict=flag_of(wanted.get("strict"), "text.format.strict"),
            )
        case _:
            raise BadRequest("text.format must be text, json_object or json_schema", "text.format")
