"""Reads nothing but the usage out of an answer that is passed on unread. Knows nothing of money.

Translating an answer only to count its tokens would cost more than passing it on. So of a whole answer only the field
is decoded that holds the usage, and of a stream only the events that mention it.

>>> meter = METERS["openai"]()
>>> meter.whole(b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}')
True
>>> meter.usage
Usage(input=3, cache_read=0, cache_write=0, cache_write_long=0, output=2, reasoning=0)
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from karkhana.domain.chat import Usage
from karkhana.routing.wires.anthropic import answers as anthropic
from karkhana.routing.wires.gemini import answers as gemini
from karkhana.routing.wires.ollama import answers as ollama
from karkhana.routing.wires.openai_chat.answers import usage_of
from karkhana.routing.wires.openai_responses import answers as openai_responses

_EVENT_BYTES = 4 << 20
"""Of an event that is not over; what is longer is not looked at."""


class Meter(Protocol):
    """What one answer used."""

    usage: Usage | None
    """``None`` as long as nothing was said."""

    def whole(self, body: bytes) -> bool:
        """A whole answer; whether it could be read. What is no JSON, or of another shape, says nothing."""

    def piece(self, data: bytes) -> None:
        """More of a stream, cut anywhere."""


class _Lines:
    """The lines of a stream that hold a word, however the stream is cut; of events only the data."""

    def __init__(self, word: bytes, start: bytes = b"data:") -> None:
        self._word = word
        self._start = start
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        head, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._keep(data)
            return []
        text = b"".join([*self._rest, head]) if self._rest else head
        self._rest, self._size = [], 0
        self._keep(rest)
        if self._word not in text:
            return []
        start = self._start
        return [
            line.strip().removeprefix(start)
            for line in text.split(b"\n")
            if self._word in line and line.startswith(start)
        ]

    def _keep(self, data: bytes) -> None:
        """What an endless event leaves is dropped, and with it its beginning, so that its end says nothing."""
        if data:
            self._rest.append(data)
            self._size += len(data)
        if self._size > _EVENT_BYTES:
            self._rest, self._size = [b"\0"], 1


class _Inner(msgspec.Struct):
    usage: dict[str, Any] | None = None


class _Body(msgspec.Struct):
    """The places in which the wires say what was used."""

    usage: dict[str, Any] | None = None
    message: _Inner | None = None
    response: _Inner | None = None
    usage_metadata: dict[str, Any] | None = msgspec.field(default=None, name="usageMetadata")


class _Counts(msgspec.Struct):
    prompt_eval_count: Any = None
    eval_count: Any = None


_BODY = msgspec.json.Decoder(_Body)
_COUNTS = msgspec.json.Decoder(_Counts)


class _BodyMeter:
    """Of a wire that says it in an object of its own."""

    _word = b'"usage"'

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._lines: _Lines | None = None

    def whole(self, body: bytes) -> bool:
        try:
            found = _BODY.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        self._read(found)
        return True

    def piece(self, data: bytes) -> None:
        if self._lines is None:
            self._lines = _Lines(self._word)
        for line in self._lines.feed(data):
            self.whole(line)

    def _read(self, body: _Body) -> None:
        """The last chunk of a stream of Chat Completions has the usage, if the request asked for it."""
        self.usage = usage_of(body.usage) or self.usage


class OpenAIMeter(_BodyMeter):
    """Chat Completions."""


class AnthropicMeter(_BodyMeter):
    """Messages: the first event has the prompt's tokens, later ones replace what has changed."""

    def _read(self, body: _Body) -> None:
        found = body.message.usage if body.message is not None else body.usage
        self.usage = anthropic.usage_of(found, self.usage)


class GeminiMeter(_BodyMeter):
    """generateContent: each chunk has all that is known so far."""

    _word = b'"usageMetadata"'

    def _read(self, body: _Body) -> None:
        self.usage = gemini.usage_of(body.usage_metadata) or self.usage


class ResponsesMeter(_BodyMeter):
    """Responses: the last event has the whole answer, and the usage in it."""

    def _read(self, body: _Body) -> None:
        found = body.response.usage if body.response is not None else body.usage
        self.usage = openai_responses.usage_of(found) or self.usage


class OllamaMeter:
    """Ollama: the last line has the counts."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._lines = _Lines(b'eval_count"', b"")

    def whole(self, body: bytes) -> bool:
        try:
            found = _COUNTS.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        counts: Mapping[str, Any] = {
            name: value
            for name, value in (("prompt_eval_count", found.prompt_eval_count), ("eval_count", found.eval_count))
            if value is not None
        }
        self.usage = ollama.usage_of(counts) or self.usage
        return True

    def piece(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self.whole(line)


METERS: dict[str, Callable[[], Meter]] = {
    "openai": OpenAIMeter,
    "anthropic": AnthropicMeter,
    "gemini": GeminiMeter,
    "openai_responses": ResponsesMeter,
    "ollama": OllamaMeter,
}
"""Makes the meter for one answer, by the wire's name."""
