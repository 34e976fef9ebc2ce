"""Reads answers of Anthropic's Messages, whole and streamed.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming (order of events, errors within a stream).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    Delta,
    Part,
    PartEnded,
    PartStarted,
    Reasoning,
    SignatureAdded,
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    ToolCall,
    Usage,
)
from karkhana.routing.sse import Event
from karkhana.routing.wires.anthropic.errors import fault_in
from karkhana.routing.wires.seals import sealed
from karkhana.routing.wires.tool_calls import arguments_text
from karkhana.routing.wires.wire import Json, broken, count_in

STOPS = {
    "end_turn": StopReason.END,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_CALLS,
    "pause_turn": StopReason.PAUSED,
    "refusal": StopReason.REFUSED,
}
_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def answer_of(body: Json) -> ChatAnswer:
    """A whole answer. Raises ``ProviderFault``."""
    if body.get("type") == "error" and isinstance(body.get("error"), dict):
        raise fault_in(body["error"])
    try:
        parts = tuple(part for block in body["content"] if (part := _part(block)) is not None)
        return ChatAnswer(
            id=str(body.get("id") or ""),
            model=str(body.get("model") or ""),
            parts=parts,
            stop=STOPS.get(str(body.get("stop_reason") or "end_turn"), StopReason.END),
            stop_sequence=str(body.get("stop_sequence") or ""),
            usage=usage_of(body.get("usage")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise broken(f"the answer has no content ({error!r})") from error


def _part(block: Json) -> Part | None:
    """``None`` for blocks of tools that the provider runs itself."""
    match block.get("type"):
        case "text":
            return Text(text=str(block["text"]))
        case "thinking":
            signature = sealed(str(block.get("signature") or ""), "anthropic")
            return Reasoning(text=str(block.get("thinking") or ""), signature=signature)
        case "redacted_thinking":
            return Reasoning(hidden=sealed(str(block["data"]), "anthropic"))
        case "tool_use":
            arguments = arguments_text(block.get("input"))
            return ToolCall(id=str(block["id"]), name=str(block["name"]), arguments=arguments)
        case _:
            return None


def usage_of(usage: Any, before: Usage | None = None) -> Usage | None:
    """Counts of an answer; within a stream later ones replace those ``before``, and leave out what did not change."""
    if not isinstance(usage, Mapping):
        return before
    old = before or Usage()
    written = old.cache_write + old.cache_write_long
    if usage.get("cache_creation_input_tokens") is not None:
        written = count_in(usage, "cache_creation_input_tokens")
    long = old.cache_write_long
    if isinstance(usage.get("cache_creation"), Mapping):
        long = count_in(usage, "cache_creation", "ephemeral_1h_input_tokens")
        written = max(written, long + count_in(usage, "cache_creation", "ephemeral_5m_input_tokens"))
    long = min(long, written)
    return Usage(
        input=_newer(usage, "input_tokens", old.input),
        cache_read=_newer(usage, "cache_read_input_tokens", old.cache_read),
        cache_write=written - long,
        cache_write_long=long,
        output=_newer(usage, "output_tokens", old.output),
        reasoning=count_in(usage, "output_tokens_details", "thinking_tokens") or old.reasoning,
    )


def _newer(usage: Mapping[str, Any], name: str, before: int) -> int:
    return before if usage.get(name) is None else count_in(usage, name)


class _Block:
    """A part of the answer that is not over."""

    def __init__(self, index: int, call: bool) -> None:
        self.index = index
        self.call = call
        self.said = False
        self.signature = ""


class MessagesReader:
    """Reads the events of one answer."""

    def __init__(self) -> None:
        self._blocks: dict[Any, _Block] = {}
        self._next = 0
        self._usage: Usage | None = None
        self._stop: StopReason | None = None
        self._stop_sequence = ""
        self._over = False

    def read(self, event: Event) -> list[Delta]:
        try:
            value = json.loads(event.data)
            if not isinstance(value, dict):
                raise broken("an event of the stream is no object")
            if isinstance(value.get("error"), dict):
                raise fault_in(value["error"])
            return list(self._event(value))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise broken(f"an event of the stream makes no sense ({error!r})") from error

    def end(self) -> list[Delta]:
        """Some compatible servers leave out the last event; once a reason to stop was given nothing is missing."""
        if self._over or self._stop is None:
            return []
        self._over = True
        ended = [delta for number in list(self._blocks) for delta in self._ended(number)]
        return [*ended, Stopped(stop=self._stop, usage=self._usage, stop_sequence=self._stop_sequence)]

    def _event(self, value: Json) -> Iterator[Delta]:
        match value.get("type"):
            case "message_start":
                message = value["message"]
                self._usage = usage_of(message.get("usage"))
                model, identifier = str(message.get("model") or ""), str(message.get("id") or "")
                yield Started(model=model, id=identifier, usage=self._usage)
            case "content_block_start":
                yield from self._started(value["index"], value["content_block"])
            case "content_block_delta":
                block = self._blocks.get(value["index"])
                if block is not None:
                    yield from self._added(block, value["delta"])
            case "content_block_stop":
                yield from self._ended(value["index"])
            case "message_delta":
                reason = value["delta"].get("stop_reason")
                self._stop = STOPS.get(str(reason), StopReason.END) if reason else self._stop
                self._stop_sequence = str(value["delta"].get("stop_sequence") or "")
                self._usage = usage_of(value.get("usage"), self._usage)
            case "message_stop":
                yield from self.end()

    def _started(self, number: Any, content: Json) -> Iterator[Delta]:
        part = _part(content)
        if not isinstance(part, Text | Reasoning | ToolCall):
            return
        block = self._blocks[number] = _Block(self._next, isinstance(part, ToolCall))
        self._next += 1
        match part:
            case Text(text=text):
                yield PartStarted(index=block.index, part=Text(text=""))
            case Reasoning(text=text):
                block.signature = str(content.get("signature") or "")
                yield PartStarted(index=block.index, part=Reasoning(hidden=part.hidden))
            case ToolCall():
                # Empty here unless a compatible server sends the whole call at once.
                text = part.arguments if content.get("input") else ""
                yield PartStarted(index=block.index, part=ToolCall(id=part.id, name=part.name, arguments=""))
        yield from self._text(block, text)

    def _added(self, block: _Block, delta: Json) -> Iterator[Delta]:
        kind = delta.get("type")
        if kind == "signature_delta":
            block.signature += str(delta.get("signature") or "")
        elif kind in _PIECES:
            yield from self._text(block, str(delta.get(_PIECES[kind]) or ""))

    @staticmethod
    def _text(block: _Block, text: str) -> Iterator[Delta]:
        if text:
            block.said = True
            yield TextAdded(index=block.index, text=text)

    def _ended(self, number: Any) -> Iterator[Delta]:
        block = self._blocks.pop(number, None)
        if block is None:
            return
        if block.call and not block.said:
            # No piece came for a call without arguments; to the others that is an empty object.
            yield TextAdded(index=block.index, text="{}")
        if block.signature:
            yield SignatureAdded(index=block.index, signature=sealed(block.signature, "anthropic"))
        yield PartEnded(index=block.index)
