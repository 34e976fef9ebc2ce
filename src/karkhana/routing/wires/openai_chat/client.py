"""Asks a Chat Completions server. Knows nothing of connections."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
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
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
)
from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.sse import Event
from karkhana.routing.wires.openai_errors import fault_in, fault_of
from karkhana.routing.wires.wire import BadRequest, Call, Json, count_in

STOPS = {
    "stop": StopReason.END,
    "length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
    "content_filter": StopReason.REFUSED,
}


class ChatClient:
    """Asks a Chat Completions server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request; reasoning of earlier answers and cache marks are left out, the wire has no place for them."""
        body: Json = {"model": request.model, "messages": [m for each in request.messages for m in _messages(each)]}
        # The old name is refused by reasoning models, the new one by many compatible servers.
        reasons = bool(request.effort) or request.model.startswith(("o1", "o3", "o4", "gpt-5"))
        body["max_completion_tokens" if reasons else "max_tokens"] = request.max_tokens
        for name in ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"):
            body[name] = getattr(request, name)
        body |= {"stop": list(request.stop) or None, "user": request.user or None}
        body |= {"reasoning_effort": request.effort or None, **_tools(request), "response_format": _format(request)}
        if request.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = [(b"content-type", b"application/json")]
        if key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        return Call("/chat/completions", headers, {name: value for name, value in body.items() if value is not None})

    def answer(self, body: Json) -> ChatAnswer:
        """The first choice of an answer."""
        try:
            choice = body["choices"][0]
            message = choice["message"]
            parts = tuple(_parts(message))
            stop = _stop(choice.get("finish_reason"), parts)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise broken(f"the answer has no message ({error!r})") from error
        usage = usage_of(body.get("usage"))
        refused = StopReason.REFUSED if message.get("refusal") else stop
        return ChatAnswer(
            id=str(body.get("id") or ""), model=str(body.get("model") or ""), parts=parts, stop=refused, usage=usage
        )

    def reader(self) -> "ChatReader":
        return ChatReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


class ChatReader:
    """Reads the chunks of one answer."""

    def __init__(self) -> None:
        self._started = self._over = False
        self._open: int | None = None
        self._next = 0
        self._calls: dict[int, int] = {}
        self._kind: type[Text | Reasoning] | None = None
        self._stop: StopReason | None = None
        self._usage: Usage | None = None

    def read(self, event: Event) -> list[Delta]:
        if event.data == "[DONE]":
            return self.end()
        try:
            chunk = json.loads(event.data)
            if not isinstance(chunk, dict):
                raise broken("a chunk is no object")
            if isinstance(chunk.get("error"), dict):
                raise fault_in(chunk["error"])
            return list(self._chunk(chunk))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise broken(f"a chunk of the stream makes no sense ({error!r})") from error

    def end(self) -> list[Delta]:
        """Usage comes after the finish reason, so the stop is told when the stream is over."""
        if self._over or self._stop is None:
            return []
        self._over = True
        return [*self._closed(), Stopped(stop=self._stop, usage=self._usage)]

    def _chunk(self, chunk: Json) -> Iterator[Delta]:
        if not self._started:
            self._started = True
            yield Started(model=str(chunk.get("model") or ""), id=str(chunk.get("id") or ""))
        if chunk.get("usage"):
            self._usage = usage_of(chunk["usage"])
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            yield from self._text(delta.get("reasoning_content") or delta.get("reasoning"), Reasoning)
            yield from self._text(delta.get("content"), Text)
            if delta.get("refusal"):
                yield from self._text(delta["refusal"], Text)
                self._stop = StopReason.REFUSED
            for call in delta.get("tool_calls") or []:
                yield from self._call(call)
            if choice.get("finish_reason"):
                found = STOPS.get(choice["finish_reason"], StopReason.END)
                # Some compatible servers say "stop" after calls.
                found = StopReason.TOOL_CALLS if self._calls and found is StopReason.END else found
                self._stop = self._stop or found

    def _text(self, text: str | None, kind: type[Text | Reasoning]) -> Iterator[Delta]:
        if not text:
            return
        if self._kind is not kind or self._open is None:
            yield from self._closed()
            self._kind = kind
            yield from self._opened(kind(text=""))
        assert self._open is not None
        yield TextAdded(index=self._open, text=text)

    def _call(self, call: Json) -> Iterator[Delta]:
        number, function = int(call.get("index") or 0), call.get("function") or {}
        # A compatible server may leave the index out and send whole calls: a new identifier is a new call.
        if number not in self._calls or (call.get("id") and "index" not in call):
            yield from self._closed()
            self._kind = None
            self._calls[number] = self._next
            yield from self._opened(
                ToolCall(id=str(call.get("id") or f"call_{number}"), name=str(function.get("name") or ""), arguments="")
            )
        if function.get("arguments"):
            yield TextAdded(index=self._calls[number], text=str(function["arguments"]))

    def _opened(self, part: Text | Reasoning | ToolCall) -> Iterator[Delta]:
        self._open, self._next = self._next, self._next + 1
        yield PartStarted(index=self._open, part=part)

    def _closed(self) -> Iterator[Delta]:
        if self._open is not None:
            yield PartEnded(index=self._open)
            self._open = None


def usage_of(usage: Any) -> Usage | None:
    """Prompt tokens include cached ones on this wire; ours do not."""
    if not isinstance(usage, dict):
        return None
    cached = count_in(usage, "prompt_tokens_details", "cached_tokens")
    written = count_in(usage, "prompt_tokens_details", "cache_write_tokens")
    return Usage(
        input=max(0, count_in(usage, "prompt_tokens") - cached - written),
        cache_read=cached,
        cache_write=written,
        output=count_in(usage, "completion_tokens"),
        reasoning=count_in(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def broken(message: str) -> ProviderFault:
    """An answer that makes no sense."""
    return ProviderFault(Fault.BROKEN, message)


def _stop(reason: Any, parts: Sequence[Part]) -> StopReason:
    stop = STOPS.get(reason or "stop", StopReason.END)
    calls = any(isinstance(part, ToolCall) for part in parts)
    return StopReason.TOOL_CALLS if calls and stop is StopReason.END else stop


def _parts(message: Json) -> Iterator[Part]:
    if thought := message.get("reasoning_content") or message.get("reasoning"):
        yield Reasoning(text=str(thought))
    if text := message.get("content") or message.get("refusal"):
        yield Text(text=text if isinstance(text, str) else "".join(p.get("text", "") for p in text))
    for number, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        yield ToolCall(
            id=str(call.get("id") or f"call_{number}"), name=function["name"], arguments=function.get("arguments") or ""
        )


def _messages(message: Message) -> Iterator[Json]:
    """Results of tools are messages of their own on this wire, before what else the user says."""
    for part in message.parts:
        if isinstance(part, ToolResult):
            texts = [p.text for p in part.parts if isinstance(p, Text)]
            content = "\n".join(texts)
            yield {"role": "tool", "tool_call_id": part.id, "content": f"Error: {content}" if part.failed else content}
    # Images in results cannot stand in a tool's message: they follow as the user's.
    shown = [p for part in message.parts if isinstance(part, ToolResult) for p in part.parts if isinstance(p, Image)]
    said = [*shown, *(part for part in message.parts if isinstance(part, Text | Image))]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if message.role is Role.ASSISTANT:
        found: Json = {"role": "assistant", "content": "".join(p.text for p in said if isinstance(p, Text)) or None}
        if calls:
            found["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls
            ]
        yield found
    elif said or not message.parts:
        yield {"role": message.role.value, "content": _content(said)} | ({"name": message.name} if message.name else {})


def _content(parts: Sequence[Text | Image]) -> Any:
    if all(isinstance(part, Text) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": part.url or data_url(part)}}
        for part in parts
    ]


def data_url(image: Image) -> str:
    """An image within an address (RFC 2397)."""
    return f"data:{image.media_type or 'image/png'};base64,{base64.b64encode(image.data).decode('ascii')}"


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    tools = []
    for tool in request.tools:
        function: Json = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
        tools.append({"type": "function", "function": function | ({"strict": True} if tool.strict else {})})
    found: Json = {"tools": tools}
    if (choice := request.tool_choice) is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        found["tool_choice"] = named if choice.name and choice.use is ToolUse.REQUIRED else choice.use.value
        found["parallel_tool_calls"] = choice.parallel
    return found


def _format(request: ChatRequest) -> Json | None:
    if request.format is None:
        return None
    if request.format.schema is None:
        return {"type": "json_object"}
    if not request.format.name:
        raise BadRequest("a schema needs a name on this wire", "response_format")
    schema: Json = {"name": request.format.name, "schema": dict(request.format.schema)}
    if request.format.strict is not None:
        schema["strict"] = request.format.strict
    if request.format.description:
        schema["description"] = request.format.description
    return {"type": "json_schema", "json_schema": schema}
