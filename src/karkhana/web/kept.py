"""What takes a while to work out, kept for a moment; those who ask at the same time wait for one and share it.
What is older is let go when anybody asks for anything.

>>> kept = Kept(fresh_s=60)
>>> kept.of("a", lambda: 1)[1], kept.of("a", lambda: 2)[1]
(1, 1)
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
FRESH_S = 30.0
REMEMBERED = 64


class Kept:
    """Thread-safe."""

    def __init__(self, fresh_s: float = FRESH_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s = fresh_s
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[Hashable, tuple[Lock, list[Any]]] = OrderedDict()

    def of(self, key: Hashable, make: Callable[[], T]) -> tuple[datetime, T]:
        """The value with the time as of which it holds. Raises what ``make`` raises, and keeps nothing then."""
        with self._lock:
            for old in [each for each, (_, found) in self._known.items() if self._stale(found)]:
                del self._known[old]  # the outcomes of a year are some twenty megabytes
            lock, found = self._known.setdefault(key, (Lock(), []))
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        with lock:
            if not found or self._stale(found):
                at, value = datetime.now(UTC), make()
                found[:] = [self._clock(), at, value]
            return found[1], found[2]

    def _stale(self, found: list[Any]) -> bool:
        return bool(found) and self._clock() - found[0] > self._fresh_s
