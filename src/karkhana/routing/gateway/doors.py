"""Where clients knock: which path is which wire, and what can be read of a request without reading it all.

Knows nothing of providers.

>>> peek(b'{"model":"m","messages":[],"stream":true,"max_tokens":5}').model
'm'
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from karkhana.http.messages import Headers
from karkhana.http.reverse_proxy import Message
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest, Wire

T = TypeVar("T")
DOORS = {
    "/v1/chat/completions": "openai",
    "/chat/completions": "openai",
    "/v1/responses": "openai_responses",
    "/responses": "openai_responses",
    "/v1/messages": "anthropic",
    "/messages": "anthropic",
    "/api/chat": "ollama",
}
"""Path → wire. That of Gemini holds the model's name: :data:`GEMINI_DOOR`."""
GEMINI_DOOR = re.compile(
    r"/v1(?:beta|alpha)?/models/(?P<model>.+):(?:generateContent|(?P<stream>streamGenerateContent))"
)
KEY_HEADERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie"})
"""Headers that may hold a client's key: read here, never passed on."""
PASSED = (b"anthropic-beta", b"anthropic-version", b"openai-beta", b"idempotency-key")
"""Headers of a client that its provider shall see."""


class Peek(msgspec.Struct):
    """What is known of a request's body without translating it."""

    model: str
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    n: int | None = None
    stream_options: dict[str, Any] | None = None

    @property
    def answer_tokens(self) -> int | None:
        """What the client allows the answer to have; a word of another wire, or a senseless one, limits nothing."""
        limit = self.max_tokens
        return limit if limit is not None and limit > 0 else None


class ChatPeek(Peek):
    """Of Chat Completions, which has two words for one thing."""

    max_completion_tokens: int | None = None

    @property
    def answer_tokens(self) -> int | None:
        # Some servers know only one of them, so the larger one holds.
        return max(self.max_tokens or 0, self.max_completion_tokens or 0) or None


class ResponsesPeek(Peek):
    """Of Responses."""

    max_tokens: int | None = msgspec.field(name="max_output_tokens", default=None)


class _GeminiConfig(msgspec.Struct):
    """Both spellings are taken, as Google takes them."""

    camel_limit: int | None = msgspec.field(name="maxOutputTokens", default=None)
    snake_limit: int | None = msgspec.field(name="max_output_tokens", default=None)
    camel_count: int | None = msgspec.field(name="candidateCount", default=None)
    snake_count: int | None = msgspec.field(name="candidate_count", default=None)
    temperature: float | None = None


class _GeminiPeek(msgspec.Struct):
    camel: _GeminiConfig | None = msgspec.field(name="generationConfig", default=None)
    snake: _GeminiConfig | None = msgspec.field(name="generation_config", default=None)


class _OllamaOptions(msgspec.Struct):
    num_predict: int | None = None
    temperature: float | None = None


class _OllamaPeek(msgspec.Struct):
    model: str
    stream: bool | None = None
    options: _OllamaOptions | None = None


_PEEKS: dict[str, msgspec.json.Decoder[Any]] = {
    "openai": msgspec.json.Decoder(ChatPeek),
    "openai_responses": msgspec.json.Decoder(ResponsesPeek),
    "anthropic": msgspec.json.Decoder(Peek),
}
_PEEK_GEMINI = msgspec.json.Decoder(_GeminiPeek)
_PEEK_OLLAMA = msgspec.json.Decoder(_OllamaPeek)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def wire_at(path: str) -> Wire | None:
    """The wire that is spoken at a path."""
    name = DOORS.get(path.rstrip("/"))
    if name is None and GEMINI_DOOR.fullmatch(path):
        name = "gemini"
    return WIRES[name] if name else None


def peek(body: bytes, wire: str = "openai") -> Peek:
    """What a body tells that names its model. Raises :class:`BadRequest` for what is no request."""
    return _named(_decoded(_PEEKS[wire], body))


def peek_at(wire: Wire, scope: Message, body: bytes) -> Peek:
    """What a request to a door tells. Raises :class:`BadRequest` for what is no request."""
    look = _LOOKS.get(wire.name)
    return peek(body, wire.name) if look is None else _named(look(scope, body))


def _peek_gemini(scope: Message, body: bytes) -> Peek:
    """The model and the verb stand in the path."""
    asked = GEMINI_DOOR.fullmatch(scope["path"])
    if asked is None:
        raise BadRequest("the path must be /v1beta/models/MODEL:generateContent or :streamGenerateContent")
    stream = asked["stream"] is not None
    if stream and b"alt=sse" not in scope.get("query_string", b"").split(b"&"):
        raise BadRequest("streams are sent as events only: add ?alt=sse")
    found = _decoded(_PEEK_GEMINI, body)
    config = found.camel or found.snake or _GeminiConfig()
    twice = (config.camel_limit and config.snake_limit) or (config.camel_count and config.snake_count)
    if twice or (found.camel and found.snake):
        raise BadRequest("generationConfig or one of its limits is given in two spellings")
    return Peek(
        model=asked["model"],
        stream=stream,
        max_tokens=config.camel_limit or config.snake_limit,
        temperature=config.temperature,
        n=config.camel_count or config.snake_count,
    )


def _peek_ollama(scope: Message, body: bytes) -> Peek:
    """An answer is streamed unless the client says that it shall not be."""
    del scope
    found = _decoded(_PEEK_OLLAMA, body)
    options = found.options or _OllamaOptions()
    limit = options.num_predict
    return Peek(
        model=found.model,
        stream=found.stream is not False,
        max_tokens=limit if limit is not None and limit > 0 else None,
        temperature=options.temperature,
    )


_LOOKS: dict[str, Callable[[Message, bytes], Peek]] = {"gemini": _peek_gemini, "ollama": _peek_ollama}


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the request cannot be read: {error}") from error


def _named(found: Peek) -> Peek:
    # It stands in a header of the answer, in logs and in addresses.
    if not found.model or len(found.model) > 200 or not found.model.isprintable():
        raise BadRequest("model must be a name of up to 200 printable characters", "model")
    return found


def key_of(headers: Headers) -> str:
    """The client's key; empty if there is none."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name in (b"x-api-key", b"api-key", b"x-goog-api-key"):
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
