"""Counts what the gateway did. Names of models that nobody configured are counted together, as ``other``.

Counting is on the way of every call, so it is a few additions; what they are called is said when somebody asks
(:mod:`karkhana.routing.gateway.metrics`).

>>> tally = Tally()
>>> tally.request("openai", 200, 0.2)
>>> tally.requests
Counter({('openai', 200): 1})
"""

from collections import Counter
from collections.abc import Sequence

from karkhana.domain.money import ZERO, Money, Unpriced
from karkhana.domain.spending import Standing
from karkhana.routing.attempt import Attempt, Ending, Outcome
from karkhana.routing.gateway.exposition import Histogram

BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds."""
KINDS = ("input", "cache_read", "cache_write", "cache_write_long", "output", "reasoning")
"""Of tokens; ``reasoning`` is a part of ``output``."""
OTHER = "other"


class PlaceTally:
    """What one provider's model did."""

    __slots__ = ("answered", "cost", "endings", "first", "hedges", "tokens", "unpriced")

    def __init__(self) -> None:
        self.answered = 0
        self.endings: Counter[tuple[str, str]] = Counter()
        """All others, by outcome and by fault if there was one."""
        self.hedges = 0
        self.first = Histogram(BOUNDS)
        """Seconds until an answer began."""
        self.tokens = [0] * len(KINDS)
        self.cost = ZERO
        self.unpriced = 0
        """Attempts with a usage and no price."""


class Tally:
    """Counters of one process since its start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        """By wire and status; 499: the client left."""
        self.times: dict[str, Histogram] = {}
        self.under_way = 0
        self.refusals: Counter[str] = Counter()
        """Requests that were refused before a provider was asked, by the reason."""
        self.warnings: Counter[str] = Counter()
        """Attempts above a soft limit, by the kind of account."""
        self.places: dict[tuple[str, str], PlaceTally] = {}
        self.known: frozenset[tuple[str, str]] = frozenset()
        """Providers and models that have labels of their own."""
        self._warned: set[tuple[str, str, str]] = set()

    def request(self, wire: str, status: int, seconds: float) -> None:
        """One request that was answered, or whose client left (499)."""
        self.requests[wire, status] += 1
        found = self.times.get(wire)
        if found is None:
            found = self.times[wire] = Histogram(BOUNDS)
        found.add(seconds)

    def attempt(self, attempt: Attempt, ending: Ending, spent: Money | Unpriced | None) -> None:
        """One attempt that is over; ``spent`` is ``None`` if nobody knows what it did cost, or if it cost nothing."""
        key = attempt.place[:2]
        ours = self.places.get(key) if key in self.known else None
        if ours is None:
            ours = self._place(key)
        if ending.outcome is Outcome.ANSWERED:
            ours.answered += 1
        else:
            ours.endings[ending.outcome, "" if ending.fault is None else ending.fault.fault] += 1
        if attempt.hedge:
            ours.hedges += 1
        if ending.first_s is not None:
            ours.first.add(ending.first_s)
        usage = ending.usage
        if usage is not None:
            tokens = ours.tokens
            tokens[0] += usage.input
            tokens[1] += usage.cache_read
            tokens[2] += usage.cache_write
            tokens[3] += usage.cache_write_long
            tokens[4] += usage.output
            tokens[5] += usage.reasoning
        if isinstance(spent, Unpriced):
            ours.unpriced += 1
        elif spent is not None:
            ours.cost = Money(ours.cost + spent)

    def warned(self, standings: Sequence[Standing]) -> list[Standing]:
        """An attempt passed soft limits; which of them were not passed before in their periods."""
        new = []
        for standing in standings:
            scope = standing.budget.scope
            self.warnings[scope.partition(":")[0]] += 1
            key = (scope, standing.budget.period.value, standing.start)
            if key not in self._warned:
                self._warned.add(key)
                new.append(standing)
        return new

    def _place(self, key: tuple[str, str]) -> PlaceTally:
        if key not in self.known:
            key = (key[0], OTHER)
        return self.places.setdefault(key, PlaceTally())
