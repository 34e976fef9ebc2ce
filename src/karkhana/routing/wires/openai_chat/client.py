"""Asks a Chat Completions server. Knows nothing of connections."""

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
from karkhana.routing.faults import ProviderFault
from karkhana.routing.sse import Event
from karkhana.routing.wires.cache_marks import breakpoint_of
from karkhana.routing.wires.effort import word_of
from karkhana.routing.wires.images import data_url
from karkhana.routing.wires.openai_errors import fault_in, fault_of
from karkhana.routing.wires.openai_models import marks_cache, reasons
from karkhana.routing.wires.seals import own, sealed
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import BadRequest, Call, Json, broken, count_in

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
        """The request; reasoning of earlier answers is left out, the wire has no place for it."""
        marks = marks_cache(request.model)
        body: Json = {"model": request.model}
        body["messages"] = [message for each in request.messages for message in _messages(each, marks)]
        effort = word_of(request.effort, request.reasoning_tokens)
        # The old name is refused by reasoning models, the new one by many compatible servers.
        new = bool(effort) or reasons(request.model)
        body["max_completion_tokens" if new else "max_tokens"] = request.max_tokens
        for name in ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"):
            body[name] = getattr(request, name)
        body |= {"stop": list(request.stop) or None, "user": request.user or None}
        body |= {"prompt_cache_key": request.cache_key or None, "reasoning_effort": effort or None}
        body |= {**_tools(request), "response_format": _format(request)}
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
                raise broken("a chunk of the stream is no object")
            if isinstance(chunk.get("error"), dict):
                raise fault_in(chunk["error"])
            return list(self._chunk(chunk))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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
            identifier, name = str(call.get("id") or fresh_id()), str(function.get("name") or "")
            yield from self._opened(ToolCall(id=identifier, name=name, arguments="", signature=signature_of(call)))
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


def signature_of(call: Json) -> str:
    """The proof that Google's OpenAI-compatible interface sends with a call.

    Source: https://ai.google.dev/gemini-api/docs/thought-signatures (section on OpenAI compatibility).
    """
    google = (call.get("extra_content") or {}).get("google") or {}
    return sealed(str(google.get("thought_signature") or ""), "gemini")


def _stop(reason: Any, parts: Sequence[Part]) -> StopReason:
    stop = STOPS.get(reason or "stop", StopReason.END)
    calls = any(isinstance(part, ToolCall) for part in parts)
    return StopReason.TOOL_CALLS if calls and stop is StopReason.END else stop


def _parts(message: Json) -> Iterator[Part]:
    if thought := message.get("reasoning_content") or message.get("reasoning"):
        yield Reasoning(text=str(thought))
    if text := message.get("content") or message.get("refusal"):
        yield Text(text=text if isinstance(text, str) else "".join(p.get("text", "") for p in text))
    for call in message.get("tool_calls") or []:
        function = call["function"]
        yield ToolCall(
            id=str(call.get("id") or fresh_id()),
            name=str(function["name"]),
            arguments=str(function.get("arguments") or ""),
            signature=signature_of(call),
        )


def _messages(message: Message, marks: bool) -> Iterator[Json]:
    """Results of tools are messages of their own on this wire, before what else the user says."""
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    for result in results:
        yield {"role": "tool", "tool_call_id": result.id, "content": _result(result, marks)}
    # Images in results cannot stand in a tool's message: they follow as the user's.
    shown = [part for result in results for part in result.parts if isinstance(part, Image)]
    said = [*shown, *(part for part in message.parts if isinstance(part, Text | Image))]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if message.role is Role.ASSISTANT:
        found: Json = {"role": "assistant", "content": "".join(p.text for p in said if isinstance(p, Text)) or None}
        if calls:
            found["tool_calls"] = [call_json(call) for call in calls]
        # An answer of nothing but reasoning has nothing to say on this wire, which refuses empty messages.
        if calls or found["content"] is not None:
            yield found
    elif said or not message.parts:
        yield {"role": message.role.value, "content": _content(said, marks)} | (
            {"name": message.name} if message.name else {}
        )


def call_json(call: ToolCall) -> Json:
    """A call, with Google's proof if it has one."""
    found: Json = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if proof := own(call.signature, "gemini"):
        found["extra_content"] = {"google": {"thought_signature": proof}}
    return found


def _result(result: ToolResult, marks: bool) -> Any:
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    return _content([Text(text=f"Error: {text}" if result.failed else text, cache=result.cache)], marks)


def _content(parts: Sequence[Text | Image], marks: bool) -> Any:
    if all(isinstance(part, Text) and not (part.cache and marks) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return [
        (
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image_url", "image_url": {"url": part.url or data_url(part)}}
        )
        | (breakpoint_of(part.cache) if marks else {})
        for part in parts
    ]


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
