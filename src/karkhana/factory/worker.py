"""A worker: takes the most urgent task that it can do, carries it out, and takes the next.

It knows leases, slots and endings, not what a run does: that is the line's business, which the engine executes.
A run is this worker's as long as its lease is renewed in time; a worker that falls silent loses its runs to the
next one that looks (``settings.queue``). A run that waits for a person holds no slot, no lease and no thread::

    with DurableEngine(line, messages, home=home, executor=name) as engine:
        Worker(name, settings.queue, stores, engine, tags=("gpu",)).work()
"""

import logging
import math
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from karkhana.domain.errors import InfrastructureFailure, LeaseLost, UnknownRun
from karkhana.domain.events import RunTakenOver
from karkhana.domain.settings import QueueSettings
from karkhana.factory.engine import DurableEngine
from karkhana.factory.engine_control import Ending, EndingKind, RunControl
from karkhana.factory.worker_endings import QueueStores, Settlement
from karkhana.factory.worker_heartbeat import Heartbeat
from karkhana.storage.runs import Claim, Lease

UNWIND_S = 5.0
"""What a run that has to stop gets to kill its sandbox and leave."""

SWEEP_S = 3600.0
"""How often the engine's database is freed of runs that are over."""

_log = logging.getLogger("karkhana.worker")


def worker_name() -> str:
    """A name that no other process has or will have; leases are kept under it."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


class Worker:
    """Claims and carries out tasks. One per engine."""

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        stores: QueueStores,
        engine: DurableEngine,
        *,
        tags: tuple[str, ...] = (),
        concurrency: int = 1,
    ) -> None:
        """``tags`` are the capabilities that it offers; ``concurrency`` the runs that it carries out at a time."""
        self.name = name
        self._settings = settings
        self._stores = stores
        self._engine = engine
        self._tags = tags
        self._concurrency = concurrency
        self._settlement = Settlement(settings, stores)
        self._stopping = False
        self._count = 0
        self._last: Ending | None = None
        self._strays: dict[str, Lease] = {}
        self.took_over: Callable[[], None] = lambda: None
        """Called when a run of a worker that died was taken over."""
        engine.ended = self._settle

    def work(self, *, drain: bool = False, grace_s: float = 30.0) -> int:
        """Carry out tasks until :meth:`stop`, and return how many runs ended here.

        With ``drain`` it also returns when nothing is ready and nothing runs. When stopped, runs under way get
        ``grace_s`` seconds to finish; what is left is handed back, and another worker goes on with it at once.
        """
        with self._beating():
            swept = -math.inf
            while not self._stopping:
                if time.monotonic() - swept > SWEEP_S:
                    swept = time.monotonic()
                    self._engine.forget(self._is_over)
                busy = self._fill_slots()
                if drain and not busy:
                    break
                # A run that ends frees its slot, and may make others ready; else the queue is looked at in a while.
                self._engine.await_fewer(busy, self._settings.poll_s)
            self._hand_back(grace_s)
        return self._count

    def carry_out(self, claim: Claim) -> Ending:
        """Carry out one run that was claimed elsewhere, in the foreground, and return how it left this node."""
        with self._beating():
            self._begin(claim)
            while not self._engine.join([claim.run_id], self._settings.poll_s):
                if self._stopping:
                    self._hand_back(0.0)
                    break
        assert self._last is not None
        return self._last

    @property
    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Claim nothing more. Safe in a signal handler: it takes no lock."""
        self._stopping = True

    def _fill_slots(self) -> int:
        """Begin runs while there are free slots; how many ran when there was no slot, or nothing to begin."""
        try:
            self._let_strays_go()
            while True:
                busy = len(self._engine.active())
                if self._stopping or busy >= self._concurrency or not (self._take_over() or self._take_next()):
                    return busy
        except InfrastructureFailure as failure:
            _log.warning("%s; looking again in a moment", failure.message)
            time.sleep(self._settings.poll_s)
            return self._concurrency

    def _is_over(self, run_id: str) -> bool:
        try:
            return self._stores.runs.get(run_id).status.finished
        except UnknownRun:
            return True

    def _take_next(self) -> bool:
        claim = self._stores.tasks.claim(self.name, self._tags, self._settings.lease_s)
        if claim is not None:
            self._begin(claim)
        return claim is not None

    def _take_over(self) -> bool:
        """Go on with a run whose worker died or was stopped, or which waited for a message that has come."""
        for lease in self._stores.runs.expired():
            if not set(lease.tags) <= set(self._tags):
                continue
            claim = self._stores.runs.take_over(lease.run_id, self.name, self._settings.lease_s)
            # Even a lease that was won this moment can be lost, when this process is stopped for long enough.
            with suppress(LeaseLost):
                if claim is not None and self._worth_it(claim, lease):
                    self._begin(claim, cancelled=lease.cancel_requested)
                    return True
        return False

    def _begin(self, claim: Claim, *, cancelled: bool = False) -> None:
        try:
            self._engine.start(claim.run_id, claim.epoch, cancelled=cancelled)
        except BaseException:
            with suppress(LeaseLost):
                self._stores.runs.release(claim.run_id, claim.epoch)
            raise

    def _worth_it(self, claim: Claim, before: Lease) -> bool:
        if before.owner is not None:
            trail = self._stores.events.trail(claim.run_id, claim.epoch)
            trail.record(RunTakenOver(worker=self.name, previous_worker=before.owner))
            self.took_over()
        if claim.epoch <= self._settings.takeovers:
            return True
        reason = f"{claim.epoch - 1} workers died, or were stopped, while they carried it out"
        self._settlement.give_up(RunControl(claim.run_id, claim.epoch), reason)
        return False

    def _settle(self, control: RunControl, ending: Ending) -> None:
        """Called by the engine in the thread of the run."""
        try:
            self._settlement.settle(control, ending)
        except LeaseLost:
            _log.info("%s is carried on by another worker", control.run_id)
        finally:
            self._count += 1
            self._last = ending

    def _hand_back(self, grace_s: float) -> None:
        running = [control.run_id for control in self._engine.active()]
        if self._engine.join(running, grace_s):
            return
        for control in self._engine.active():
            control.lose("its worker was stopped")
        # A step that does not listen keeps its thread; its lease is given back all the same, and its epoch fences it.
        if not self._engine.join(running, UNWIND_S):
            for control in self._engine.active():
                self._settle(control, Ending(kind=EndingKind.LOST))

    def _strayed(self, lease: Lease) -> None:
        # Only the thread that claims may judge: the heartbeat may have looked between a claim and its start.
        self._strays[lease.run_id] = lease

    def _let_strays_go(self) -> None:
        """Give back leases whose run is not executed here, because settling it failed."""
        while self._strays:
            run_id, lease = self._strays.popitem()
            if not any(control.run_id == run_id for control in self._engine.active()):
                with suppress(LeaseLost):
                    self._stores.runs.release(run_id, lease.epoch)

    def _beating(self) -> Heartbeat:
        return Heartbeat(self.name, self._settings, self._stores.runs, self._engine, self._strayed)


@contextmanager
def stop_on_signals(worker: Worker) -> Iterator[None]:
    """Within the block SIGTERM and SIGINT stop the worker gently; a second SIGINT leaves at once (exit code 130)."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and worker.stopping:
            # Nothing to save: every finished step is stored, and the leases run out by themselves.
            os._exit(130)
        worker.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
