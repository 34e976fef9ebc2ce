"""Writes answers as Anthropic's Messages, whole and streamed."""

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
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
from karkhana.routing.faults import ProviderFault
from karkhana.routing.sse import event
from karkhana.routing.wires.anthropic.errors import refusal_of
from karkhana.routing.wires.seals import before_call, shown
from karkhana.routing.wires.tool_calls import arguments_object, fresh_id
from karkhana.routing.wires.wire import Json

REASONS = {
    StopReason.END: "end_turn",
    StopReason.LENGTH: "max_tokens",
    StopReason.TOOL_CALLS: "tool_use",
    StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.REFUSED: "refusal",
    StopReason.PAUSED: "pause_turn",
}
_APART = -1
_PIECES = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def body_of(answer: ChatAnswer, request: ChatRequest) -> Json:
    """A whole answer."""
    found: Json = {"id": answer.id or fresh_id("msg_"), "type": "message", "role": "assistant"}
    parts = [each for part in answer.parts for each in (before_call(part), part) if each is not None]
    found |= {"model": answer.model or request.model, "content": [_block(part) for part in parts]}
    found |= {"stop_reason": REASONS[answer.stop], "stop_sequence": answer.stop_sequence or None}
    return found | {"usage": usage_json(answer.usage or Usage())}


def _block(part: Part) -> Json:
    match part:
        case ToolCall():
            arguments = arguments_object(part.arguments)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        case Reasoning(hidden=hidden) if hidden:
            return {"type": "redacted_thinking", "data": shown(hidden, "anthropic")}
        case Reasoning():
            return {"type": "thinking", "thinking": part.text, "signature": shown(part.signature, "anthropic")}
        case _:
            return {"type": "text", "text": part.text if isinstance(part, Text) else ""}


def usage_json(usage: Usage) -> Json:
    """Our counts as this wire has them."""
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_long,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_long,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


class MessagesWriter:
    """Writes the events of one answer."""

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._kinds: dict[int, str] = {}
        self._places: dict[int, int] = {}
        self._next = 0
        self._signatures: dict[int, str] = {}

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Started():
                return self._start(delta)
            case PartStarted(index=index, part=part):
                carrier = before_call(part)
                return (self._whole(carrier) if carrier is not None else b"") + self._part(index, part)
            case TextAdded(index=index, text=text):
                kind, name = _PIECES.get(self._kinds.get(index, ""), ("", ""))
                return self._piece(index, {"type": kind, name: text}) if kind else b""
            case SignatureAdded(index=index, signature=signature):
                self._signatures[index] = self._signatures.get(index, "") + signature
                return b""
            case PartEnded(index=index):
                # The proof of a thinking is the last thing of it.
                proof = shown(self._signatures.pop(index, ""), "anthropic")
                thinking = proof and self._kinds.get(index) == "thinking"
                last = self._piece(index, {"type": "signature_delta", "signature": proof}) if thinking else b""
                return last + _event("content_block_stop", {"index": self._places.pop(index, index)})
            case Stopped(stop=stop, usage=usage, stop_sequence=sequence):
                reason = {"stop_reason": REASONS[stop], "stop_sequence": sequence or None}
                last = _event("message_delta", {"delta": reason, "usage": usage_json(usage or Usage())})
                return last + _event("message_stop", {})

    def fail(self, fault: ProviderFault) -> bytes:
        return _event("error", {"error": refusal_of(fault)[1]["error"]})

    def _start(self, started: Started) -> bytes:
        message: Json = {"id": started.id or fresh_id("msg_"), "type": "message", "role": "assistant", "content": []}
        message |= {"model": started.model or self._model, "stop_reason": None, "stop_sequence": None}
        # The answer's tokens are not known yet; the last event counts all of them.
        known = msgspec.structs.replace(started.usage or Usage(), output=0, reasoning=0)
        return _event("message_start", {"message": message | {"usage": usage_json(known)}})

    def _part(self, index: int, part: Text | Reasoning | ToolCall) -> bytes:
        empty = msgspec.structs.replace(part, signature="")
        block = _block(msgspec.structs.replace(empty, arguments="") if isinstance(empty, ToolCall) else empty)
        self._kinds[index] = block["type"]
        self._signatures[index] = part.signature
        self._places[index], self._next = self._next, self._next + 1
        return _event("content_block_start", {"index": self._places[index], "content_block": block})

    def _piece(self, index: int, delta: Json) -> bytes:
        return _event("content_block_delta", {"index": self._places.get(index, index), "delta": delta})

    def _whole(self, reasoning: Reasoning) -> bytes:
        """A block that is none of the answer's parts."""
        return self._part(_APART, reasoning) + self.write(PartEnded(index=_APART))


def _event(kind: str, fields: Json) -> bytes:
    return event(msgspec.json.encode({"type": kind, **fields}), kind.encode())
