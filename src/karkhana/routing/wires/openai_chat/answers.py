"""Reads answers of Chat Completions, whole and streamed."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    Delta,
    Part,
    PartEnded,
    PartStarted,
    Reasoning,
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    ToolCall,
    Usage,
)
from karkhana.routing.sse import Event
from karkhana.routing.wires.openai_errors import fault_in
from karkhana.routing.wires.seals import sealed
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import Json, broken, count_in

STOPS = {
    "stop": StopReason.END,
    "length": StopReason.LENGTH,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
    "content_filter": StopReason.REFUSED,
}


def answer_of(body: Json) -> ChatAnswer:
    """The first choice of an answer. Raises ``ProviderFault``."""
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
    prompt, output = count_in(usage, "prompt_tokens"), count_in(usage, "completion_tokens")
    cached = written = reasoning = 0
    if details := usage.get("prompt_tokens_details"):
        cached, written = count_in(details, "cached_tokens"), count_in(details, "cache_write_tokens")
    if details := usage.get("completion_tokens_details"):
        reasoning = count_in(details, "reasoning_tokens")
    return Usage(
        input=max(0, prompt - cached - written),
        cache_read=cached,
        cache_write=written,
        output=output,
        reasoning=reasoning,
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
