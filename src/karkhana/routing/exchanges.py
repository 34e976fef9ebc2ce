"""The three ways to ask a provider: for a whole answer, for a stream, or by passing bytes on.

An exchange *begins* when something of the answer is there; until then another provider may be asked instead.
"""

import asyncio
from typing import Protocol, TypeVar

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.http.messages import Headers
from karkhana.routing.configuration import Candidate
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Key, Provider
from karkhana.routing.provider_faults import CannotSay
from karkhana.routing.provider_streams import DeltaStream, Ended, Passage
from karkhana.routing.wires.metering import Meter

T = TypeVar("T")


class Exchange(Protocol[T]):
    """One way to ask."""

    streamed: bool

    async def begin(self, provider: Provider, candidate: Candidate, key: Key, first_s: float, all_s: float) -> T:
        """The answer, which begins within ``first_s`` seconds and ends within ``all_s``. Raises ``ProviderFault``."""

    def watch(self, answer: T, ended: Ended) -> None:
        """``ended`` is called once, when the answer is over; for a whole answer at once."""

    def discard(self, answer: T) -> None:
        """Nobody wants the answer."""


class Whole:
    """Asks for a whole answer."""

    streamed = False

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    async def begin(
        self, provider: Provider, candidate: Candidate, key: Key, first_s: float, all_s: float
    ) -> ChatAnswer:
        request = msgspec.structs.replace(self._request, model=candidate.model)
        return await provider.ask(request, deadline_s=min(first_s, all_s), key=key)

    def watch(self, answer: ChatAnswer, ended: Ended) -> None:
        ended(answer.usage, None, True)

    def discard(self, answer: ChatAnswer) -> None:
        """Nothing is held."""


class Streamed:
    """Asks for a stream of deltas."""

    streamed = True

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    async def begin(
        self, provider: Provider, candidate: Candidate, key: Key, first_s: float, all_s: float
    ) -> DeltaStream:
        request = msgspec.structs.replace(self._request, model=candidate.model)
        try:
            async with asyncio.timeout(first_s):
                stream = await provider.stream(request, deadline_s=all_s, key=key)
                await stream.begin()
        except TimeoutError:
            raise late(first_s) from None
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
        self._headers = headers

    async def begin(self, provider: Provider, candidate: Candidate, key: Key, first_s: float, all_s: float) -> Passage:
        if provider.wire.name != self._wire:
            raise CannotSay(f"the provider {provider.name} does not speak {self._wire}")
        body = self._bodies(candidate.model)
        try:
            async with asyncio.timeout(first_s):
                passage = await provider.pass_on(
                    candidate.model,
                    body,
                    stream=self.streamed,
                    meter=self._meters(),
                    deadline_s=all_s,
                    headers=self._headers,
                    key=key,
                )
                await passage.begin()
        except TimeoutError:
            raise late(first_s) from None
        return passage

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
