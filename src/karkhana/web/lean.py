"""Reads of the events that trails are full of only what a page's digest wants: no texts, no blobs.

A tool's result and a model's answer may have megabytes, of which a digest needs a number or two. Knows nothing of
digests, nor of the database.

>>> event = lean("tool.returned", '{"error":null,"result":{"exit_code":2,"text":{"$blob":"00"}},"turn":7,"type":"x"}')
>>> event.turn, event.result
(7, {'exit_code': 2})
>>> lean("tool.called", "") is None
True
"""

from collections.abc import Callable
from typing import Any

import msgspec

from karkhana.domain import events as ev

NOTHING_OF = ("tool.called", "hypothesis.tried", "note")
"""Types of which nothing but their place matters."""


class _Exit(msgspec.Struct):
    exit_code: Any = 0


class _Returned(msgspec.Struct):
    turn: int
    error: Any = None
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Answered(msgspec.Struct):
    turn: int
    model: str
    place: str = ""
    cost_usd: str = ""
    duration_s: float = 0.0
    recalled: bool = False


def _returned(payload: str) -> ev.AnyEvent:
    found = _RETURNED.decode(payload)
    result = None
    raw = bytes(found.result)
    if raw.startswith(b"{") and b'"exit_code"' in raw:
        result = {"exit_code": _EXIT.decode(raw).exit_code}
    return ev.ToolReturned(turn=found.turn, error=None if found.error is None else "it failed", result=result)


def _answered(payload: str) -> ev.AnyEvent:
    found = _ANSWERED.decode(payload)
    return ev.ModelAnswered(
        turn=found.turn,
        purpose="",
        model=found.model,
        place=found.place,
        answer={},
        cost_usd=found.cost_usd,
        duration_s=found.duration_s,
        recalled=found.recalled,
    )


_RETURNED = msgspec.json.Decoder(_Returned)
_ANSWERED = msgspec.json.Decoder(_Answered)
_EXIT = msgspec.json.Decoder(_Exit)
_READERS: dict[str, Callable[[str], ev.AnyEvent]] = {"tool.returned": _returned, "model.answered": _answered}


def reads(kind: str) -> bool:
    """Whether :func:`lean` reads events of this type."""
    return kind in _READERS or kind in NOTHING_OF


def lean(kind: str, payload: str) -> ev.AnyEvent | None:
    """An event of a type that :func:`reads` names, with what matters of it; ``None``: nothing does.

    Raises ``msgspec.DecodeError``.
    """
    reader = _READERS.get(kind)
    return None if reader is None else reader(payload)
