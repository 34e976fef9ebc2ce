"""Reads answers of Google's Gemini, whole and streamed."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.sse import Event
from karkhana.routing.wires.gemini.errors import fault_in
from karkhana.routing.wires.gemini.proofs import read
from karkhana.routing.wires.tool_calls import arguments_text, fresh_id
from karkhana.routing.wires.wire import Json, broken, count_in

STOPS = {
    "STOP": StopReason.END,
    "MAX_TOKENS": StopReason.LENGTH,
    "CONTINUATION": StopReason.LENGTH,
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION", "PUP_LIMITED_DISABLED"),
        ),
        StopReason.REFUSED,
    ),
}
"""Other reasons are an end."""
FAULTS = {
    "MALFORMED_FUNCTION_CALL": Fault.BROKEN,
    "MALFORMED_RESPONSE": Fault.BROKEN,
    "UNEXPECTED_TOOL_CALL": Fault.BROKEN,
    "MISSING_THOUGHT_SIGNATURE": Fault.INVALID,
}
"""Reasons with which the answer is of no use."""


def answer_of(body: Json) -> ChatAnswer:
    """The first candidate. Raises ``ProviderFault``."""
    try:
        if isinstance(body.get("error"), dict):
            raise fault_in(body["error"])
        reason, found = _candidate(body)
        parts = tuple(_part(part) for part in found if _told(part))
        if reason is None:
            raise broken("the answer has no candidate that is finished")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise broken(f"the answer has no content ({error!r})") from error
    return ChatAnswer(
        id=str(body.get("responseId") or ""),
        model=str(body.get("modelVersion") or ""),
        parts=parts,
        stop=_stop(reason, any(isinstance(part, ToolCall) for part in parts)),
        usage=usage_of(body.get("usageMetadata")),
    )


def _candidate(body: Json) -> tuple[str | None, Sequence[Json]]:
    """Reason and parts of the first candidate. A prompt that is refused has none, and a reason for it."""
    candidates = body.get("candidates") or ()
    if not candidates:
        blocked = (body.get("promptFeedback") or {}).get("blockReason")
        return ("SAFETY" if blocked else None), ()
    candidate = candidates[0]
    reason = candidate.get("finishReason")
    if reason in FAULTS:
        raise ProviderFault(FAULTS[reason], str(candidate.get("finishMessage") or f"the answer ended with {reason}"))
    return (str(reason) if reason else None), (candidate.get("content") or {}).get("parts") or ()


def _stop(reason: str, called: bool) -> StopReason:
    stop = STOPS.get(reason, StopReason.END)
    return StopReason.TOOL_CALLS if called and stop is StopReason.END else stop


def _told(part: Json) -> bool:
    """Whether it is of a kind that the common form knows; the others are work of the provider's own tools."""
    return "text" in part or "functionCall" in part


def _part(part: Json) -> Part:
    signature = read(str(part.get("thoughtSignature") or ""))
    if "functionCall" in part:
        call = part["functionCall"]
        return ToolCall(
            id=str(call.get("id") or fresh_id()),
            name=str(call["name"]),
            arguments=arguments_text(call.get("args")),
            signature=signature,
        )
    text = str(part["text"])
    return Reasoning(text=text, signature=signature) if part.get("thought") else Text(text=text, signature=signature)


def usage_of(usage: Any) -> Usage | None:
    """Prompt tokens include cached ones on this wire, and the answer's leave out the thoughts; ours do not."""
    if not isinstance(usage, Mapping):
        return None
    cached, thoughts = count_in(usage, "cachedContentTokenCount"), count_in(usage, "thoughtsTokenCount")
    prompt = count_in(usage, "promptTokenCount") + count_in(usage, "toolUsePromptTokenCount")
    return Usage(
        input=max(0, prompt - cached),
        cache_read=cached,
        output=count_in(usage, "candidatesTokenCount") + thoughts,
        reasoning=thoughts,
    )


class GeminiReader:
    """Reads the chunks of one answer."""

    def __init__(self) -> None:
        self._started = self._over = self._called = False
        self._open: tuple[int, type[Part]] | None = None
        self._next = 0
        self._reason: str | None = None
        self._usage: Usage | None = None

    def read(self, event: Event) -> list[Delta]:
        try:
            chunk = json.loads(event.data)
            if not isinstance(chunk, dict):
                raise broken("a chunk of the stream is no object")
            if isinstance(chunk.get("error"), dict):
                raise fault_in(chunk["error"])
            return list(self._chunk(chunk))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise broken(f"a chunk of the stream makes no sense ({error!r})") from error

    def end(self) -> list[Delta]:
        """No event says that it was the last; a reason to stop does."""
        if self._over or self._reason is None:
            return []
        self._over = True
        return [*self._closed(), Stopped(stop=_stop(self._reason, self._called), usage=self._usage)]

    def _chunk(self, chunk: Json) -> Iterator[Delta]:
        if not self._started:
            self._started = True
            yield Started(model=str(chunk.get("modelVersion") or ""), id=str(chunk.get("responseId") or ""))
        self._usage = usage_of(chunk.get("usageMetadata")) or self._usage
        if not chunk.get("candidates") and not chunk.get("promptFeedback"):
            return
        reason, parts = _candidate(chunk)
        for part in parts:
            if _told(part):
                yield from self._part(_part(part))
        self._reason = reason or self._reason

    def _part(self, part: Part) -> Iterator[Delta]:
        match part:
            case ToolCall():
                self._called = True
                yield from self._closed()
                index, self._next = self._next, self._next + 1
                call = ToolCall(id=part.id, name=part.name, arguments="", signature=part.signature)
                yield PartStarted(index=index, part=call)
                yield TextAdded(index=index, text=part.arguments)
                yield PartEnded(index=index)
            case Text() | Reasoning():
                if not part.text and not part.signature:
                    return
                if self._open is None or self._open[1] is not type(part):
                    yield from self._closed()
                    self._open, self._next = (self._next, type(part)), self._next + 1
                    yield PartStarted(index=self._open[0], part=type(part)(text=""))
                index = self._open[0]
                if part.text:
                    yield TextAdded(index=index, text=part.text)
                if part.signature:
                    # The proof is that of this part: what follows is another one.
                    yield SignatureAdded(index=index, signature=part.signature)
                    yield from self._closed()

    def _closed(self) -> Iterator[Delta]:
        if self._open is not None:
            yield PartEnded(index=self._open[0])
            self._open = None
