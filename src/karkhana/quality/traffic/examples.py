"""Requests from the examples of an OpenAPI description.

An operation gives one request when each parameter that it needs has an example, a default or a first value of an
enumeration; a second one per further named example of its body. Knows nothing of applications.

>>> operation = {"parameters": [{"name": "id", "in": "path", "required": True, "example": 3}]}
>>> [r.target for r in from_description("api", {"paths": {"/items/{id}": {"get": operation}}})]
['/items/3']
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from karkhana.quality.traffic.requests import Request

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_HOPS = 20
_BODIES = 5


class _Missing(Exception):
    """A parameter or a body has no value that could be sent."""


def from_description(name: str, document: Any) -> list[Request]:
    """Operations that only look come first, and what deletes comes last."""
    paths = document.get("paths") if isinstance(document, dict) else None
    found: list[tuple[int, Request]] = []
    for path, given in paths.items() if isinstance(paths, dict) else ():
        item = _resolved(document, given)
        for method in METHODS:
            if isinstance(operation := item.get(method), dict):
                shared = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
                try:
                    requests = list(_requests(document, str(path), method, operation, shared))
                except _Missing:
                    continue
                made = [msgspec.structs.replace(request, origin=name) for request in requests]
                found += [(METHODS.index(method), request) for request in made]
    return [request for _, request in sorted(found, key=lambda each: each[0])]


def _requests(document: Any, path: str, method: str, operation: Any, parameters: list[Any]) -> Iterator[Request]:
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    for given in parameters:
        parameter = _resolved(document, given)
        name, place = str(parameter.get("name")), parameter.get("in")
        value = _value(document, parameter)
        if value is None or place in ("body", "formData", "cookie"):
            if (place == "path" or parameter.get("required")) and place not in ("body", "formData"):
                raise _Missing
            continue
        if place == "path":
            path = path.replace("{" + name + "}", quote(_text(value), safe=""))
        elif place == "query":
            query += [(name, _text(v)) for v in (value if isinstance(value, list) else [value])]
        elif place == "header" and _text(value).isprintable():
            headers.append((name.lower(), _text(value)))
    if "{" in path:
        raise _Missing
    base = _base(document).rstrip("/")
    target = base + quote(path, safe="/%:@!$&'()*+,;=~-._") + (f"?{urlencode(query)}" if query else "")
    for kind, body in _bodies(document, operation):
        sent = [*headers, *([("content-type", kind)] if kind else [])]
        yield Request(method=method.upper(), target=target, headers=tuple(sent), body=body)


def _bodies(document: Any, operation: Any) -> Iterator[tuple[str, bytes]]:
    body = _resolved(document, operation.get("requestBody"))
    content = body.get("content")
    media = next(((k, v) for k, v in (content.items() if isinstance(content, dict) else ()) if "json" in str(k)), None)
    if media is None or not isinstance(media[1], dict):
        if body.get("required"):
            raise _Missing
        yield "", b""
        return
    named = [_resolved(document, e).get("value") for e in _map(media[1].get("examples")).values()]
    values = [v for v in [media[1].get("example"), *named] if v is not None][:_BODIES]
    values = values or [v for v in [_of_schema(document, media[1].get("schema"))] if v is not None]
    if not values:
        raise _Missing
    for value in values:
        yield str(media[0]), _json(value).encode()


def _value(document: Any, parameter: Any) -> Any:
    named = [_resolved(document, e).get("value") for e in _map(parameter.get("examples")).values()]
    for value in (parameter.get("example"), *named):
        if value is not None:
            return value
    return _of_schema(document, parameter.get("schema", parameter))


def _of_schema(document: Any, given: Any, depth: int = 0) -> Any:
    schema = _resolved(document, given)
    examples, enum = schema.get("examples"), schema.get("enum")
    for value in (
        schema.get("example"),
        examples[0] if isinstance(examples, list) and examples else None,
        schema.get("const"),
        schema.get("default"),
        enum[0] if isinstance(enum, list) and enum else None,
    ):
        if value is not None:
            return value
    properties = _map(schema.get("properties"))
    if not properties or depth > 5:
        return None
    made = {str(k): _of_schema(document, v, depth + 1) for k, v in properties.items()}
    wanted = schema.get("required")
    lacking = [k for k in (wanted if isinstance(wanted, list) else []) if made.get(k) is None]
    return None if lacking else {k: v for k, v in made.items() if v is not None}


def _base(document: Any) -> str:
    servers = document.get("servers")
    first = servers[0].get("url") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else None
    url = str(first or document.get("basePath") or "")
    try:
        return "" if "{" in url else urlsplit(url).path
    except ValueError:
        return ""


def _resolved(document: Any, value: Any) -> dict[str, Any]:
    """The map that ``value`` is or refers to, within the document."""
    for _ in range(_HOPS):
        reference = value.get("$ref") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            break
        value = document if reference.startswith("#/") else None
        for key in reference[2:].split("/"):
            value = _map(value).get(key.replace("~1", "/").replace("~0", "~"))
    return _map(value)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise _Missing from error  # YAML has values that JSON has not: bytes, sets
