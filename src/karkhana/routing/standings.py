"""What is remembered of places between calls: breakers, keys that rest and why. The time is passed in.

Knows nothing of requests and of the way of one call.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from karkhana.routing.attempt import Place
from karkhana.routing.breaker import Breaker, BreakerSettings, Health
from karkhana.routing.configuration import Candidate
from karkhana.routing.course import Stop
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.key_ring import KeyRing
from karkhana.routing.provider import Key, Provider
from karkhana.routing.provider_faults import CannotSay, NotSent

MANY = 4096
"""Places that are remembered before it is looked which of them are worth it."""


class Standing(NamedTuple):
    """What belongs to a place."""

    provider: Provider
    key: Key
    ring: KeyRing
    breaker: Breaker


class _Places(dict[Place, Standing]):
    """A place of which nothing was worth remembering is there again when it is asked for."""

    def __init__(self, enlist: Callable[[Candidate], KeyRing]) -> None:
        super().__init__()
        self._enlist = enlist

    def __missing__(self, place: Place) -> Standing:
        self._enlist(Candidate(place.provider, place.model))
        return self[place]


class Standings:
    """The places that were asked, as far as there is something to remember of them.

    Clients may ask a provider for models that nobody configured, and make names up: places of which nothing is known
    are forgotten when there are many.
    """

    def __init__(self, providers: Mapping[str, Provider], breaker: BreakerSettings, key_rest_s: float) -> None:
        self.of: dict[Place, Standing] = _Places(self._enlist)
        self._providers = providers
        self._breaker = breaker
        self._key_rest_s = key_rest_s
        self._rings: dict[Candidate, KeyRing] = {}
        self._refusals: dict[Candidate, ProviderFault] = {}
        self._most = MANY

    def stops(self, candidates: Sequence[Candidate], now_s: float) -> tuple[list[Stop], ProviderFault | None]:
        """The places of these candidates, with each one's keys in turn; without any, why all keys rest."""
        found = []
        if len(self.of) > self._most:
            self._sweep(now_s)
        for candidate in candidates:
            ring = self._rings.get(candidate) or self._enlist(candidate)
            for label in ring.turn(now_s):
                place = Place(candidate.provider, candidate.model, label)
                found.append(Stop(place, self.of[place].breaker))
        return found, None if found else self._refusal(candidates, now_s)

    def learn(self, place: Place, permit: int, fault: ProviderFault, now_s: float) -> None:
        """What the fault of an attempt says about the provider and the key."""
        _, _, ring, breaker = self.of[place]
        if fault.fault in (Fault.UNAUTHORISED, Fault.QUOTA):
            ring.rest(place.key, now_s, fault.retry_after_s)
            self._refusals[Candidate(place.provider, place.model)] = fault
            breaker.left(permit)
        elif isinstance(fault, CannotSay):
            breaker.left(permit)
        elif fault.fault.blames_provider:
            breaker.failed(permit, now_s, fault.retry_after_s)
        else:
            # It took the request and understood it.
            breaker.answered(permit, now_s)

    def inherit(self, before: "Standings", names: Container[str]) -> None:
        """Take over what ``before`` remembers of the providers called ``names``, which must be the same as its own.

        Both share it from then on.
        """
        self.of |= {place: standing for place, standing in before.of.items() if place.provider in names}
        self._rings |= {candidate: ring for candidate, ring in before._rings.items() if candidate.provider in names}
        kept = {candidate: fault for candidate, fault in before._refusals.items() if candidate.provider in names}
        self._refusals |= kept

    def breakers(self, now_s: float) -> dict[Place, Health]:
        """How they are, by place."""
        return {place: standing.breaker.health(now_s) for place, standing in self.of.items()}

    def health(self, now_s: float) -> dict[str, Health]:
        """The same by the places' names."""
        return {str(place): health for place, health in self.breakers(now_s).items()}

    def resting_keys(self, now_s: float) -> dict[str, float]:
        """Places whose key rests, and for how many seconds more."""
        return {
            str(Place(*candidate, label)): seconds
            for candidate, ring in self._rings.items()
            for label, seconds in ring.resting(now_s).items()
        }

    def _sweep(self, now_s: float) -> None:
        """Forget places that are as if they were new. Next when there are twice as many as could not be forgotten."""
        for candidate, ring in list(self._rings.items()):
            places = [Place(*candidate, label) for label in ring.labels]
            if not ring.resting(now_s) and all(self.of[place].breaker.is_blank(now_s) for place in places):
                for place in places:
                    del self.of[place]
                del self._rings[candidate]
                self._refusals.pop(candidate, None)
        self._most = max(MANY, 2 * len(self.of))

    def _enlist(self, candidate: Candidate) -> KeyRing:
        """A candidate is seen for the first time."""
        provider = self._providers[candidate.provider]
        ring = self._rings[candidate] = KeyRing([key.label for key in provider.keys], self._key_rest_s)
        for key in provider.keys:
            place = Place(candidate.provider, candidate.model, key.label)
            self.of[place] = Standing(provider, key, ring, Breaker(self._breaker))
        return ring

    def _refusal(self, candidates: Sequence[Candidate], now_s: float) -> ProviderFault | None:
        for candidate in candidates:
            if (fault := self._refusals.get(candidate)) is not None:
                waits = self._rings[candidate].waits_s(now_s)
                message = f"{fault.message} (asked again in {waits:.0f} s)"
                return NotSent(fault.fault, message, status=fault.status, code=fault.code, retry_after_s=waits)
        return None
