"""When a second request is worth sending because the first is slow. Pure: measured times are passed in.

A second request goes out once the first has waited longer than 95 of 100 recent ones did, and for at most 5 % of all
calls: in a general slowdown hedges would only add to the load. Source: J. Dean and L. Barroso, "The Tail at Scale",
CACM 56(2), 2013.

>>> hedging = Hedging(HedgingSettings(least=3, shortest_s=0.01))
>>> for seconds in (0.1, 0.2, 0.3): hedging.waited(("a", "m", True), seconds)
>>> hedging.wait_s(("a", "m", True)), hedging.wait_s(("b", "m", True))
(0.3, None)
"""

from bisect import bisect_left, insort
from collections import deque

import msgspec

Pace = tuple[str, str, bool]
"""Provider, model, and whether it streams: a stream's first piece comes long before a whole answer."""


MANY = 4096
"""Paces that are remembered: clients may make up names of models that a provider answers for."""


class HedgingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many second requests there may be, and when."""

    share: float = 0.05
    """Second requests for each call; 0 turns them off."""
    burst: float = 10.0
    """Second requests that may be saved up."""
    quantile: float = 0.95
    recent: int = 200
    """Times that are remembered for each pace."""
    least: int = 20
    """Times without which nothing is known."""
    shortest_s: float = 0.1
    """Nothing is hedged sooner, in seconds."""


class Hedging:
    """Recent waiting times by pace, and the bucket of second requests."""

    def __init__(self, settings: HedgingSettings | None = None) -> None:
        self.settings = settings or HedgingSettings()
        self.sent = 0
        self.calls = 0
        self._tokens = 0.0
        self._times: dict[Pace, deque[float]] = {}
        self._sorted: dict[Pace, list[float]] = {}

    def called(self) -> None:
        """A call begins, which earns its share of a second request."""
        self.calls += 1
        self._tokens = min(self.settings.burst, self._tokens + self.settings.share)

    def waited(self, pace: Pace, seconds: float) -> None:
        """The first piece of an answer came after ``seconds``."""
        times = self._times.get(pace)
        if times is None:
            if len(self._times) >= MANY:
                oldest = next(iter(self._times))
                del self._times[oldest], self._sorted[oldest]
            times, self._sorted[pace] = self._times.setdefault(pace, deque()), []
        order = self._sorted[pace]
        if len(times) >= self.settings.recent:
            del order[bisect_left(order, times.popleft())]
        times.append(seconds)
        insort(order, seconds)

    def wait_s(self, pace: Pace) -> float | None:
        """Seconds after which the first request counts as slow; ``None``: too little is known, or it is turned off."""
        order = self._sorted.get(pace)
        if order is None or len(order) < self.settings.least or self.settings.share <= 0:
            return None
        return max(self.settings.shortest_s, order[min(len(order) - 1, int(len(order) * self.settings.quantile))])

    @property
    def may_send(self) -> bool:
        """Whether a second request may be sent now."""
        # Shares are no exact fractions of two.
        return self._tokens >= 1 - 1e-9

    def send(self) -> None:
        """A second request is sent."""
        self._tokens -= 1
        self.sent += 1
