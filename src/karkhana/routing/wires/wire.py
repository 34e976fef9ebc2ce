"""What a wire must be able to do. Knows nothing of any particular one.

A wire has two sides. The *client* side asks a provider: it writes requests and reads answers. The *server* side is
asked by another program (the gateway, the fake provider): it reads requests and writes answers. Both work on plain
JSON values; what they cannot read they refuse with :class:`BadRequest` or ``ProviderFault``.

What a wire has no word for is left out if it only tunes an answer (a seed, a penalty, a cache mark), and refused with
:class:`BadRequest` if the answer would not be what was asked for (a sequence to stop at, a tool that must be called).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Delta
from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.framing import SERVER_SENT_EVENTS, Framing
from karkhana.routing.sse import Event

Json = dict[str, Any]
LONGEST_MESSAGE = 2000
"""Characters of an error's message that are passed on: who sends it may have put anything in it."""


class BadRequest(Exception):
    """A client's request cannot be read; ``field`` says where, ``code`` is its wire's own name for it if it has one."""

    def __init__(self, message: str, field: str = "", *, code: str = "") -> None:
        self.message = message[:LONGEST_MESSAGE]
        super().__init__(self.message)
        self.field = field
        self.code = code


class Call(NamedTuple):
    """A request on a wire, below the provider's base address, which is what the provider's own libraries take."""

    path: str
    headers: Headers
    body: Json


class DeltaReader(Protocol):
    """Reads one streamed answer."""

    def read(self, event: Event) -> list[Delta]:
        """What an event says. Raises ``ProviderFault`` for an error within the stream or what makes no sense."""

    def end(self) -> list[Delta]:
        """What is still to be said when the stream is over."""


class DeltaWriter(Protocol):
    """Writes one streamed answer."""

    def write(self, delta: Delta) -> bytes:
        """The events for a delta; may be empty."""

    def fail(self, fault: ProviderFault) -> bytes:
        """The event that tells a client that the answer broke off."""


class ClientWire(Protocol):
    """Asks a provider."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request on this wire. Raises :class:`BadRequest` for what the wire cannot say."""

    def answer(self, body: Json) -> ChatAnswer:
        """A whole answer. Raises ``ProviderFault`` (``BROKEN``) for what makes no sense."""

    def reader(self) -> DeltaReader:
        """For one streamed answer."""

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        """What an answer with an error status means."""


class ServerWire(Protocol):
    """Is asked by a client."""

    def request(self, path: str, body: Json) -> ChatRequest:
        """What the client asks. Raises :class:`BadRequest`."""

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        """A whole answer."""

    def writer(self, request: ChatRequest) -> DeltaWriter:
        """For one streamed answer."""

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        """Status and body of an error."""


class Wire(NamedTuple):
    """Both sides of a wire under its name."""

    name: str
    client: ClientWire
    server: ServerWire
    framing: Framing = SERVER_SENT_EVENTS
    """How its streams are cut into the events that a :class:`DeltaReader` takes."""


def broken(message: str) -> ProviderFault:
    """An answer that makes no sense."""
    return ProviderFault(Fault.BROKEN, message)


def text_of(value: Any, field: str) -> str:
    """A string of a client's request. Raises :class:`BadRequest`."""
    if not isinstance(value, str):
        raise BadRequest(f"{field} must be a string", field)
    return value


def object_of(value: Any, field: str) -> Json:
    """An object of a client's request; none is an empty one. Raises :class:`BadRequest`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{field} must be an object", field)
    return value


def list_of(value: Any, field: str) -> list[Any]:
    """A list of a client's request; none is an empty one. Raises :class:`BadRequest`."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{field} must be a list", field)
    return value


def flag_of(value: Any, field: str) -> bool | None:
    """Yes, no or nothing, of a client's request. Raises :class:`BadRequest`."""
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{field} must be true or false", field)
    return value


def objects_of(value: Any, field: str) -> Iterator[tuple[Json, str]]:
    """The objects of a list, each with its place. Raises :class:`BadRequest`."""
    for number, each in enumerate(list_of(value, field)):
        place = f"{field}[{number}]"
        if not isinstance(each, dict):
            raise BadRequest(f"{place} must be an object", place)
        yield each, place


def request_of(found: Json) -> ChatRequest:
    """The common form of what was read, with its types checked. Raises :class:`BadRequest`."""
    try:
        return msgspec.convert(found, ChatRequest)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def unknown_fields(body: Mapping[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    """Fields with a value that are not in ``known``."""
    return tuple(sorted(name for name, value in body.items() if name not in known and value is not None))


def count_in(value: Any, *path: str) -> int:
    """A count of a provider's usage; 0 for what is no count.

    >>> count_in({"details": {"cached_tokens": 7}}, "details", "cached_tokens")
    7
    """
    for key in path:
        # What JSON is read into is never another mapping, and asking for any costs a microsecond.
        value = value.get(key) if isinstance(value, dict) else None
    # Not bool, which is an int too.
    return value if type(value) is int and value > 0 else 0
