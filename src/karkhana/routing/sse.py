"""Server-sent events, as bytes come and go. Knows nothing of what they say.

Source: WHATWG HTML, section 9.2.6 (interpreting an event stream).

>>> EventReader().feed(b"event: a\\ndata: 1\\n\\n")
[Event(name='a', data='1')]
"""

from typing import NamedTuple

LARGEST_EVENT = 16 << 20
"""Bytes that an unfinished event may have."""
_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    name: str
    data: str


class EventTooLarge(Exception):
    """An event is longer than what is borne."""


class EventReader:
    """Cuts a stream of bytes into events, however they are split into pieces.

    ``largest``: bytes that an unfinished event may have.
    """

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._first = True

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now. Raises :class:`EventTooLarge`."""
        events = []
        for line in self._lines(piece):
            self._size += len(line)
            event = self._line(line.decode("utf-8", "replace"))
            if event is not None:
                events.append(event)
        if self._size + self._rest_size > self._largest:
            raise EventTooLarge
        return events

    def _lines(self, piece: bytes) -> list[bytes]:
        # Joined only when a line ends: joining at each piece would take the square of a long line's length. A carriage
        # return that was kept as half of a line's end makes the next piece look at it again.
        ended = b"\n" in piece or b"\r" in piece or (self._rest and self._rest[-1].endswith(b"\r"))
        if not ended:
            self._keep(piece)
            return []
        text = b"".join([*self._rest, piece])
        self._rest, self._rest_size = [], 0
        if self._first and len(text) >= len(_MARK):
            text, self._first = text.removeprefix(_MARK), False
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._keep(rest + held)
        return lines

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._rest_size += len(piece)

    def _line(self, line: str) -> Event | None:
        if not line:
            event = Event(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data, self._size = "", [], 0
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None


def event(data: bytes, name: bytes = b"") -> bytes:
    """An event on the wire; ``data`` without line breaks."""
    return (b"event: %b\ndata: %b\n\n" % (name, data)) if name else b"data: %b\n\n" % data
