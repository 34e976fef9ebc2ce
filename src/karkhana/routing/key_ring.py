"""The keys of one provider in turn, without those that are of no use for now. Pure: the time is passed in.

>>> ring = KeyRing(["1", "2"])
>>> ring.turn(0.0), ring.turn(0.0)
(('1', '2'), ('2', '1'))
>>> ring.rest("2", 0.0); ring.turn(1.0)
('1',)
"""

from collections.abc import Sequence

REST_S = 300.0
"""Seconds that a key rests which was refused or whose quota is used up; then it is tried again."""


class KeyRing:
    """The labels of keys."""

    def __init__(self, labels: Sequence[str], rest_s: float = REST_S) -> None:
        self.labels = tuple(labels)
        """Of all keys, in the configuration's order."""
        self._rest_s = rest_s
        self._next = 0
        self._until: dict[str, float] = {}

    def turn(self, now_s: float) -> tuple[str, ...]:
        """The keys in the order in which they are to be tried; the first one changes with every call."""
        if len(self.labels) == 1 and not self._until:
            return self.labels
        start, self._next = self._next, (self._next + 1) % len(self.labels)
        order = self.labels[start:] + self.labels[:start]
        return tuple(label for label in order if self._until.get(label, now_s) <= now_s)

    def rest(self, label: str, now_s: float, retry_after_s: float | None = None) -> None:
        """The key was refused, or its quota is used up."""
        self._until[label] = now_s + max(self._rest_s, retry_after_s or 0.0)

    def works(self, label: str) -> None:
        """The key was taken."""
        if self._until:
            self._until.pop(label, None)

    def resting(self, now_s: float) -> dict[str, float]:
        """Keys that rest, and for how many seconds more."""
        return {label: until - now_s for label, until in self._until.items() if until > now_s}

    def waits_s(self, now_s: float) -> float:
        """Seconds until some key is there: 0 if one is."""
        resting = self.resting(now_s)
        return min(resting.values()) if len(resting) == len(self.labels) else 0.0
