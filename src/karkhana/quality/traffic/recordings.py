"""Reads recordings that lie in a repository: HAR files, cassettes, and examples in OpenAPI descriptions.

HAR is what browsers, proxies and ``karkhana.recording`` write (version 1.2, http://www.softwareishard.com/blog/har-12-spec).
A cassette of VCR.py or pytest-recorded holds what an application *asked of others*; only interactions with this machine
or a test server are requests to the application itself, and the rest is left alone. What cannot be read gives nothing.

Knows nothing of answers.

>>> har = b'{"log": {"entries": [{"request": {"method": "GET", "url": "https://shop.example/items?all=1"}}]}}'
>>> from_har("a.har", har)[0].target
'/items?all=1'
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from karkhana.quality.contracts.openapi.documents import Unreadable, load
from karkhana.quality.traffic.requests import Request, kept_headers

OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "testserver", "test", "app"})  # noqa: S104
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def from_har(path: str, content: bytes) -> list[Request]:
    """The requests of a HAR file, in order."""
    entries = _under(_loaded(content), "log", "entries")
    return [made for entry in _list(entries) if (made := _har_request(path, _under(entry, "request"))) is not None]


def from_cassette(path: str, content: bytes) -> list[Request]:
    """The requests of a cassette that were made to the application itself."""
    made = []
    for interaction in _list(_under(_loaded(content), "interactions")):
        request = _under(interaction, "request")
        uri, body = _under(request, "uri"), _under(request, "body")
        if _host(uri) not in OWN_HOSTS:
            continue
        text = _under(body, "string") if isinstance(body, dict) else body
        headers = _under(request, "headers")
        pairs = headers.items() if isinstance(headers, dict) else ()
        flat = [(str(k), str(v)) for k, values in pairs for v in (values if isinstance(values, list) else [values])]
        found = _request(path, _under(request, "method"), uri, flat, text)
        made += [found] if found is not None else []
    return made


def distinct(requests: Iterable[Request], most: int) -> list[Request]:
    """The first ``most``; a request that only looks is asked once."""
    seen: set[tuple[str, str, bytes]] = set()
    kept: list[Request] = []
    for request in requests:
        key = (request.method, request.target, request.body)
        if key in seen and request.method in ("GET", "HEAD", "OPTIONS"):
            continue
        seen.add(key)
        kept.append(request)
    return kept[:most]


def _har_request(path: str, request: Any) -> Request | None:
    body = _under(request, "postData", "text")
    if body is None:
        pairs = [
            (str(_under(p, "name")), str(_under(p, "value"))) for p in _list(_under(request, "postData", "params"))
        ]
        body = "&".join(f"{name}={value}" for name, value in pairs) or None
    if isinstance(body, str) and _under(request, "postData", "encoding") == "base64":
        try:
            body = base64.b64decode(body, validate=True)
        except ValueError:  # no base64, or no ASCII at all
            return None
    headers = [(str(_under(h, "name")), str(_under(h, "value"))) for h in _list(_under(request, "headers"))]
    return _request(path, _under(request, "method"), _under(request, "url"), headers, body)


def _request(path: str, method: Any, url: Any, headers: list[tuple[str, str]], body: Any) -> Request | None:
    if not isinstance(method, str) or method.upper() not in _METHODS or not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", ""):
        return None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(c.isspace() for c in target):
        return None
    sent = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
    return Request(method=method.upper(), target=target, headers=kept_headers(headers), body=sent, origin=path)


def _host(uri: Any) -> str | None:
    try:
        return urlsplit(uri).hostname if isinstance(uri, str) else None
    except ValueError:
        return None


def _loaded(content: bytes) -> Any:
    try:
        return load(content)
    except Unreadable:
        return None


def _under(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else ()
