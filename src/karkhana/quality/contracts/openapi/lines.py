"""On which line of a file a place in a description stands.

Knows nothing of what the place is.

>>> lines(b"a:\\n  b: 1\\n  c: [2,\\n  3]\\n", ["/a/c/1", "/a/gone", "/x"])
{'/a/c/1': 4, '/a/gone': 1, '/x': 0}
"""

import contextlib
from collections.abc import Iterable

import msgspec
import yaml

from karkhana.quality.contracts.openapi.documents import escape

_LARGEST = 8_000_000
"""Bytes; reading the marks of a larger file would cost more than they are worth."""
_DEEPEST = 200


class _Level(msgspec.Struct):
    """A collection that is open: where it stands, and what comes next in it."""

    pointer: str
    is_map: bool
    index: int = 0
    key: str | None = None
    line: int = 0


def lines(content: bytes, pointers: Iterable[str]) -> dict[str, int]:
    """JSON pointer → line from 1: of its key, or of the nearest thing around it that is there; 0: nothing is known."""
    wanted = {prefix for pointer in pointers for prefix in _prefixes(pointer)}
    found: dict[str, int] = {}
    if len(content) <= _LARGEST:
        # what YAML's parser does not like has no lines; what was found before counts
        with contextlib.suppress(yaml.YAMLError, ValueError):
            _walk(content, wanted, found)
    found.pop("", None)
    return {p: next((found[q] for q in _prefixes(p) if q in found), 0) for p in pointers}


def _prefixes(pointer: str) -> list[str]:
    parts = pointer.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _walk(content: bytes, wanted: set[str], found: dict[str, int]) -> None:
    open_: list[_Level] = []
    for event in yaml.parse(content, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        line = event.start_mark.line + 1
        top = open_[-1] if open_ else None
        if top is not None and top.is_map and top.key is None:
            top.key, top.line = getattr(event, "value", ""), line
            if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                continue
        pointer = ""
        if top is not None:
            pointer = f"{top.pointer}/{escape(str(top.key)) if top.is_map else top.index}"
            if pointer in wanted:
                found.setdefault(pointer, top.line if top.is_map else line)
            top.key, top.index = None, top.index + 1
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) >= _DEEPEST:
                return
            open_.append(_Level(pointer, isinstance(event, yaml.MappingStartEvent)))
