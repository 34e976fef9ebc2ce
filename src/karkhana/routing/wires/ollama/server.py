"""Is asked as Ollama. Knows nothing of connections."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    Format,
    Image,
    Message,
    Part,
    PartEnded,
    PartStarted,
    Reasoning,
    Role,
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.images import bytes_of
from karkhana.routing.wires.ollama.client import OPTIONS, call_json
from karkhana.routing.wires.ollama.errors import refusal_of
from karkhana.routing.wires.tool_calls import arguments_text
from karkhana.routing.wires.wire import (
    BadRequest,
    Json,
    list_of,
    object_of,
    objects_of,
    request_of,
    text_of,
    unknown_fields,
)

_KNOWN = frozenset({"model", "messages", "tools", "format", "options", "stream", "think", "keep_alive"})
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_THINK = {True: "auto", False: "none"}


class OllamaServer:
    """Is asked as an Ollama server."""

    def request(self, path: str, body: Json) -> ChatRequest:
        del path
        if not body.get("messages"):
            raise BadRequest("messages must hold at least one message", "messages")
        options = object_of(body.get("options"), "options")
        stop = options.get("stop") or ()
        think = body.get("think")
        unknown = (f"options.{name}" for name in unknown_fields(options, frozenset({*OPTIONS, "stop"})))
        return request_of(
            {
                "model": text_of(body.get("model"), "model"),
                "messages": _messages(body["messages"]),
                "tools": [_tool(tool, place) for tool, place in objects_of(body.get("tools"), "tools")],
                "format": _format(body.get("format")),
                "stop": [stop] if isinstance(stop, str) else stop,
                "effort": _THINK[think] if isinstance(think, bool) else think or "",
                "show_reasoning": bool(think),
                "stream": body.get("stream") is not False,
                "unknown": (*unknown_fields(body, _KNOWN), *unknown),
                **{ours: options.get(name) for name, ours in OPTIONS.items()},
                "max_tokens": _limit(options.get("num_predict")),
            }
        )

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        message: Json = {"role": "assistant", "content": answer.text}
        if thought := "".join(part.text for part in answer.parts if isinstance(part, Reasoning)):
            message["thinking"] = thought
        if answer.calls:
            message["tool_calls"] = [call_json(call) for call in answer.calls]
        return _head(answer.model or request.model) | {"message": message} | _ended(answer.stop, answer.usage)

    def writer(self, request: ChatRequest) -> "OllamaWriter":
        return OllamaWriter(request)

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        return refusal_of(fault)


class OllamaWriter:
    """Writes the lines of one answer. A call is written when it is whole, for this wire knows no pieces of one."""

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._open: dict[int, Text | Reasoning | ToolCall] = {}

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Started(model=model):
                self._model = model or self._model
            case PartStarted(index=index, part=part):
                self._open[index] = part
            case TextAdded(index=index, text=text):
                return self._text(index, text)
            case PartEnded(index=index):
                ended = self._open.pop(index, None)
                if isinstance(ended, ToolCall):
                    return self._line({"content": "", "tool_calls": [call_json(ended)]})
            case Stopped(stop=stop, usage=usage):
                return self._line({"content": ""}, _ended(stop, usage))
            case _:
                pass
        return b""

    def fail(self, fault: ProviderFault) -> bytes:
        return msgspec.json.encode(refusal_of(fault)[1]) + b"\n"

    def _text(self, index: int, text: str) -> bytes:
        match self._open.get(index):
            case ToolCall() as call:
                self._open[index] = msgspec.structs.replace(call, arguments=call.arguments + text)
                return b""
            case Reasoning():
                return self._line({"content": "", "thinking": text})
            case _:
                return self._line({"content": text})

    def _line(self, message: Json, ended: Json | None = None) -> bytes:
        whole = _head(self._model) | {"message": {"role": "assistant", **message}} | (ended or {"done": False})
        return msgspec.json.encode(whole) + b"\n"


def _head(model: str) -> Json:
    return {"model": model, "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z")}


def _ended(stop: StopReason, usage: Usage | None) -> Json:
    found: Json = {"done": True, "done_reason": "length" if stop is StopReason.LENGTH else "stop"}
    if usage is not None:
        found |= {"prompt_eval_count": usage.prompt, "eval_count": usage.output}
    return found


def _limit(value: Any) -> Any:
    """A negative limit of tokens is none."""
    return None if isinstance(value, int) and not isinstance(value, bool) and value < 0 else value


def _messages(value: Any) -> list[Message]:
    """Results of calls that were made together belong to one message, and to the calls in their order."""
    found: list[Message] = []
    waiting: list[ToolCall] = []
    for each, place in objects_of(value, "messages"):
        if each.get("role") == "tool":
            result = _result(each, place, waiting)
            if found and found[-1].parts and all(isinstance(part, ToolResult) for part in found[-1].parts):
                found[-1] = msgspec.structs.replace(found[-1], parts=(*found[-1].parts, result))
            else:
                found.append(Message(role=Role.USER, parts=(result,)))
            continue
        message = _message(each, place, len(found))
        waiting += [part for part in message.parts if isinstance(part, ToolCall)]
        found.append(message)
    return found


def _message(value: Json, field: str, number: int) -> Message:
    try:
        role = Role(str(value.get("role")))
    except ValueError as error:
        raise BadRequest(f"{field}.role must be system, user, assistant or tool", f"{field}.role") from error
    parts: list[Part] = []
    if thought := text_of(value.get("thinking") or "", f"{field}.thinking"):
        parts.append(Reasoning(text=thought))
    parts += _said(value, field)
    for index, (call, place) in enumerate(objects_of(value.get("tool_calls"), f"{field}.tool_calls")):
        function = object_of(call.get("function"), f"{place}.function")
        arguments = object_of(function.get("arguments"), f"{place}.function.arguments")
        parts.append(
            ToolCall(
                id=text_of(call.get("id") or f"call_{number}_{index}", f"{place}.id"),
                name=text_of(function.get("name"), f"{place}.function.name"),
                arguments=arguments_text(arguments),
            )
        )
    return Message(role=role, parts=tuple(parts))


def _said(value: Json, field: str) -> Iterator[Text | Image]:
    if text := text_of(value.get("content") or "", f"{field}.content"):
        yield Text(text=text)
    for number, image in enumerate(list_of(value.get("images"), f"{field}.images")):
        place = f"{field}.images[{number}]"
        data = bytes_of(text_of(image, place), place)
        kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), "image/png")
        yield Image(media_type=kind, data=data)


def _result(value: Json, field: str, waiting: list[ToolCall]) -> ToolResult:
    name = text_of(value.get("tool_name") or value.get("name") or "", f"{field}.tool_name")
    asked = text_of(value.get("tool_call_id") or "", f"{field}.tool_call_id")
    for call in waiting:
        if call.id == asked or (not asked and (call.name == name or not name)):
            waiting.remove(call)
            asked = call.id
            break
    return ToolResult(id=asked or name or "call", name=name, parts=tuple(_said(value, field)))


def _tool(value: Json, field: str) -> Tool:
    function = object_of(value.get("function"), f"{field}.function")
    return Tool(
        name=text_of(function.get("name"), f"{field}.function.name"),
        description=text_of(function.get("description") or "", f"{field}.function.description"),
        parameters=object_of(function.get("parameters"), f"{field}.function.parameters"),
    )


def _format(value: Any) -> Format | None:
    if value in (None, ""):
        return None
    if value == "json":
        return Format()
    return Format(schema=object_of(value, "format"), strict=True)
