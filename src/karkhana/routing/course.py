"""Which place is asked next within one call. Knows nothing of requests; the time is passed in.

Places are asked in their order; what failed is asked again only after the others, except for faults that often hit a
single request (:func:`karkhana.routing.attempts.same_again`), and never before its wait is over.
"""

from collections.abc import Sequence

from karkhana.routing.attempt import Place
from karkhana.routing.attempts import Retrying, same_again
from karkhana.routing.breaker import Breaker
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider_faults import CannotSay

PROBE_S = 0.05
"""Seconds after which it is looked again whether another call's request through a half-open breaker came back."""


class Stop:
    """A place, and what this call has seen of it."""

    __slots__ = ("breaker", "dead", "not_before", "place", "tries")

    def __init__(self, place: Place, breaker: Breaker) -> None:
        self.place = place
        self.breaker = breaker
        self.tries = 0
        self.not_before = 0.0
        self.dead = False


class Course:
    """The way of one call past its places."""

    def __init__(self, stops: Sequence[Stop], retrying: Retrying) -> None:
        self.stops = stops
        self.number = 0
        """Attempts so far, hedges included."""
        self.counted = 0
        """Attempts so far, without hedges."""
        self.last: ProviderFault | None = None
        self._retrying = retrying
        self._again: Stop | None = None
        self._asked = False

    @property
    def over(self) -> bool:
        """Whether nothing is left to be tried."""
        if self.counted >= self._retrying.attempts:
            return True
        # Nothing is dead before something failed.
        return not self.stops if self.last is None else all(stop.dead for stop in self.stops)

    def next(self, now_s: float, besides: Stop | None = None) -> tuple[Stop, int] | None:
        """Where to send a request now, with the breaker's permit; ``None``: nowhere, for now.

        ``besides`` is a stop that is already being asked, which is taken only if there is no other.
        """
        again = self._again
        if again is not None and besides is None:
            if again.not_before > now_s:
                return None
            self._again = None
            found = self._enter(again, now_s, last_resort=False)
            if found is not None:
                return found
        order = self.stops
        if self._asked:
            order = sorted((s for s in order if not s.dead), key=lambda s: (s is besides, s.tries))
        for last_resort in (False, True):
            for stop in order:
                found = self._enter(stop, now_s, last_resort)
                if found is not None:
                    return found
        return None

    def waits_s(self, now_s: float) -> float:
        """Seconds until :meth:`next` may find something."""
        if self._again is not None:
            return max(0.0, self._again.not_before - now_s)
        stops = (stop for stop in self.stops if not stop.dead)
        waits = (max(stop.not_before - now_s, stop.breaker.waits_s(now_s)) for stop in stops)
        return max(PROBE_S, min(waits, default=0.0))

    def failed(self, stop: Stop, fault: ProviderFault, now_s: float, drawn: float) -> None:
        """Learn from a fault at ``stop``; ``drawn`` is evenly from 0 to 1."""
        if self.last is None or not isinstance(fault, CannotSay):
            self.last = fault
        self._again = None
        if isinstance(fault, CannotSay) or fault.fault in (Fault.UNKNOWN_MODEL, Fault.TOO_LONG):
            for each in self.stops:
                # Another key does not make the model another one.
                each.dead = each.dead or each.place[:2] == stop.place[:2]
        elif not fault.fault.retryable:
            stop.dead = True
        else:
            stop.not_before = now_s + self._retrying.backoff_s(stop.tries, drawn, fault.retry_after_s)
            if same_again(fault.fault, stop.tries) and fault.retry_after_s is None:
                self._again = stop

    def _enter(self, stop: Stop, now_s: float, last_resort: bool) -> tuple[Stop, int] | None:
        if stop.not_before > now_s:
            return None
        permit = stop.breaker.admit(now_s, last_resort=last_resort)
        if permit is None:
            return None
        self._asked = True
        return stop, permit
