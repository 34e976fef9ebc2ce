"""Which operations of an OpenAPI description a change touches.

An operation is touched when its description differs, with all that it refers to, or when the function that answers it
may reach a function that changed. Where nobody knows which function answers what, all are.

Knows nothing of what is done with them.

>>> old = {"paths": {"/a": {"get": {"summary": "x"}}, "/b": {"get": {}}}}
>>> new = {"paths": {"/a": {"get": {"summary": "y"}}, "/b": {"get": {}}}}
>>> sorted(described_otherwise(old, new))
[('GET', '/a')]
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from karkhana.quality.changed import ChangedFile
from karkhana.quality.traffic.examples import METHODS

Operation = tuple[str, str]
"""Method in capitals, and path as the description writes it."""
_MOST_REFERENCES = 2000


class Route(msgspec.Struct, frozen=True, array_like=True):
    """A route of an application."""

    method: str
    path: str
    reached: tuple[tuple[str, int], ...]
    """File and first line of each function that may be run; line 0: something of that file."""


def operations(document: Any) -> Iterator[tuple[Operation, Any]]:
    """Each operation, with what its path says for all of them."""
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in METHODS:
            if isinstance(item, dict) and isinstance(item.get(method), dict):
                yield (method.upper(), str(path)), [item[method], item.get("parameters"), item.get("servers")]


def described_otherwise(old: Any, new: Any) -> set[Operation]:
    """Operations of ``new`` that ``old`` has not, or describes in another way."""
    before = {operation: _whole(old, said) for operation, said in operations(old)}
    return {operation for operation, said in operations(new) if before.get(operation) != _whole(new, said)}


def answered_otherwise(document: Any, routes: Iterable[Route], files: Sequence[ChangedFile]) -> set[Operation]:
    """Operations whose handlers may reach a changed function, or a file in which something else changed."""
    touched = {(r.method, _plain(r.path)) for r in routes if any(_holds(file, r.reached) for file in files)}
    base = _plain(base_path(document))
    return {
        (method, path)
        for (method, path), _ in operations(document)
        if (method, _plain(path)) in touched or (base and (method, base + _plain(path)) in touched)
    }


def only(document: dict[str, Any], wanted: Sequence[Operation]) -> dict[str, Any]:
    """The description with these operations alone, and without the addresses of its servers."""
    methods: dict[str, set[str]] = {}
    for method, path in wanted:
        methods.setdefault(path, set()).add(method.lower())
    paths = {
        path: {key: said for key, said in item.items() if key not in METHODS or key in methods[str(path)]}
        for path, item in document["paths"].items()
        if str(path) in methods and isinstance(item, dict)
    }
    kept = {key: said for key, said in document.items() if key not in ("servers", "host", "schemes", "webhooks")}
    return {**kept, "paths": paths}


def base_path(document: Any) -> str:
    """What stands before each path; empty when nothing does."""
    servers = document.get("servers") if isinstance(document, dict) else None
    first = servers[0].get("url") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else None
    url = str(first or (document.get("basePath") if isinstance(document, dict) else "") or "")
    path = re.sub(r"^[a-zA-Z][\w+.-]*://[^/]*", "", url)
    return "" if "{" in url or not path.startswith("/") else path.rstrip("/")


def _holds(file: ChangedFile, reached: Iterable[tuple[str, int]]) -> bool:
    lines = [line for path, line in reached if path == file.path]
    if lines and (file.outside or file.gone):
        return True
    return any(f.place.top <= line <= f.place.end for f in file.functions for line in lines)


def _plain(path: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", path).rstrip("/")


def _whole(document: Any, said: Any) -> str:
    """The text of ``said`` and of everything in the document that it refers to."""
    texts = [json.dumps(said, sort_keys=True, default=str)]
    seen: set[str] = set()
    for text in texts:
        for reference in re.findall(r'"\$ref": "#/([^"]*)"', text):
            if reference not in seen and len(seen) < _MOST_REFERENCES:
                seen.add(reference)
                value = document
                for key in reference.split("/"):
                    value = value.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
                texts.append(json.dumps(value, sort_keys=True, default=str))
    return "\n".join(texts)
