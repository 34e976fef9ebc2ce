"""How the pieces of a streamed answer are told apart: server-sent events, or one JSON value a line.

Knows nothing of what they say. A line is given as an event without a name, so that one reader takes either.

Source of the second: https://github.com/ndjson/ndjson-spec.

>>> JSON_LINES.reader().feed(b'{"a":1}\\n{"b"')
[Event(name='', data='{"a":1}')]
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from karkhana.routing.sse import LARGEST_EVENT, Event, EventReader, EventTooLarge


class Cutter(Protocol):
    """Cuts one stream."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now. Raises ``EventTooLarge``."""


class LineReader:
    """Cuts a stream of bytes into lines that are not empty. ``largest``: bytes that an unfinished line may have."""

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """The lines that are complete now. Raises ``EventTooLarge``."""
        head, newline, rest = piece.rpartition(b"\n")
        if not newline:
            self._keep(piece)
            return []
        text = b"".join([*self._rest, head])
        self._rest, self._size = [], 0
        self._keep(rest)
        lines = (line.strip() for line in text.split(b"\n"))
        return [Event("", line.decode("utf-8", "replace")) for line in lines if line]

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._size += len(piece)
        if self._size > self._largest:
            raise EventTooLarge


class Framing(NamedTuple):
    """How a wire streams."""

    content_type: bytes
    reader: Callable[[], Cutter]
    """Makes the reader for one stream."""


SERVER_SENT_EVENTS = Framing(b"text/event-stream", EventReader)
JSON_LINES = Framing(b"application/x-ndjson", LineReader)
