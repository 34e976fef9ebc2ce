"""Writes answers as Google's Gemini, whole and streamed."""

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
from karkhana.routing.wires.gemini.errors import refusal_of
from karkhana.routing.wires.gemini.proofs import written
from karkhana.routing.wires.tool_calls import arguments_object
from karkhana.routing.wires.wire import Json

REASONS = {
    StopReason.END: "STOP",
    StopReason.LENGTH: "MAX_TOKENS",
    StopReason.TOOL_CALLS: "STOP",
    StopReason.STOP_SEQUENCE: "STOP",
    StopReason.REFUSED: "SAFETY",
    StopReason.PAUSED: "STOP",
}


def body_of(answer: ChatAnswer, request: ChatRequest) -> Json:
    """A whole answer."""
    found = _chunk([_part(part) for part in answer.parts], REASONS[answer.stop])
    found |= {"modelVersion": answer.model or request.model, "responseId": answer.id}
    return found | ({"usageMetadata": usage_json(answer.usage)} if answer.usage is not None else {})


def _chunk(parts: list[Json], reason: str = "") -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": reason} if reason else {})]}


def _part(part: Part) -> Json:
    match part:
        case ToolCall():
            call = {"id": part.id, "name": part.name, "args": arguments_object(part.arguments)}
            return {"functionCall": call} | _proof(part.signature)
        case Reasoning():
            return {"text": part.text, "thought": True} | _proof(part.signature)
        case Text():
            return {"text": part.text} | _proof(part.signature)
        case _:
            return {"text": ""}


def _proof(proof: str) -> Json:
    return {"thoughtSignature": written(proof)} if proof else {}


def usage_json(usage: Usage) -> Json:
    """Our counts as this wire has them: what was cached is part of the prompt, thoughts are not of the answer."""
    return {
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.prompt + usage.output,
    }


class GeminiWriter:
    """Writes the chunks of one answer. A call is written when it is whole, for this wire knows no pieces of one."""

    def __init__(self, request: ChatRequest) -> None:
        self._about: Json = {"modelVersion": request.model, "responseId": ""}
        self._open: dict[int, Text | Reasoning | ToolCall] = {}

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Started():
                self._about["modelVersion"] = delta.model or self._about["modelVersion"]
                self._about["responseId"] = delta.id
            case PartStarted(index=index, part=part):
                self._open[index] = part
            case TextAdded(index=index, text=text):
                return self._text(index, text)
            case SignatureAdded(index=index, signature=signature):
                part = self._open[index]
                self._open[index] = msgspec.structs.replace(part, signature=part.signature + signature)
            case PartEnded(index=index):
                return self._ended(self._open.pop(index))
            case Stopped(stop=stop, usage=usage):
                last = {"usageMetadata": usage_json(usage)} if usage is not None else {}
                return self._event(_chunk([], REASONS[stop]) | last)
        return b""

    def fail(self, fault: ProviderFault) -> bytes:
        return event(msgspec.json.encode(refusal_of(fault)[1]))

    def _text(self, index: int, text: str) -> bytes:
        part = self._open.get(index)
        if isinstance(part, ToolCall):
            self._open[index] = msgspec.structs.replace(part, arguments=part.arguments + text)
            return b""
        if part is None:
            return b""
        return self._event(_chunk([_part(msgspec.structs.replace(part, text=text, signature=""))]))

    def _ended(self, part: Text | Reasoning | ToolCall) -> bytes:
        if isinstance(part, ToolCall):
            return self._event(_chunk([_part(part)]))
        if not part.signature:
            return b""
        return self._event(_chunk([_part(msgspec.structs.replace(part, text=""))]))

    def _event(self, chunk: Json) -> bytes:
        return event(msgspec.json.encode(chunk | self._about))
