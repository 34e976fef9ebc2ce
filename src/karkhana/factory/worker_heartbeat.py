"""The thread that keeps a worker's leases alive and hears of cancellations.

It knows nothing of tasks. When the database cannot be reached for as long as a lease lasts, it assumes the worst,
because another worker will: every run of this worker is told that it is lost, and its sandbox dies with it.
"""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from karkhana.domain.settings import QueueSettings
from karkhana.factory.engine import DurableEngine
from karkhana.storage.runs import Lease, RunStore

CANCEL_SEEN_S = 1.0
"""A cancellation is seen within so many seconds, however seldom leases need renewing."""

_log = logging.getLogger("karkhana.worker")


class Heartbeat:
    """Beats while its block is open."""

    def __init__(
        self,
        worker: str,
        settings: QueueSettings,
        runs: RunStore,
        engine: DurableEngine,
        stray: Callable[[Lease], None] = lambda _lease: None,
    ) -> None:
        """``stray`` is told, from this thread, of each lease in our name on a run that is not executed here."""
        self._worker = worker
        self._settings = settings
        self._runs = runs
        self._engine = engine
        self._stray = stray
        self._stop = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._beat_on, name=f"heartbeat-{worker}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat_on(self) -> None:
        pause = min(self._settings.heartbeat_s, CANCEL_SEEN_S)
        while not self._stop.wait(pause):
            try:
                self.beat()
            except Exception as error:  # a database that is away for a moment must not end the thread that waits for it
                _log.warning("heartbeat failed: %s", error)
                self._give_up_when_silent()

    def beat(self) -> None:
        """Renew all leases; stop executions that were cancelled or lost."""
        # Before the renewal: a run that is claimed in between is not missed, and one that ends is stopped in vain.
        executed = self._engine.active()
        began = time.monotonic()
        held = {lease.run_id: lease for lease in self._runs.heartbeat(self._worker, self._settings.lease_s)}
        self._renewed = began
        for control in executed:
            lease = held.get(control.run_id)
            if lease is None or lease.epoch != control.epoch:
                control.lose("its lease went to another worker")
            elif lease.cancel_requested:
                control.cancel()
        for run_id in held.keys() - {control.run_id for control in executed}:
            self._stray(held[run_id])

    def _give_up_when_silent(self) -> None:
        if time.monotonic() - self._renewed > self._settings.lease_s:
            for control in self._engine.active():
                control.lose("its lease could not be renewed in time")
