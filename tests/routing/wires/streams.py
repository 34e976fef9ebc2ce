"""Streams for tests of wires: written as a provider would, and cut at odd places."""

import json
from collections.abc import Iterable
from typing import Any

from karkhana.domain.chat import Delta
from karkhana.routing.wires.wire import Wire


def sent(events: Iterable[dict[str, Any]]) -> bytes:
    """Server-sent events with their names, as Anthropic and OpenAI's Responses send them."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events
    )


def chunks(values: Iterable[Any], last: str = "") -> bytes:
    """Server-sent events without names, with Windows' ends of lines, as Gemini sends them."""
    return (
        b"".join(f"data: {json.dumps(value, ensure_ascii=False)}\r\n\r\n".encode() for value in values) + last.encode()
    )


def lines(values: Iterable[Any]) -> bytes:
    """A value a line, as Ollama sends them."""
    return b"".join(f"{json.dumps(value, ensure_ascii=False)}\n".encode() for value in values)


def deltas_in(wire: Wire, data: bytes, size: int) -> list[Delta]:
    """What the wire's reader makes of a stream that comes in pieces of ``size`` bytes."""
    cutter, reader = wire.framing.reader(), wire.client.reader()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [delta for piece in pieces for event in cutter.feed(piece) for delta in reader.read(event)]
    return [*found, *reader.end()]
