"""Reads nothing but the usage out of an answer that is passed on unread. Knows nothing of money.

Translating an answer only to count its tokens would cost more than passing it on. So of a whole answer only the field
is decoded that holds the usage, and of a stream only the events that mention it.

>>> meter = OpenAIMeter()
>>> meter.whole(b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}')
>>> meter.usage
Usage(input=3, cache_read=0, cache_write=0, cache_write_long=0, output=2, reasoning=0)
"""

from typing import Any, Protocol

import msgspec

from karkhana.domain.chat import Usage
from karkhana.routing.wires.openai_chat.client import usage_of

_EVENT_BYTES = 4 << 20
"""Of an event that is not over; what is longer is not looked at."""


class Meter(Protocol):
    """What one answer used."""

    usage: Usage | None
    """``None`` as long as nothing was said."""

    def whole(self, body: bytes) -> None:
        """A whole answer. What is no JSON says nothing."""

    def piece(self, data: bytes) -> None:
        """More of a stream, cut anywhere."""


class _Body(msgspec.Struct):
    usage: dict[str, Any] | None = None


class _Lines:
    """The lines of a stream that hold a word, however the stream is cut."""

    def __init__(self, word: bytes) -> None:
        self._word = word
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        text = self._rest + data if self._rest else data
        end = text.rfind(b"\n")
        if end < 0:
            self._rest = text if len(text) <= _EVENT_BYTES else b""
            return []
        self._rest = text[end + 1 :]
        if self._word not in text:
            return []
        return [
            line.strip()[5:] for line in text[:end].split(b"\n") if self._word in line and line.startswith(b"data:")
        ]


class OpenAIMeter:
    """Chat Completions: the last chunk of a stream has the usage, if the request asked for it."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._lines = _Lines(b'"usage"')

    def whole(self, body: bytes) -> None:
        found = _decoded(body)
        if found is not None and found.usage is not None:
            self.usage = usage_of(found.usage)

    def piece(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self.whole(line)


_DECODER = msgspec.json.Decoder(_Body)


def _decoded(body: bytes) -> _Body | None:
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return None
