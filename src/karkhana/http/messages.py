"""Requests, addresses and header lists. Knows nothing of sockets.

>>> Url.parse("https://api.example.com/v1/models?limit=5").target
b'/v1/models?limit=5'
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

Headers = Sequence[tuple[bytes, bytes]]
"""Names as they were sent, and values; repeated names stay repeated."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that are about one connection and are never passed on (RFC 9110, section 7.6.1)."""


class Origin(NamedTuple):
    """What one connection goes to."""

    scheme: str
    host: str
    port: int


class Url(NamedTuple):
    """An absolute address, ready to be written on the wire."""

    origin: Origin
    target: bytes
    host_header: bytes

    def __str__(self) -> str:
        """Without the query, which may hold a key."""
        path = self.target.partition(b"?")[0].decode("ascii", "replace")
        return f"{self.origin.scheme}://{self.host_header.decode('ascii', 'replace')}{path}"

    @staticmethod
    def parse(text: str) -> "Url":
        """Raises ``ValueError`` for what is no ``http`` or ``https`` address."""
        return _parse(text)


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> Url:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is no http or https address")
    if parts.username or parts.password:
        raise ValueError("an address must not hold a user name or password")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(c <= " " or c >= "\x7f" for c in target):
        raise ValueError(f"{text!r} holds characters that must be percent-encoded")
    host = parts.hostname.encode("idna").decode("ascii") if not parts.hostname.isascii() else parts.hostname
    named = f"[{host}]" if ":" in host else host
    usual = port == (443 if parts.scheme == "https" else 80)
    host_header = named if usual else f"{named}:{port}"
    return Url(Origin(parts.scheme, host, port), target.encode("ascii"), host_header.encode("ascii"))


def value_of(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header; ``name`` in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def end_to_end(headers: Headers, also: Iterable[bytes] = ()) -> list[tuple[bytes, bytes]]:
    """The headers that a proxy passes on: not those about one connection, those that it names, or ``also``."""
    dropped = {*HOP_BY_HOP, *also}
    for key, value in headers:
        if key.lower() == b"connection":
            dropped.update(token.strip().lower() for token in value.split(b","))
    return [(key, value) for key, value in headers if key.lower() not in dropped]


def head_of(method: bytes, target: bytes, host: bytes, headers: Headers) -> bytes:
    """The first lines of a request. Raises ``ValueError`` if a header would break out of its line."""
    parts = [method, b" ", target, b" HTTP/1.1\r\nhost: ", host, b"\r\n"]
    for name, value in headers:
        if name not in _NAMES:
            _learn(name)
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return _whole_lines(parts, len(headers) + 3)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int | None, bool]:
    """The headers of an answer, with their names in lower case; the length that they tell, and whether they close.

    How the body is framed is the server's matter, so ``transfer-encoding`` is left out. Raises ``ValueError`` if a
    header would break out of its line.
    """
    parts: list[bytes] = []
    lines, length, closes = 0, None, False
    for name, value in headers:
        lower = _NAMES.get(name) or _learn(name)
        if lower in _FRAMING:
            if lower == b"transfer-encoding":
                continue
            if lower == b"content-length":
                length = int(value)
            else:
                closes = closes or b"close" in [token.strip().lower() for token in value.split(b",")]
        parts += (lower, b": ", value, b"\r\n")
        lines += 1
    return _whole_lines(parts, lines), length, closes


def _whole_lines(parts: list[bytes], lines: int) -> bytes:
    """The parts together. One look at all of them costs less than one at each."""
    text = b"".join(parts)
    if text.count(b"\n") != lines or text.count(b"\r") != lines or b"\0" in text:
        raise ValueError("a header holds characters that are not allowed")
    return text


_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NAMES: dict[bytes, bytes] = {}
"""Names of headers that were found to be right, and in lower case. Bounded, for an upstream may make names up."""


def _learn(name: bytes) -> bytes:
    if not name or not _TOKEN.issuperset(name):
        raise ValueError(f"the header {name!r} holds characters that are not allowed")
    lower = name.lower()
    if len(_NAMES) < 1024 and len(name) <= 64:
        _NAMES[name] = lower
    return lower
