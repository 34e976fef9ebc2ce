"""A request that somebody once made, and an answer to it.

Knows nothing of where requests come from.

>>> Request(method="GET", target="/items?all=1").path
'/items'
"""

from collections.abc import Iterable

import msgspec

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host", "content-length", "accept-encoding", "if-none-match", "if-modified-since", "range",
})  # fmt: skip
"""Headers of the way rather than of the request (RFC 9110, 7.6.1), and those that ask for another form of answer."""
REDACTED = "[redacted]"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, without its host."""

    method: str
    target: str
    """Path and query, as they are sent: percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    origin: str = ""
    """The file that it was read from."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def shown(self) -> str:
        text = f"{self.method} {self.target}"
        return text if len(text) <= 100 else text[:99] + "…"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the application said."""

    number: int
    """Of the request, from 0."""
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    size: int = 0
    """Bytes of the whole body; what is longer than the bound was cut off."""
    error: str = ""
    """The exception that the application let rise, in one line."""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


def kept_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers that are worth sending again; of cookies only the names are, and nothing that was redacted."""
    return tuple(
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in HOP_BY_HOP
        and not name.startswith(":")
        and (REDACTED not in value or name.lower() == "cookie")
    )
