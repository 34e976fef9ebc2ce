"""Trails as the factory hands them out: watched by whoever shows progress, or kept in memory only."""

import hashlib
from collections.abc import Callable

from karkhana.domain.events import AnyEvent
from karkhana.ports import Trail

Observer = Callable[[AnyEvent], None]


class WatchedTrail:
    """Passes each event on after it is safely stored."""

    def __init__(self, trail: Trail, observer: Observer) -> None:
        self._trail = trail
        self._observer = observer

    def record(self, event: AnyEvent) -> None:
        """Store, then show."""
        self._trail.record(event)
        self._observer(event)

    def keep(self, content: bytes) -> str:
        """As the trail behind it."""
        return self._trail.keep(content)


class MemoryTrail:
    """For work that is no run, such as scoring a commit range, and for tests.

    >>> trail = MemoryTrail()
    >>> trail.keep(b"")[:8]
    'e3b0c442'
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self.events: list[AnyEvent] = []
        self.blobs: dict[str, bytes] = {}
        self._observer = observer

    def record(self, event: AnyEvent) -> None:
        """Remember the event."""
        self.events.append(event)
        if self._observer is not None:
            self._observer(event)

    def keep(self, content: bytes) -> str:
        """Remember ``content`` by its SHA-256."""
        name = hashlib.sha256(content).hexdigest()
        self.blobs[name] = content
        return name
