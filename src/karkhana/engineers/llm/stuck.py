"""Sees when a model does not get on: it repeats itself, fails again and again, or goes back and forth.

Knows nothing of models; a step is a call and what came of it, each as a text.

>>> watch = Watch()
>>> [watch.seen("read a", "1", failed=False) for _ in range(3)][-1].name
'repeat'
"""

from collections import deque
from typing import NamedTuple

REPEATS = 3
"""Times that the same call with the same result is made."""
ERRORS = 5
"""Failed calls in a row."""
ALTERNATIONS = 6
"""Steps of going back and forth between two."""


class Pattern(NamedTuple):
    """How a model is stuck; ``name`` is that of its nudge."""

    name: str
    times: int


class Watch:
    """Of one conversation. It looks at the newest steps only, so a step costs the same however long the run is."""

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=ALTERNATIONS)
        self._errors = 0
        self.again = False
        """Whether the newest step was made before, a few steps ago at most."""

    def seen(self, call: str, result: str, *, failed: bool) -> Pattern | None:
        """One more step; a pattern is told once, and then anew from the start."""
        step = hash((call, result))
        self.again = step in self._steps
        self._steps.append(step)
        self._errors = self._errors + 1 if failed else 0
        found = self._pattern()
        if found is not None:
            self.forget()
        return found

    def forget(self) -> None:
        """Begin anew."""
        self._steps.clear()
        self._errors = 0

    def _pattern(self) -> Pattern | None:
        steps = list(self._steps)
        if len(steps) >= REPEATS and len(set(steps[-REPEATS:])) == 1:
            return Pattern("repeat", REPEATS)
        if self._errors >= ERRORS:
            return Pattern("errors", ERRORS)
        if (
            len(steps) == ALTERNATIONS
            and len(set(steps)) == 2
            and all(a == b for a, b in zip(steps, steps[2:], strict=False))
        ):
            return Pattern("alternation", ALTERNATIONS)
        return None
