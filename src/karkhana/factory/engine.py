"""Durable execution of the line: a finished step is never run again, whoever continues the run.

Implements ``ports.Engine``. It does not know what a line does, nor who may run it: leases are the worker's
business (:mod:`karkhana.factory.worker`), which starts a run with the epoch of the lease that it holds.

A step's result is stored as canonical JSON, and what the line gets is what was stored, the first time as after a
crash: a step returns plain data, and the line converts it::

    report = msgspec.convert(engine.step("baseline", lambda: plain(measure(workspace))), TestReport)

A step that is killed in the middle runs again, so its effects must be idempotent. Errors of
``karkhana.domain.errors`` are results as well: a replay raises them again. Only ``InfrastructureFailure`` is
retried, with exponential backoff, and never recorded.

A run that waits for a message which is not there leaves memory altogether (``RunParked``): no thread, no
sandbox and no worker slot is held for the days that an approval may take. When the message comes, the run is
started again and goes through its recorded steps to the same place.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from karkhana.domain.errors import InfrastructureFailure, KarkhanaError, LeaseLost, RunCancelled
from karkhana.domain.events import StepRetried
from karkhana.domain.json import plain
from karkhana.factory.engine_control import Ending, EndingKind, RunControl, RunParked, token
from karkhana.factory.engine_steps import StepRunner, Unrecorded, result_of

R = TypeVar("R")

MAX_TRACEBACK = 8000
"""Characters of a crash's traceback that are kept; its end tells most."""

_FINAL = (EndingKind.FINISHED, EndingKind.FAILED, EndingKind.BROKEN, EndingKind.CRASHED)
"""Endings that the worker has settled for good; the others leave the workflow to be continued."""

Line = Callable[[str, "DurableEngine"], None]
"""The workflow: called with the run's identifier, again from the top at every take-over."""


class Mailbox(Protocol):
    """Messages to runs. They are never removed, so that reading one can be repeated."""

    def post(self, run_id: str, topic: str, message: str) -> None:
        """Store a message durably, and wake the run if it is parked."""

    def read(self, run_id: str, topic: str, index: int) -> str | None:
        """The message number ``index`` (from 0) on ``topic``, ``None`` when it has not come yet."""


class DurableEngine:
    """Runs lines durably. One per process at a time.

    ``ended`` is called once for each execution, in its own thread, after everything of it is unwound (for a run
    that had ended before: inside :meth:`start`). Use as a context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        line: Line,
        mailbox: Mailbox,
        *,
        home: Path,
        database_url: str | None = None,
        executor: str,
        attempts: int = 3,
        backoff_s: float = 0.5,
        retried: Callable[[RunControl, StepRetried], None] = lambda _control, _event: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``executor`` names this process in DBOS's tables. ``attempts`` and ``backoff_s`` (first pause, doubled each
        time up to 30 s) hold for a step whose machinery fails.

        Raises ``DatabaseUnavailable``.
        """
        self._line = line
        self._mailbox = mailbox
        self._steps = StepRunner(attempts, backoff_s, retried)
        self._clock = clock
        self._here = threading.local()
        self._active: dict[tuple[str, str], RunControl] = {}
        """By run and owner token: an execution that lost its lease may still be unwinding when the next one begins."""
        self._changed = threading.Condition()
        self.ended: Callable[[RunControl, Ending], None] = lambda _control, _ending: None
        # DBOS takes two seconds to import; nobody who only looks at the queue pays that.
        from karkhana.factory.engine_dbos import DbosRuntime

        self._runtime = DbosRuntime(home=home, database_url=database_url, executor=executor, body=self._execute)

    def __enter__(self) -> "DurableEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything. Executions still under way are told that they lost their lease."""
        for control in self.active():
            control.lose("the engine is closing")
        self.join([control.run_id for control in self.active()], timeout_s=5.0)
        self._runtime.close()

    def start(self, run_id: str, epoch: int = 1, *, cancelled: bool = False) -> None:
        """Begin, or take over, the workflow of a run whose lease we hold under ``epoch``. Returns at once.

        A ``cancelled`` run goes through its recorded steps and raises ``RunCancelled`` at the first other one.
        """
        control = RunControl(run_id, epoch)
        if cancelled:
            control.cancel()
        owner = token(epoch)
        with self._changed:
            if any(c.run_id == run_id and c.epoch >= epoch for c in self._active.values()):
                return
            self._active[run_id, owner] = control
        try:
            recorded = self._runtime.dispatch(run_id, owner)
        except LeaseLost as lost:
            self._leave(control, owner, Ending(kind=EndingKind.LOST, reason=str(lost)))
        except BaseException:
            with self._changed:
                del self._active[run_id, owner]
                self._changed.notify_all()
            raise
        else:
            if recorded is not None:
                self._leave(control, owner, msgspec.convert(recorded, Ending))

    def control(self, run_id: str) -> RunControl:
        """The execution of ``run_id`` that the calling thread belongs to, else the newest one on this node.

        Raises ``KeyError`` when the run is not executed here.
        """
        here: RunControl | None = getattr(self._here, "control", None)
        if here is not None and here.run_id == run_id:
            return here
        found = [control for control in self.active() if control.run_id == run_id]
        if not found:
            raise KeyError(run_id)
        return max(found, key=lambda control: control.epoch)

    def active(self) -> tuple[RunControl, ...]:
        """Executions on this node that have not ended."""
        with self._changed:
            return tuple(self._active.values())

    def step(self, name: str, function: Callable[[], R]) -> R:
        """Inside a line: run ``function`` once; its result as JSON data, or its ``KarkhanaError``, survives a crash.

        Raises ``InfrastructureFailure`` when all attempts failed, and once ``RunCancelled``: the steps after it may
        close the run.
        """
        control = self._mine()
        try:
            envelope = self._runtime.step(name, lambda: self._steps.run(control, name, function))
        except Unrecorded as carrier:
            raise carrier.error from carrier.error.__cause__
        except RunCancelled:
            control.acknowledge()
            raise
        value: R = result_of(envelope)
        return value

    def wait(self, topic: str, timeout_s: float | None) -> str | None:
        """Inside a line: the next message on ``topic``, or ``None`` once ``timeout_s`` are over.

        Leaves the line by ``RunParked`` when there is none yet.
        """
        control = self._mine()
        index = control.heard[topic]
        until = self.step(f"wait {topic}: until", lambda: None if timeout_s is None else self._clock() + timeout_s)

        def receive() -> str | None:
            message = self._mailbox.read(control.run_id, topic, index)
            if message is None and (until is None or self._clock() < until):
                raise RunParked(topic, index, until)
            return message

        message = self.step(f"wait {topic}", receive)
        control.heard[topic] += message is not None
        return message

    def send(self, run_id: str, topic: str, message: str) -> None:
        """From anywhere: leave a message for a run, waiting or not."""
        self._mailbox.post(run_id, topic, message)

    def forget(self, done: Callable[[str], bool], older_than_s: float = 3600.0) -> int:
        """Remove the stored steps of runs that are ``done``, and return of how many; the trail has all that matters.

        Runs that began in the last ``older_than_s`` seconds are left alone.
        """
        gone = [run_id for run_id in self._runtime.known(older_than_s) if done(run_id)]
        if gone:
            self._runtime.forget(gone)
        return len(gone)

    def join(self, run_ids: Iterable[str], timeout_s: float | None) -> bool:
        """Wait until none of the runs is executed on this node (a parked one is not); whether that came true."""
        wanted = set(run_ids)
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(control.run_id in wanted for control in self._active.values()), timeout_s
            )

    def await_fewer(self, count: int, timeout_s: float) -> None:
        """Wait until fewer than ``count`` executions are on this node, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._active) < count, timeout_s)

    def _mine(self) -> RunControl:
        control: RunControl | None = getattr(self._here, "control", None)
        if control is None:
            raise RuntimeError("step() and wait() belong into a line, in the thread that runs it")
        return control

    def _execute(self, run_id: str, owner: str) -> dict[str, Any]:
        control = self._active[run_id, owner]
        self._here.control = control
        try:
            ending = self._carry_out(control)
            self._leave(control, owner, ending)
        except Exception as error:  # DBOS would record any exception as the run's result, and close the run for good
            raise LeaseLost(f"{run_id}: its ending could not be settled: {error}") from error
        finally:
            self._here.control = None
        if ending.kind not in _FINAL:
            # A signal is not recorded either: whoever comes next continues the workflow.
            raise LeaseLost(ending.reason)
        # Not the reason: the run's own row has it, redacted.
        return plain(Ending(kind=ending.kind))  # type: ignore[no-any-return]

    def _carry_out(self, control: RunControl) -> Ending:
        try:
            self._line(control.run_id, self)
        except RunParked as parked:
            return Ending(
                kind=EndingKind.PARKED, reason=str(parked), topic=parked.topic, index=parked.index, until=parked.until
            )
        except RunCancelled as cancelled:
            return Ending(kind=EndingKind.CANCELLED, reason=str(cancelled))
        except LeaseLost as lost:
            return Ending(kind=EndingKind.LOST, reason=str(lost))
        except InfrastructureFailure as error:
            return Ending(kind=EndingKind.BROKEN, reason=error.message, next=error.next, code=error.code)
        except KarkhanaError as error:
            return Ending(kind=EndingKind.FAILED, reason=error.message, next=error.next, code=error.code)
        except Exception as error:  # a bug must end one run, not the worker; the reason carries its traceback
            last = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
            return Ending(kind=EndingKind.CRASHED, reason=f"{type(error).__name__}: {error}", next=last)
        return Ending(kind=EndingKind.FINISHED)

    def _leave(self, control: RunControl, owner: str, ending: Ending) -> None:
        try:
            self.ended(control, ending)
        finally:
            with self._changed:
                del self._active[control.run_id, owner]
                self._changed.notify_all()
