"""Writes answers as Chat Completions, whole and streamed."""

import time

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    PartStarted,
    Reasoning,
    Started,
    Stopped,
    StopReason,
    TextAdded,
    ToolCall,
    Usage,
)
from karkhana.routing.faults import ProviderFault
from karkhana.routing.sse import event
from karkhana.routing.wires.openai_chat.client import call_json
from karkhana.routing.wires.openai_errors import refusal_of
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import Json

REASONS = {
    StopReason.END: "stop",
    StopReason.LENGTH: "length",
    StopReason.TOOL_CALLS: "tool_calls",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.REFUSED: "content_filter",
    StopReason.PAUSED: "stop",
}


def body_of(answer: ChatAnswer, request: ChatRequest) -> Json:
    """A whole answer."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if thought := "".join(part.text for part in answer.parts if isinstance(part, Reasoning)):
        message["reasoning_content"] = thought
    if answer.calls:
        message["tool_calls"] = [call_json(call) for call in answer.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": REASONS[answer.stop]}
    found: Json = {
        "id": answer.id or fresh_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
    }
    found |= {"model": answer.model or request.model, "choices": [choice]}
    return found | ({"usage": usage_json(answer.usage)} if answer.usage is not None else {})


class ChatWriter:
    """Writes the chunks of one answer."""

    def __init__(self, request: ChatRequest) -> None:
        self._head: Json = {"id": fresh_id("chatcmpl-"), "object": "chat.completion.chunk", "created": int(time.time())}
        self._head["model"] = request.model
        self._usage_wanted = request.stream_usage
        self._thoughts: set[int] = set()
        self._calls: dict[int, int] = {}

    def write(self, delta: Delta) -> bytes:
        match delta:
            case Started():
                self._head |= {"id": delta.id or self._head["id"], "model": delta.model or self._head["model"]}
                return self._chunk({"role": "assistant", "content": ""})
            case PartStarted(index=index, part=part):
                if isinstance(part, Reasoning):
                    self._thoughts.add(index)
                if isinstance(part, ToolCall):
                    number = self._calls[index] = len(self._calls)
                    return self._chunk({"tool_calls": [{"index": number, **call_json(part)}]})
            case TextAdded(index=index, text=text):
                if index in self._calls:
                    return self._chunk({"tool_calls": [{"index": self._calls[index], "function": {"arguments": text}}]})
                return self._chunk({"reasoning_content" if index in self._thoughts else "content": text})
            case Stopped(stop=stop, usage=usage):
                last = self._chunk({}, REASONS[stop])
                if usage is not None and self._usage_wanted:
                    last += _event({**self._head, "choices": [], "usage": usage_json(usage)})
                return last + event(b"[DONE]")
            case _:
                pass
        return b""

    def fail(self, fault: ProviderFault) -> bytes:
        return _event(refusal_of(fault)[1])

    def _chunk(self, delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**self._head, "choices": [choice]})


def _event(value: Json) -> bytes:
    return event(msgspec.json.encode(value))


def usage_json(usage: Usage) -> Json:
    """Our counts as this wire has them: cached tokens are part of the prompt's."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_long,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
