"""Server-sent events, as bytes come and go. Knows nothing of what they say.

Source: WHATWG HTML, section 9.2.6 (interpreting an event stream).

>>> EventReader().feed(b"event: a\\ndata: 1\\n\\n")
[Event(name='a', data='1')]
"""

from typing import NamedTuple

LARGEST_EVENT = 16 << 20
"""Bytes that an unfinished event may have."""


class Event(NamedTuple):
    name: str
    data: str


class EventTooLarge(Exception):
    """An event is longer than :data:`LARGEST_EVENT`."""


class EventReader:
    """Cuts a stream of bytes into events, however they are split into pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are complete now. Raises :class:`EventTooLarge`."""
        text = self._rest + piece
        # A trailing CR may be half of a CR LF.
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = rest + held
        events = []
        for line in lines:
            self._size += len(line)
            event = self._line(line.decode("utf-8", "replace"))
            if event is not None:
                events.append(event)
        if self._size + len(self._rest) > LARGEST_EVENT:
            raise EventTooLarge
        return events

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
