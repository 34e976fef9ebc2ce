"""Reads answers of Ollama, whole and streamed."""

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
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    ToolCall,
    Usage,
)
from karkhana.routing.sse import Event
from karkhana.routing.wires.ollama.errors import fault_in
from karkhana.routing.wires.tool_calls import arguments_text, fresh_id
from karkhana.routing.wires.wire import Json, broken, count_in


def answer_of(body: Json) -> ChatAnswer:
    """A whole answer. Raises ``ProviderFault``."""
    try:
        _check(body)
        if not body.get("done"):
            raise broken("the answer is not done")
        parts = tuple(_parts(body["message"]))
        called = any(isinstance(part, ToolCall) for part in parts)
        return ChatAnswer(
            model=str(body.get("model") or ""), parts=parts, stop=_stop(body, called), usage=usage_of(body)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise broken(f"the answer has no message ({error!r})") from error


def _check(body: Json) -> None:
    if body.get("error"):
        raise fault_in(str(body["error"]))


def _parts(message: Json) -> Iterator[Part]:
    if message.get("thinking"):
        yield Reasoning(text=str(message["thinking"]))
    if message.get("content"):
        yield Text(text=str(message["content"]))
    for call in message.get("tool_calls") or ():
        function = call["function"]
        arguments = arguments_text(function.get("arguments"))
        yield ToolCall(id=str(call.get("id") or fresh_id()), name=str(function["name"]), arguments=arguments)


def _stop(body: Json, called: bool) -> StopReason:
    if body.get("done_reason") == "length":
        return StopReason.LENGTH
    return StopReason.TOOL_CALLS if called else StopReason.END


def usage_of(body: Any) -> Usage | None:
    """The counts stand among the answer's own fields."""
    if not isinstance(body, Mapping) or not ("eval_count" in body or "prompt_eval_count" in body):
        return None
    return Usage(input=count_in(body, "prompt_eval_count"), output=count_in(body, "eval_count"))


class OllamaReader:
    """Reads the lines of one answer."""

    def __init__(self) -> None:
        self._started = self._called = self._over = False
        self._open: tuple[int, type[Part]] | None = None
        self._next = 0

    def read(self, event: Event) -> list[Delta]:
        try:
            line = json.loads(event.data)
            if not isinstance(line, dict):
                raise broken("a line of the stream is no object")
            _check(line)
            return list(self._line(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise broken(f"a line of the stream makes no sense ({error!r})") from error

    def end(self) -> list[Delta]:
        """Nothing: the last line says that it is."""
        return []

    def _line(self, line: Json) -> Iterator[Delta]:
        if not self._started:
            self._started = True
            yield Started(model=str(line.get("model") or ""))
        for part in _parts(line.get("message") or {}):
            yield from self._part(part)
        if line.get("done") and not self._over:
            self._over = True
            yield from self._closed()
            yield Stopped(stop=_stop(line, self._called), usage=usage_of(line))

    def _part(self, part: Part) -> Iterator[Delta]:
        if isinstance(part, ToolCall):
            self._called = True
            yield from self._closed()
            index, self._next = self._next, self._next + 1
            yield PartStarted(index=index, part=ToolCall(id=part.id, name=part.name, arguments=""))
            yield TextAdded(index=index, text=part.arguments)
            yield PartEnded(index=index)
        elif isinstance(part, Text | Reasoning):
            if self._open is None or self._open[1] is not type(part):
                yield from self._closed()
                self._open, self._next = (self._next, type(part)), self._next + 1
                yield PartStarted(index=self._open[0], part=type(part)(text=""))
            yield TextAdded(index=self._open[0], text=part.text)

    def _closed(self) -> Iterator[Delta]:
        if self._open is not None:
            yield PartEnded(index=self._open[0])
            self._open = None
