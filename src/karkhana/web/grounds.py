"""What repositories say of the changes that wait, for many cards at once. Knows nothing of cards.

What a card says is for the person who reads it; the answer itself is checked against the repository once more.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from karkhana.domain.tasks import Order
from karkhana.factory.approvals import Ground, remote_of
from karkhana.factory.configuration import load_settings
from karkhana.factory.ordering import own_settings
from karkhana.git import Repository

FRESH_S = 60.0
"""Seconds for which a repository's place and remotes, and the user's own settings, are believed."""
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """The newest answers by key. Thread-safe; two threads that ask at once may both look."""

    def __init__(self, most: int, fresh_s: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._fresh_s = fresh_s
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def of(self, key: K, look: Callable[[], V]) -> V:
        """What is known, or what ``look`` finds now; raises what that raises."""
        with self._lock:
            known = self._known.get(key)
        if known is not None and self._clock() - known[0] < self._fresh_s:
            return known[1]
        found = look()
        with self._lock:
            self._known[key] = self._clock(), found
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


class Grounds:
    """Of orders. What a commit says of itself is read once, since it never changes. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._places: Remembered[str, tuple[Repository, str]] = Remembered(256, FRESH_S, clock)
        self._texts: Remembered[tuple[str, str], str | None] = Remembered(2048, float("inf"), clock)
        self._eyes: Remembered[tuple[str, str], bool] = Remembered(2048, FRESH_S, clock)

    def of(self, order: Order) -> Ground:
        """Raises what opening the repository raises."""
        key = order.repository, order.commit
        repository, remote = self._places.of(order.repository, lambda: _place(order.repository))
        text = self._texts.of(key, lambda: own_settings(repository, order.commit))
        eyes = self._eyes.of(key, lambda: load_settings({}, repository_text=text).policy.four_eyes)
        return Ground(str(repository.root), remote, eyes)


def _place(path: str) -> tuple[Repository, str]:
    repository = Repository.open(path)
    return repository, remote_of(repository)
