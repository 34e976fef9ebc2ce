"""Reads JSON that a stranger sent, more strictly than a parser would: what may be read in two ways is refused.

Duplicate keys, NaN, endless numbers, deep nesting and bytes that are not UTF-8 are refused (RFC 8259 leaves them to
the reader, and two readers differ). Knows nothing of what a payload means.

>>> read(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
...
karkhana.intake.payload.Unreadable: the key 'a' stands there twice
"""

import json
import urllib.parse
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

DEEPEST = 64
LONGEST_TEXT = 60_000
"""Characters of a ticket's text that are taken over."""


class Unreadable(Exception):
    """A payload that is not what it should be; the message says why."""


def read(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises :class:`Unreadable`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    if _depth(text) > DEEPEST:
        raise Unreadable(f"it is nested more than {DEEPEST} deep")
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is no JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("it is no JSON object")
    return found


def fitted(payload: Any, kind: type[T]) -> T:
    """``payload`` as a ``kind``; fields that it does not name are left out. Raises :class:`Unreadable`."""
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)) from error


def form(body: bytes, name: str) -> str:
    """The one field ``name`` of a form. Raises :class:`Unreadable`."""
    try:
        fields = urllib.parse.parse_qs(body.decode("utf-8"), strict_parsing=True, errors="strict", max_num_fields=16)
    except ValueError as error:
        raise Unreadable("it is no form") from error
    values = fields.get(name, [])
    if len(values) != 1:
        raise Unreadable(f"it has no single field {name!r}")
    return values[0]


def clean(text: str | None, longest: int = LONGEST_TEXT) -> str:
    """``text`` as it can be kept: no lone surrogates, no control characters but tabs and new lines, not endless.

    >>> clean("a\\x00b\\ud800\\r\\nc")
    'ab?\\nc'
    """
    plain = (text or "").replace("\r\n", "\n").encode("utf-8", "replace").decode()
    kept = "".join(each for each in plain[: longest + 1] if each in "\n\t" or ord(each) >= 32)
    return kept if len(kept) <= longest else kept[:longest] + "\n(the rest was left out)"


def line(text: str | None, longest: int = 200) -> str:
    """``text`` on one line."""
    return " ".join(clean(text, 4 * longest).split())[:longest]


def _depth(text: str) -> int:
    # brackets inside of strings count as well, unless none of them could be too many
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    inside = escaped = False
    for each in text:
        if inside:
            if escaped:
                escaped = False
            elif each == "\\":
                escaped = True
            elif each == '"':
                inside = False
        elif each == '"':
            inside = True
        elif each in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEEPEST:
                break
        elif each in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _value in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable(f"the key {twice[:40]!r} stands there twice")
    return found


def _constant(name: str) -> Any:
    raise Unreadable(f"{name} is no JSON")
