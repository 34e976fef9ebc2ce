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
from karkhana.routing.wires.openai_responses.freeform import freeform, input_of
from karkhana.routing.wires.seals import before_call, own, packed
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import Json

_APART = -1
_REASONS = {StopReason.LENGTH: "max_output_tokens", StopReason.REFUSED: "content_filter"}
"""Of answers that are incomplete; the others are complete."""


def body_of(answer: ChatAnswer, request: ChatRequest) -> Json:
    """A whole answer; each part is an item of its own."""
    head = _head(answer.id, answer.model or request.model, request)
    parts = [each for part in answer.parts for each in (before_call(part), part) if each is not None]
    names = freeform(request.tools)
    items = [item_of(part, f"{head['id']}_{number}", names=names) for number, part in enumerate(parts)]
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


def item_of(part: Part, identifier: str, status: str = "completed", names: frozenset[str] = frozenset()) -> Json:
    """A part as an item; ``names`` are those of tools that take one text."""
    match part:
        case ToolCall(name=name) if name in names:
            custom: Json = {"type": "custom_tool_call", "id": f"ctc_{identifier}", "status": status}
            return custom | {"call_id": part.id, "name": name, "input": part.arguments and input_of(part.arguments)}
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


class _Item:
    """A part that is not over, as the item that it becomes."""

    def __init__(self, part: Text | Reasoning | ToolCall, place: int, answer: str, names: frozenset[str]) -> None:
        self.part = part
        self.place = place
        self.freeform = isinstance(part, ToolCall) and part.name in names
        self.texts: list[str] = []
        self._name, self._names = f"{answer}_{place}", names
        self.identifier = str(self.json("in_progress")["id"])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def json(self, status: str) -> Json:
        whole = {"arguments": self.text} if isinstance(self.part, ToolCall) else {"text": self.text}
        return item_of(msgspec.structs.replace(self.part, **whole), self._name, status, self._names)

    def about(self, kind: str, fields: Json) -> tuple[str, Json]:
        return kind, {"item_id": self.identifier, "output_index": self.place, **fields}


Named = tuple[str, Json]


class ResponsesWriter:
    """Writes the events of one answer. Keeps its parts, for the last event repeats all of them."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._head = _head("", request.model, request)
        self._number = 0
        self._next = 0
        self._names = freeform(request.tools)
        self._open: dict[int, _Item] = {}
        self._done: list[Json] = []

    def write(self, delta: Delta) -> bytes:
        return b"".join(self._event(kind, fields) for kind, fields in self._events(delta))

    def fail(self, fault: ProviderFault) -> bytes:
        """Some clients look for the one event, some for the other, and OpenAI's library for ``error`` in the first."""
        error = refusal_of(fault)[1]["error"]
        told = {"code": error["code"] or error["type"], "message": error["message"]}
        failed = {"response": self._head | {"status": "failed", "error": told}}
        return self._event("error", told | {"param": None, "error": error}) + self._event("response.failed", failed)

    def _events(self, delta: Delta) -> Iterator[Named]:
        match delta:
            case Started():
                self._head = _head(delta.id, delta.model or self._request.model, self._request)
                yield "response.created", {"response": self._head}
                yield "response.in_progress", {"response": self._head}
            case PartStarted(index=index, part=part):
                if (carrier := before_call(part)) is not None:
                    yield from self._started(_APART, carrier)
                    yield from self._ended(_APART)
                yield from self._started(index, part)
            case TextAdded(index=index, text=text) if index in self._open:
                yield from self._added(self._open[index], text)
            case SignatureAdded(index=index, signature=signature) if index in self._open:
                item = self._open[index]
                item.part = msgspec.structs.replace(item.part, signature=item.part.signature + signature)
            case PartEnded(index=index) if index in self._open:
                yield from self._ended(index)
            case Stopped(stop=stop, usage=usage):
                response = _ended(self._head, self._done, stop, usage)
                yield f"response.{response['status']}", {"response": response}
            case _:
                return

    def _started(self, index: int, part: Text | Reasoning | ToolCall) -> Iterator[Named]:
        item = self._open[index] = _Item(part, self._next, self._head["id"], self._names)
        self._next += 1
        yield "response.output_item.added", {"output_index": item.place, "item": item.json("in_progress")}
        if isinstance(part, Text):
            yield from _content(item, "added")

    def _added(self, item: _Item, text: str) -> Iterator[Named]:
        if isinstance(item.part, Reasoning) and not item.texts:
            yield from _content(item, "added")
        item.texts.append(text)
        if item.freeform:
            # Its input can be taken out of the arguments when they are whole.
            return
        kind, place = _pieces(item.part)
        yield item.about(f"{kind}.delta", place | {"delta": text})

    def _ended(self, index: int) -> Iterator[Named]:
        item = self._open.pop(index)
        # Reasoning without a text has no summary that could end.
        if item.freeform:
            said = input_of(item.text)
            yield item.about("response.custom_tool_call_input.delta", {"delta": said})
            yield item.about("response.custom_tool_call_input.done", {"input": said})
        elif item.texts or not isinstance(item.part, Reasoning):
            kind, place = _pieces(item.part)
            name = "arguments" if isinstance(item.part, ToolCall) else "text"
            yield item.about(f"{kind}.done", place | {name: item.text})
            yield from _content(item, "done")
        self._done.append(item.json("completed"))
        yield "response.output_item.done", {"output_index": item.place, "item": self._done[-1]}

    def _event(self, kind: str, fields: Json) -> bytes:
        value = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event(msgspec.json.encode(value), kind.encode())


def _content(item: _Item, what: str) -> Iterator[Named]:
    """The part within an item, of the kinds that have parts."""
    match item.part:
        case Text():
            yield item.about(f"response.content_part.{what}", {"content_index": 0, "part": _text(item.text)})
        case Reasoning():
            part = {"type": "summary_text", "text": item.text}
            yield item.about(f"response.reasoning_summary_part.{what}", {"summary_index": 0, "part": part})
        case _:
            return


def _pieces(part: Text | Reasoning | ToolCall) -> tuple[str, Json]:
    """The events for pieces of a part, and where in the item they belong."""
    match part:
        case ToolCall():
            return "response.function_call_arguments", {}
        case Reasoning():
            return "response.reasoning_summary_text", {"summary_index": 0}
        case _:
            return "response.output_text", {"content_index": 0, "logprobs": []}
