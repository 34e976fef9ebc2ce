"""One execution of a run on this node: its lease epoch, how to stop it, and how it ended.

Knows nothing of databases or of the durable-execution library. A line asks :meth:`RunControl.check` at its
leisure; whatever must die at once when the run is cancelled registers with :meth:`RunControl.on_stop`:

>>> control = RunControl("run_1", epoch=1)
>>> killed = []
>>> with control.on_stop(lambda: killed.append("sandbox")):
...     control.cancel()
>>> killed
['sandbox']
"""

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from karkhana.domain.errors import LeaseLost, RunCancelled, Signal


class RunParked(Signal):
    """The run waits for a message that is not there: leave, and come back when it is."""

    def __init__(self, topic: str, index: int, until: float | None) -> None:
        super().__init__(f"waits for {topic}")
        self.topic = topic
        self.index = index
        """How many messages on the topic the run has had."""
        self.until = until
        """Seconds since the epoch when the wait is over; ``None`` is never."""


class EndingKind(enum.StrEnum):
    """Why a workflow left this node."""

    FINISHED = "finished"
    """The line returned."""
    FAILED = "failed"
    """The line raised an error that a user is shown."""
    BROKEN = "broken"
    """The machinery failed more often than a step may be retried."""
    CRASHED = "crashed"
    """A bug: an exception that nobody raises on purpose."""
    PARKED = "parked"
    """It waits for a message; nothing of it is left in memory."""
    CANCELLED = "cancelled"
    LOST = "lost"
    """Another worker has it, or it was handed back."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one execution of a run left this node."""

    kind: EndingKind
    reason: str = ""
    next: str = ""
    """The next step for the user; for ``crashed`` the end of the traceback."""
    code: str = ""
    """The error's stable name, for ``failed`` and ``broken``."""
    topic: str = ""
    index: int = 0
    until: float | None = None
    """For ``parked``: which message it waits for, and until when (seconds since the epoch)."""


def token(epoch: int) -> str:
    """An owner token; sorts by lease epoch, and after every token that DBOS itself makes (hexadecimal).

    >>> token(3)
    'lease-0000000003'
    """
    return f"lease-{epoch:010d}"


class RunControl:
    """Thread-safe handle on one execution of a run."""

    def __init__(self, run_id: str, epoch: int) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self._signal: Signal | None = None
        self._cancelled = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self.heard = Counter[str]()
        """Messages that came so far, by topic; the same on every replay."""

    @property
    def stopped(self) -> bool:
        """Whether the run was cancelled or lost."""
        return self._stopped.is_set()

    def check(self) -> None:
        """Raise ``RunCancelled`` or ``LeaseLost`` when this execution must stop."""
        if self._signal is not None:
            raise type(self._signal)(*self._signal.args)

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake at once when the run is stopped; then raises like :meth:`check`."""
        self._stopped.wait(seconds)
        self.check()

    @contextmanager
    def on_stop(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, ``callback`` is called (from another thread, once) when the run is stopped."""
        key = id(callback)
        with self._lock:
            self._callbacks[key] = callback
        if self._stopped.is_set():
            self._fire()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.pop(key, None)

    def cancel(self) -> None:
        """A person cancelled the run: kill what it runs, and make it raise ``RunCancelled``; later calls do nothing."""
        with self._lock:
            repeated, self._cancelled = self._cancelled, True
        if not repeated:
            self._stop(RunCancelled(f"{self.run_id} was cancelled"))

    def acknowledge(self) -> None:
        """The line knows of its cancellation; from now on it may run the steps that close the run."""
        with self._lock:
            if isinstance(self._signal, RunCancelled):
                self._signal = None
                self._stopped.clear()

    def lose(self, reason: str) -> None:
        """The run is no longer ours: kill what it runs, and make it raise ``LeaseLost``."""
        self._stop(LeaseLost(f"{self.run_id}: {reason}"))

    def _stop(self, signal: Signal) -> None:
        with self._lock:
            # A lost lease outranks a cancellation: whoever has the lease now cancels the run.
            if self._signal is None or isinstance(signal, LeaseLost):
                self._signal = signal
        self._stopped.set()
        self._fire()

    def _fire(self) -> None:
        with self._lock:
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            callback()
