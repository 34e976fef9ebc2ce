"""One canonical JSON form for every domain value.

Keys are sorted, there is no insignificant white space, text is UTF-8: the same value always gives the
same bytes, so a hash of them is a hash of the value.

>>> canonical({"b": 1, "a": "ü"})
b'{"a":"\\xc3\\xbc","b":1}'
"""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Encode ``value`` (domain structs, containers, scalars) as canonical JSON bytes."""
    return _encoder.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Decode canonical JSON into ``kind``.

    Raises ``msgspec.ValidationError`` naming the path of the first value that does not fit.
    """
    return msgspec.json.decode(data, type=kind)


def plain(value: Any) -> Any:
    """``value`` as builtin dicts, lists and scalars, for templates and ``--json`` output."""
    return msgspec.to_builtins(value)
