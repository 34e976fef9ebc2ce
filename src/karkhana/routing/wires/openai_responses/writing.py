"""Writes answers as OpenAI's Responses, whole and streamed."""

import time
from collections.abc import Iterator

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
from karkhana.routing.wires.openai_errors import refusal_of
from karkhana.routing.wires.openai_responses.answers import FOREIGN, NAME
from karkhana.routing.wires.seals import own, packed
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import Json

_REASONS = {StopReason.LENGTH: "max_output_tokens", StopReason.REFUSED: "content_filter"}
"""Of answers that are incomplete; the others are complete."""


def body_of(answer: ChatAnswer, request: ChatRequest) -> Json:
    """A whole answer; each part is an item of its own."""
    head = _head(answer.id, answer.model or request.model, request)
    items = [item_of(part, f"{head['id']}_{number}") for number, part in enumerate(answer.parts)]
    return _ended(head, items, answer.stop, answer.usage)


def _head(identifier: str, model: str, request: ChatRequest) -> Json:
    """A response that has only begun, with what clients' libraries need to find in it."""
    choice = request.tool_choice
    parallel = choice is None or choice.parallel is not False
    found: Json = {"id": identifier or fresh_id("resp_"), "object": "response", "created_at": int(time.time())}
    found |= {"status": "in_progress", "model": model, "output": [], "error": None, "incomplete_details": None}
    found |= {"parallel_tool_calls": parallel, "tool_choice": choice.use.value if choice else "auto", "tools": []}
    return found | {"instructions": None, "metadata": {}, "usage": None}


def _ended(head: Json, items: list[Json], stop: StopReason, usage: Usage | None) -> Json:
    reason = _REASONS.get(stop)
    found = head | {"status": "incomplete" if reason else "completed", "output": items}
    found["incomplete_details"] = {"reason": reason} if reason else None
    return found | {"usage": None if usage is None else usage_json(usage)}


def item_of(part: Part, identifier: str, status: str = "completed") -> Json:
    """A part as an item."""
    match part:
        case ToolCall():
            call: Json = {"type": "function_call", "id": f"fc_{identifier}", "status": status, "call_id": part.id}
            return call | {"name": part.name, "arguments": part.arguments}
        case Reasoning():
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            found: Json = {"type": "reasoning", "id": f"rs_{identifier}", "summary": summary}
            if proof := own(part.signature, NAME):
                known, _, encrypted = proof.partition(":")
                return found | {"id": known, "encrypted_content": encrypted}
            proof = packed(part)
            return found | ({"encrypted_content": f"{FOREIGN}{proof}"} if proof else {})
        case _:
            text = part.text if isinstance(part, Text) else ""
            content = [_text(text)] if text or status == "completed" else []
            message: Json = {"type": "message", "id": f"msg_{identifier}", "status": status, "role": "assistant"}
            return message | {"content": content}


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def usage_json(usage: Usage) -> Json:
    """Our counts as this wire has them: what was cached is part of the input."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_long,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": usage.cache_write,
                "ttl_12h_tokens": usage.cache_write_long,
            },
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.output,
    }


class ResponsesWriter:
    """Writes the events of one answer. Keeps its parts, for the last event repeats all of them."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._head = _head("", request.model, request)
        self._number = 0
        self._open: dict[int, Text | Reasoning | ToolCall] = {}
        self._texts: dict[int, list[str]] = {}
        self._identifiers: dict[int, str] = {}
        self._items: dict[int, Json] = {}

    def write(self, delta: Delta) -> bytes:
        return b"".join(self._event(kind, fields) for kind, fields in self._events(delta))

    def fail(self, fault: ProviderFault) -> bytes:
        """Some clients look for the one event, some for the other, and OpenAI's library for ``error`` in the first."""
        error = refusal_of(fault)[1]["error"]
        told = {"code": error["code"] or error["type"], "message": error["message"]}
        failed = self._head | {"status": "failed", "error": told}
        return self._event("error", told | {"param": None, "error": error}) + self._event(
            "response.failed", {"response": failed}
        )

    def _events(self, delta: Delta) -> Iterator[tuple[str, Json]]:
        match delta:
            case Started():
                self._head = _head(delta.id, delta.model or self._request.model, self._request)
                yield "response.created", {"response": self._head}
                yield "response.in_progress", {"response": self._head}
            case PartStarted(index=index, part=part):
                self._open[index], self._texts[index] = part, []
                item = self._item(index, "in_progress")
                self._identifiers[index] = item["id"]
                yield "response.output_item.added", {"output_index": index, "item": item}
                yield from self._content(index, "added")
            case TextAdded(index=index, text=text) if index in self._open:
                self._texts[index].append(text)
                kind, place = _pieces(self._open[index])
                yield f"{kind}.delta", self._place(index) | place | {"delta": text}
            case SignatureAdded(index=index, signature=signature) if index in self._open:
                part = self._open[index]
                self._open[index] = msgspec.structs.replace(part, signature=part.signature + signature)
            case PartEnded(index=index) if index in self._open:
                kind, place = _pieces(self._open[index])
                name = "arguments" if isinstance(self._open[index], ToolCall) else "text"
                yield f"{kind}.done", self._place(index) | place | {name: "".join(self._texts[index])}
                yield from self._content(index, "done")
                self._items[index] = self._item(index, "completed")
                del self._open[index], self._texts[index]
                yield "response.output_item.done", {"output_index": index, "item": self._items[index]}
            case Stopped(stop=stop, usage=usage):
                items = [item for _, item in sorted(self._items.items())]
                response = _ended(self._head, items, stop, usage)
                yield f"response.{response['status']}", {"response": response}
            case _:
                return

    def _content(self, index: int, what: str) -> Iterator[tuple[str, Json]]:
        """The part within an item, of the kinds that have parts."""
        text = "".join(self._texts[index])
        match self._open[index]:
            case Text():
                yield f"response.content_part.{what}", self._place(index) | {"content_index": 0, "part": _text(text)}
            case Reasoning():
                part = {"type": "summary_text", "text": text}
                yield f"response.reasoning_summary_part.{what}", self._place(index) | {"summary_index": 0, "part": part}
            case _:
                return

    def _item(self, index: int, status: str) -> Json:
        part, text = self._open[index], "".join(self._texts[index])
        whole = {"arguments": text} if isinstance(part, ToolCall) else {"text": text}
        return item_of(msgspec.structs.replace(part, **whole), f"{self._head['id']}_{index}", status)

    def _place(self, index: int) -> Json:
        return {"item_id": self._identifiers[index], "output_index": index}

    def _event(self, kind: str, fields: Json) -> bytes:
        value = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event(msgspec.json.encode(value), kind.encode())


def _pieces(part: Text | Reasoning | ToolCall) -> tuple[str, Json]:
    """The events for pieces of a part, and where in the item they belong."""
    match part:
        case ToolCall():
            return "response.function_call_arguments", {}
        case Reasoning():
            return "response.reasoning_summary_text", {"summary_index": 0}
        case _:
            return "response.output_text", {"content_index": 0, "logprobs": []}
