"""The three ways to ask a provider: for a whole answer, for a stream, or by passing bytes on.

An exchange *begins* when something of the answer is there; until then another provider may be asked instead.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Key, Provider
from karkhana.routing.provider_faults import CannotSay
from karkhana.routing.provider_pieces import Ended
from karkhana.routing.provider_streams import DeltaStream, Passage
from karkhana.routing.wires.metering import Meter

T = TypeVar("T")
REQUEST_ID = b"x-client-request-id"
"""The header with an attempt's own name."""


class Asked(msgspec.Struct, frozen=True):
    """What one attempt asks for."""

    model: str
    key: Key
    first_s: float
    """Seconds until the answer must begin."""
    all_s: float
    """Seconds until it must be whole."""
    name: str
    """The attempt's own name, which the provider is told (``x-client-request-id``)."""

    @property
    def headers(self) -> Headers:
        return [(REQUEST_ID, self.name.encode("ascii", "replace"))]


class Exchange(Protocol[T]):
    """One way to ask."""

    streamed: bool

    async def begin(self, provider: Provider, asked: Asked) -> T:
        """The answer, of which something is there. Raises ``ProviderFault``."""

    def watch(self, answer: T, ended: Ended) -> None:
        """``ended`` is called once, when the answer is over; for a whole answer at once."""

    def discard(self, answer: T) -> None:
        """Nobody wants the answer."""


class Whole:
    """Asks for a whole answer."""

    streamed = False

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    async def begin(self, provider: Provider, asked: Asked) -> ChatAnswer:
        request = msgspec.structs.replace(self._request, model=asked.model)
        deadline_s = min(asked.first_s, asked.all_s)
        return await provider.ask(request, deadline_s=deadline_s, key=asked.key, headers=asked.headers)

    def watch(self, answer: ChatAnswer, ended: Ended) -> None:
        ended(answer.usage, None, True)

    def discard(self, answer: ChatAnswer) -> None:
        """Nothing is held."""


class Streamed:
    """Asks for a stream of deltas."""

    streamed = True

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    async def begin(self, provider: Provider, asked: Asked) -> DeltaStream:
        request = msgspec.structs.replace(self._request, model=asked.model)
        try:
            async with asyncio.timeout(asked.first_s):
                stream = await provider.stream(request, deadline_s=asked.all_s, key=asked.key, headers=asked.headers)
                await stream.begin()
        except TimeoutError:
            raise late(asked.first_s) from None
        return stream

    def watch(self, answer: DeltaStream, ended: Ended) -> None:
        answer.when_ended(ended)

    def discard(self, answer: DeltaStream) -> None:
        answer.close()


class PassedOn:
    """Passes a client's body on, to providers that speak the client's wire."""

    def __init__(self, wire: str, bodies: "BodyFor", meters: "MeterMaker", *, stream: bool, headers: Headers) -> None:
        """``bodies`` gives the body for a model; ``headers`` are the client's own, without its key."""
        self.streamed = stream
        self._wire = wire
        self._bodies = bodies
        self._meters = meters
        self._headers = [pair for pair in headers if pair[0].lower() != REQUEST_ID] if headers else ()

    async def begin(self, provider: Provider, asked: Asked) -> Passage:
        if provider.wire.name != self._wire:
            raise CannotSay(f"the provider {provider.name} does not speak {self._wire}")
        if not self.streamed:
            return await self._passage(provider, asked, min(asked.first_s, asked.all_s))
        try:
            async with asyncio.timeout(asked.first_s):
                passage = await self._passage(provider, asked, asked.all_s)
                await passage.begin()
        except TimeoutError:
            raise late(asked.first_s) from None
        return passage

    def _passage(self, provider: Provider, asked: Asked, deadline_s: float) -> Coroutine[Any, Any, Passage]:
        return provider.pass_on(
            asked.model,
            self._bodies(asked.model),
            stream=self.streamed,
            meter=self._meters(),
            deadline_s=deadline_s,
            headers=[*asked.headers, *self._headers],
            key=asked.key,
        )

    def watch(self, answer: Passage, ended: Ended) -> None:
        answer.when_ended(ended)

    def discard(self, answer: Passage) -> None:
        answer.close()


class BodyFor(Protocol):
    """The client's body with the name of the model that is asked."""

    def __call__(self, model: str, /) -> bytes: ...


class MeterMaker(Protocol):
    """Makes the meter for one answer."""

    def __call__(self) -> Meter: ...


def late(seconds: float) -> ProviderFault:
    """Nothing of the answer came in time."""
    return ProviderFault(Fault.TIMEOUT, f"no answer began within {seconds:.3g} s")
