"""What a model usually takes: seconds, tokens of an answer, tokens for a prompt's bytes. Knows nothing of quality.

>>> habits = Habits()
>>> habits.seen("cloud/small", seconds=2.0, output=300)
>>> habits.of("cloud/small").seconds
2.0
"""

import bisect
from collections import deque
from typing import NamedTuple

from karkhana.routing.policy.priors import priors

LATEST = 101
"""Calls that the median is of."""
_SMOOTHING = 0.05
"""Weight of the newest call in a mean."""
LARGEST = 2_000
"""Models that are remembered; clients may name any."""


class Habit(NamedTuple):
    """What one model usually takes."""

    seconds: float
    """Until an answer is whole; the median."""
    output: float
    """Tokens of an answer; a mean."""
    calls: int = 0
    """How many that is known from."""


class _Seen:
    __slots__ = ("calls", "in_order", "latest", "output")

    def __init__(self) -> None:
        self.in_order: list[float] = []
        self.latest: deque[float] = deque()
        self.output: float | None = None
        self.calls = 0


class Habits:
    """Of all models, by rung."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def seen(self, rung: str, *, seconds: float, output: int | None) -> None:
        """One answer that came whole; ``output`` is ``None`` when the provider did not say."""
        found = self._seen.get(rung)
        if found is None:
            if len(self._seen) >= LARGEST:
                return
            found = self._seen[rung] = _Seen()
        found.calls += 1
        found.latest.append(seconds)
        bisect.insort(found.in_order, seconds)
        if len(found.latest) > LATEST:
            del found.in_order[bisect.bisect_left(found.in_order, found.latest.popleft())]
        if output is not None:
            # the first calls count alike
            weight = max(_SMOOTHING, 1 / found.calls)
            found.output = output if found.output is None else found.output + weight * (output - found.output)

    def of(self, rung: str) -> Habit:
        """As far as it was seen, else as all models are believed to be."""
        found = self._seen.get(rung)
        if found is None:
            return Habit(priors().seconds, priors().answer)
        output = priors().answer if found.output is None else found.output
        return Habit(found.in_order[len(found.in_order) // 2], output, found.calls)
