"""Where clients knock: which path is which wire, and what can be read of a request without reading it all.

Knows nothing of providers.

>>> peek(b'{"model":"m","messages":[],"stream":true,"max_tokens":5}').model
'm'
"""

from typing import Any

import msgspec

from karkhana.http.messages import Headers
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest, Wire

DOORS = {
    "/v1/chat/completions": "openai",
    "/chat/completions": "openai",
    "/v1/responses": "openai_responses",
    "/responses": "openai_responses",
    "/v1/messages": "anthropic",
    "/messages": "anthropic",
}
"""Path → wire."""
KEY_HEADERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie"})
"""Headers that may hold a client's key: read here, never passed on."""
PASSED = (b"anthropic-beta", b"anthropic-version", b"openai-beta", b"idempotency-key")
"""Headers of a client that its provider shall see."""


class Peek(msgspec.Struct):
    """What is known of a request's body without translating it."""

    model: str
    stream: bool = False
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    n: int | None = None
    stream_options: dict[str, Any] | None = None

    @property
    def answer_tokens(self) -> int | None:
        """What the client allows the answer to have."""
        return self.max_completion_tokens or self.max_tokens or self.max_output_tokens


_PEEK = msgspec.json.Decoder(Peek)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def wire_at(path: str) -> Wire | None:
    """The wire that is spoken at a path."""
    name = DOORS.get(path.rstrip("/"))
    return WIRES[name] if name else None


def peek(body: bytes) -> Peek:
    """Raises :class:`BadRequest` for what is no request."""
    try:
        found = _PEEK.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the request cannot be read: {error}") from error
    if not found.model or len(found.model) > 200:
        raise BadRequest("model must be a name of up to 200 characters", "model")
    return found


def key_of(headers: Headers) -> str:
    """The client's key; empty if there is none."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name in (b"x-api-key", b"api-key"):
            return value.strip().decode("latin-1")
    return ""


def passed(headers: Headers) -> Headers:
    """The client's headers that its provider shall see."""
    return [(name, value) for name, value in headers if name in PASSED]


def with_fields(body: bytes, **fields: Any) -> bytes:
    """A request's body with some fields set; all others stay as they were written, byte for byte."""
    found = _FIELDS.decode(body)
    for name, value in fields.items():
        found[name] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(found)
