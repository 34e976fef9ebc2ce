"""Which model a session was answered by, and how much of its prompt that one holds in its cache. Bounded, in memory.

>>> sessions = Sessions(capacity=10, cache_s=300)
>>> sessions.answered(("key", "s1"), "cloud/small", tokens=900, now=0.0)
>>> sessions.of(("key", "s1"), now=60.0)
Home(rung='cloud/small', cached=900)
>>> sessions.of(("key", "s1"), now=400.0)
Home(rung='cloud/small', cached=0)
"""

from collections import OrderedDict
from typing import NamedTuple

SessionKey = tuple[str, str]
"""Whose session it is (a key's identifier), and its name: no client meets another one's."""


class Home(NamedTuple):
    """Where a session is."""

    rung: str
    cached: int
    """Tokens of its beginning that are probably still in the provider's cache."""


class Sessions:
    """The latest ones; those that were silent for longest are forgotten first."""

    def __init__(self, *, capacity: int, cache_s: float) -> None:
        self._capacity = capacity
        self._cache_s = cache_s
        self._found: OrderedDict[SessionKey, tuple[str, int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def answered(self, key: SessionKey, rung: str, tokens: int, now: float) -> None:
        """``tokens``: of the prompt and the answer, which the next prompt will begin with."""
        self._found[key] = (rung, tokens, now)
        self._found.move_to_end(key)
        if len(self._found) > self._capacity:
            self._found.popitem(last=False)

    def of(self, key: SessionKey, now: float) -> Home | None:
        """``None`` for a session that is not known."""
        found = self._found.get(key)
        if found is None:
            return None
        rung, tokens, at = found
        return Home(rung, tokens if now - at <= self._cache_s else 0)
