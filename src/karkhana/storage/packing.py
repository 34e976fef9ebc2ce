"""Event data on its way into JSON and back: large values aside, and text that is not Unicode.

A key that begins with ``$`` is ours; one of the event's own gets a second ``$``. Knows nothing of where blobs go.

>>> pack({"$x": "a" * 10}, keep=lambda content: "0123", clean=bytes, limit=4)
{'$$x': {'$blob': '0123', 'size': 10}}
>>> unpack({'$$x': {'$blob': '0123', 'size': 10}}, lambda name: b"a" * 10)
{'$x': 'aaaaaaaaaa'}
"""

import base64
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from karkhana.domain.json import canonical

LIMIT = 8 * 1024
"""Bytes above which a value becomes a blob."""
_SCALARS = frozenset({int, float, bool, type(None)})
Keep: TypeAlias = Callable[[bytes], str]
Clean: TypeAlias = Callable[[bytes], bytes]
BLOB, SIZE, BINARY, SURROGATES = "$blob", "size", "binary", "$surrogates"


def pack(value: Any, keep: Keep, clean: Clean, limit: int = LIMIT) -> Any:
    """``value`` (builtins, and bytes) as data that JSON can carry.

    ``keep`` stores a blob and names it; ``clean`` redacts bytes that will not be readable as text any more.
    """
    kind = type(value)
    if kind is dict:
        return {
            (key if key.isascii() and not key.startswith("$") else _pack_key(key)): (
                item
                if type(item) in _SCALARS or (type(item) is str and item.isascii() and len(item) <= limit)
                # deciding here about most values saves a call for each, half the time of packing
                else pack(item, keep, clean, limit)
            )
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [pack(item, keep, clean, limit) for item in value]
    if kind is str:
        return value if value.isascii() and len(value) <= limit else _pack_text(value, keep, clean, limit)
    if kind is bytes:
        if len(value) > limit:
            return {BLOB: keep(value), SIZE: len(value), BINARY: True}
        return base64.b64encode(clean(value)).decode("ascii")
    return value


def plain_json(value: Any, limit: int = LIMIT) -> bytes | None:
    """The canonical JSON of data that needs no packing; ``None`` if it may need some.

    Most events need none, and finding out by packing takes three times as long.

    >>> plain_json({"b": 1, "a": b""}), plain_json({"$a": 1}), plain_json({"a": b"x"})
    (b'{"a":"","b":1}', None, None)
    """
    try:
        found = canonical(value)
    except UnicodeEncodeError:
        return None
    # text that is not ASCII may be longer in bytes than in characters, or no Unicode
    plain = len(found) <= limit and found.isascii() and b'"$' not in found and not _holds_bytes(value)
    return found if plain else None


def _holds_bytes(value: Any) -> bool:
    """Whether a container of builtins holds bytes; none at all are no secret."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is str or kind in _SCALARS:
            continue
        if kind is bytes:
            if item:
                return True
        elif _holds_bytes(item):
            return True
    return False


def _pack_text(value: str, keep: Keep, clean: Clean, limit: int) -> Any:
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) > limit:
        return {BLOB: keep(raw), SIZE: len(raw)}
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return {SURROGATES: base64.b64encode(clean(raw)).decode("ascii")}
    return value


def _pack_key(key: str) -> str:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return f"{SURROGATES}:" + base64.b64encode(key.encode("utf-8", "surrogatepass")).decode("ascii")
    return f"${key}" if key.startswith("$") else key


def _unpack_key(key: str) -> str:
    if key.startswith(f"{SURROGATES}:"):
        return base64.b64decode(key.partition(":")[2]).decode("utf-8", "surrogatepass")
    return key.removeprefix("$")


def unpack(value: Any, blob: Callable[[str], bytes]) -> Any:
    """Inverse of :func:`pack`; binary values are base64 text, as everywhere in JSON."""
    if type(value) is list:
        return [unpack(item, blob) for item in value]
    if type(value) is not dict:
        return value
    if BLOB in value:
        content = blob(value[BLOB])
        if BINARY in value:
            return base64.b64encode(content).decode("ascii")
        return content.decode("utf-8", "surrogatepass")
    if SURROGATES in value:
        return base64.b64decode(value[SURROGATES]).decode("utf-8", "surrogatepass")
    return {_unpack_key(key): unpack(item, blob) for key, item in value.items()}


def pack_small(value: Any) -> Any:
    """:func:`pack` for data that is kept in one piece."""
    return pack(value, _no_blob, bytes, limit=sys.maxsize)


def unpack_small(value: Any) -> Any:
    """Inverse of :func:`pack_small`."""
    return unpack(value, _no_blob_here)


def _no_blob(content: bytes) -> str:
    raise AssertionError(f"{len(content)} bytes are over the limit")


def _no_blob_here(name: str) -> bytes:
    raise AssertionError(f"blob {name} in data without blobs")


def blob_names(value: Any) -> Iterator[str]:
    """The name of every blob that packed data refers to."""
    if type(value) is list:
        for item in value:
            yield from blob_names(item)
    elif type(value) is dict:
        if BLOB in value:
            yield value[BLOB]
        else:
            for item in value.values():
                yield from blob_names(item)
