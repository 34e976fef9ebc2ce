"""Carries one call out: candidates in their order, with breakers, repetitions, failover, keys in turn and hedges.

Knows nothing of money and of which candidates are good; whoever keeps books is told of every attempt
(:class:`karkhana.routing.attempt.Observer`). Once something of an answer was handed over nothing is sent again.

>>> # caller = Caller({"cloud": provider}, Reliability())
>>> # called = await caller.call([Candidate("cloud", "large")], Whole(request), 60.0)
>>> # called.answer.text, str(called.place), called.attempts
"""

import asyncio
import functools
import itertools
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from karkhana.domain.chat import Usage
from karkhana.routing.attempt import Attempt, Ending, Observer, Outcome, Place, Unobserved
from karkhana.routing.attempts import Retrying
from karkhana.routing.breaker import BreakerSettings, Health
from karkhana.routing.configuration import Candidate
from karkhana.routing.course import Course, Stop
from karkhana.routing.exchanges import Asked, Exchange
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.hedging import Hedging, HedgingSettings, Pace
from karkhana.routing.key_ring import REST_S
from karkhana.routing.provider import Provider
from karkhana.routing.provider_faults import CannotSay, NotSent
from karkhana.routing.racing import raced
from karkhana.routing.standings import Standings

T = TypeVar("T")


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done for one call."""

    retrying: Retrying = Retrying()
    breaker: BreakerSettings = BreakerSettings()
    hedging: HedgingSettings = HedgingSettings()
    key_rest_s: float = REST_S
    """Seconds that a key rests which was refused or whose quota is used up."""


class Called(msgspec.Struct, Generic[T], frozen=True):
    """A call that was answered."""

    answer: T
    place: Place
    attempts: int
    """Requests that were sent for it, hedges included."""
    hedged: bool
    """Whether a second request was sent because the first was slow."""


class Caller:
    """Holds what is remembered between calls: breakers, keys that rest, waiting times."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        reliability: Reliability | None = None,
        *,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.providers = providers
        self.hedging = Hedging((reliability or Reliability()).hedging)
        self._reliability = reliability or Reliability()
        self._observer = observer or Unobserved()
        self._clock = clock
        self._draw = draw
        self._standings = Standings(providers, self._reliability.breaker, self._reliability.key_rest_s)
        self._numbers = itertools.count(1)

    def call(
        self, candidates: Sequence[Candidate], exchange: Exchange[T], deadline_s: float, *, name: str = ""
    ) -> Coroutine[Any, Any, Called[T]]:
        """The first answer that begins, within ``deadline_s`` seconds.

        ``name`` is what the observer is told; a number if empty. Raises the last ``ProviderFault``, and whatever the
        observer raises.
        """
        stops, refusal = self._standings.stops(candidates, self._clock())
        course = Course(stops, self._reliability.retrying)
        course.last = refusal
        call = _Call(self, exchange, course, deadline_s, name or f"call-{next(self._numbers)}")
        self.hedging.called()
        return call.carry_out()

    def inherit(self, before: "Caller") -> None:
        """Take over what ``before`` remembers of the providers that both ask, and of how long they take."""
        same = {name for name, provider in self.providers.items() if before.providers.get(name) is provider}
        self._standings.inherit(before._standings, same)
        self.hedging = before.hedging

    def breakers(self) -> dict[Place, Health]:
        """The breakers of all places that were asked so far."""
        return self._standings.breakers(self._clock())

    def health(self) -> dict[str, Health]:
        """The same by the places' names."""
        return self._standings.health(self._clock())

    def resting_keys(self) -> dict[str, float]:
        """Keys that rest (``PROVIDER/MODEL#KEY``), and for how many seconds more."""
        return self._standings.resting_keys(self._clock())


class _Sent(msgspec.Struct):
    """An attempt under way."""

    attempt: Attempt
    stop: Stop
    permit: int
    """The breaker's."""
    began: float


class _Call(Generic[T]):
    """One call under way."""

    def __init__(self, caller: Caller, exchange: Exchange[T], course: Course, deadline_s: float, name: str) -> None:
        self._caller = caller
        self._exchange = exchange
        self._course = course
        self._name = name
        self._now = caller._clock
        self._end = self._now() + deadline_s
        self._retrying = caller._reliability.retrying
        self._hedged = False

    async def carry_out(self) -> Called[T]:
        course = self._course
        while not course.over:
            now = self._now()
            left = self._end - now
            found = course.next(now) if left > 0 else None
            if found is not None:
                try:
                    return await self._ask(*found, now, left)
                except ProviderFault as fault:
                    if not fault.fault.elsewhere and not isinstance(fault, CannotSay):
                        raise
                    continue
            waits = course.waits_s(now)
            if waits >= min(left, self._retrying.patience_s):
                raise self._in_vain(waits)
            await asyncio.sleep(waits)
        raise self._in_vain(None)

    def _in_vain(self, waits: float | None) -> ProviderFault:
        if self._course.last is not None:
            return self._course.last
        return NotSent(
            Fault.OVERLOADED, "no provider of this model takes requests now", code="no_provider", retry_after_s=waits
        )

    def _ask(self, stop: Stop, permit: int, now: float, left: float) -> Coroutine[Any, Any, Called[T]]:
        course = self._course
        course.counted += 1
        first_s = self._retrying.limit_s(course.counted, left)
        wait = self._caller.hedging.wait_s(self._pace(stop.place))
        first = self._attempt(stop, permit, first_s, hedge=False)
        if wait is None or wait >= first_s:
            return first
        return raced(first, wait, lambda: self._second(stop, now + first_s), self._discard)

    def _second(self, slow: Stop, until: float) -> Coroutine[Any, Any, Called[T]] | None:
        """A request to another place; the same one if there is no other. It has no more time than the first."""
        now, hedging = self._now(), self._caller.hedging
        found = self._course.next(now, besides=slow) if hedging.may_send and now < until else None
        if found is None:
            return None
        stop, permit = found
        hedging.send()
        self._hedged = True
        return self._attempt(stop, permit, until - now, hedge=True)

    def _discard(self, called: Called[T]) -> None:
        self._exchange.discard(called.answer)

    async def _attempt(self, stop: Stop, permit: int, first_s: float, *, hedge: bool) -> Called[T]:
        course, place = self._course, stop.place
        course.number += 1
        stop.tries += 1
        attempt = Attempt(
            call=self._name, number=course.number, place=place, streamed=self._exchange.streamed, hedge=hedge
        )
        try:
            await self._caller._observer.begins(attempt)
        except BaseException:  # nothing was sent, whoever forbade or cancelled it
            stop.breaker.left(permit)
            raise
        began = self._now()
        sent = _Sent(attempt, stop, permit, began)
        provider, key, ring, _ = self._caller._standings.of[place]
        asked = Asked(place.model, key, first_s, self._end - began, attempt.name)
        try:
            answer = await self._exchange.begin(provider, asked)
        except ProviderFault as fault:
            self._failed(sent, fault)
            raise
        except BaseException:  # cancelled: the client left, or another attempt was faster
            self._left(sent)
            raise
        now = self._now()
        first = now - began
        self._caller.hedging.waited(self._pace(place), first)
        ring.works(place.key)
        stop.breaker.answered(permit, now)
        self._exchange.watch(answer, functools.partial(self._over, sent, first))
        return Called(answer, place, course.number, self._hedged)

    def _failed(self, sent: _Sent, fault: ProviderFault) -> None:
        now = self._now()
        self._caller._standings.learn(sent.stop.place, sent.permit, fault, now)
        self._course.failed(sent.stop, fault, now, self._caller._draw())
        # A provider does not charge for what it refused with a status or never got.
        charged = not isinstance(fault, NotSent | CannotSay) and fault.status == 0
        ending = Ending(outcome=Outcome.FAILED, fault=fault, charged=charged, whole_s=now - sent.began)
        self._caller._observer.ends(sent.attempt, ending)

    def _left(self, sent: _Sent) -> None:
        sent.stop.breaker.left(sent.permit)
        whole_s = self._now() - sent.began
        pace = self._pace(sent.stop.place)
        usual = self._caller.hedging.wait_s(pace)
        if usual is not None and whole_s > usual:
            # It would have taken longer still: forgetting the slow ones would make hedges ever earlier.
            self._caller.hedging.waited(pace, whole_s)
        self._caller._observer.ends(sent.attempt, Ending(outcome=Outcome.LEFT, whole_s=whole_s))

    def _over(self, sent: _Sent, first_s: float, usage: Usage | None, fault: ProviderFault | None, whole: bool) -> None:
        outcome = Outcome.ANSWERED if whole else Outcome.LEFT if fault is None else Outcome.BROKE_OFF
        if fault is not None and not whole and fault.fault.blames_provider:
            sent.stop.breaker.broke_off(sent.permit, self._now())
        ending = Ending(outcome=outcome, usage=usage, fault=fault, first_s=first_s, whole_s=self._now() - sent.began)
        self._caller._observer.ends(sent.attempt, ending)

    def _pace(self, place: Place) -> Pace:
        return (place.provider, place.model, self._exchange.streamed)
