"""What becomes of a run when its execution leaves this node.

A line closes its own run when it delivers, is rejected or fails as lines do. This settles everything else: a run
that waits, one whose machinery stayed broken, one that hit a bug, one that another worker has. Every write is
fenced by the lease's epoch: it raises ``LeaseLost`` rather than touch a run that is no longer ours.

Broken machinery sends the task back to the queue, ``requeues`` times; then a person has to look.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from karkhana.domain.events import Noted, RunFinished
from karkhana.domain.json import canonical
from karkhana.domain.settings import QueueSettings
from karkhana.domain.tasks import Status
from karkhana.factory.engine_control import Ending, EndingKind, RunControl
from karkhana.ports import Trail
from karkhana.storage.event_log import EventLog
from karkhana.storage.messages import MessageStore
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import TaskStore

_log = logging.getLogger("karkhana.worker")


@dataclass(frozen=True)
class QueueStores:
    """The tables that a worker works with."""

    tasks: TaskStore
    runs: RunStore
    events: EventLog
    messages: MessageStore


class Settlement:
    """Settles endings in the stores."""

    def __init__(self, settings: QueueSettings, stores: QueueStores) -> None:
        self._settings = settings
        self._tasks = stores.tasks
        self._runs = stores.runs
        self._events = stores.events
        self._messages = stores.messages

    def settle(self, control: RunControl, ending: Ending) -> None:
        """Leave the run as ``ending`` demands. Raises ``LeaseLost`` when it is no longer ours."""
        handlers: dict[EndingKind, Callable[[RunControl, Ending], None]] = {
            EndingKind.FINISHED: self._finished,
            EndingKind.FAILED: self._failed,
            EndingKind.CRASHED: self._failed,
            EndingKind.BROKEN: self._broken,
            EndingKind.PARKED: self._parked,
            EndingKind.CANCELLED: self._cancelled,
            EndingKind.LOST: self._handed_back,
        }
        handlers[ending.kind](control, ending)

    def give_up(self, control: RunControl, reason: str) -> None:
        """Close a run that is not worth another try."""
        self._close(control, Status.FAILED, reason, "Read its trail, mend the cause, and put the ticket in again.")

    def _finished(self, control: RunControl, _ending: Ending) -> None:
        if not self._runs.get(control.run_id).status.finished:
            self._close(control, Status.FAILED, "the line ended without closing the run", "This is a bug; report it.")

    def _failed(self, control: RunControl, ending: Ending) -> None:
        if ending.kind is EndingKind.CRASHED:
            _log.error("%s crashed: %s\n%s", control.run_id, ending.reason, ending.next)
        self._close(control, Status.FAILED, ending.reason, ending.next, ending.code or "crashed")

    def _broken(self, control: RunControl, ending: Ending) -> None:
        run = self._runs.get(control.run_id)
        tried = len(self._runs.list(task_id=run.task_id))
        if tried > self._settings.requeues:
            reason = f"{ending.reason} (the machinery failed in {tried} runs)"
            self._close(control, Status.FAILED, reason, ending.next, ending.code)
            return
        self._trail(control).record(
            Noted(text=f"the machinery stayed broken: {ending.reason}; the task goes back to the queue")
        )
        self._close(control, Status.FAILED, ending.reason, ending.next, ending.code)
        self._tasks.set_status(run.task_id, Status.QUEUED)

    def _parked(self, control: RunControl, ending: Ending) -> None:
        self._runs.park(control.run_id, control.epoch, ending.until)
        # A message that came after the line had looked found nobody to wake.
        if self._messages.read(control.run_id, ending.topic, ending.index) is not None:
            self._messages.wake(control.run_id)

    def _cancelled(self, control: RunControl, ending: Ending) -> None:
        self._close(control, Status.CANCELLED, ending.reason, "")

    def _handed_back(self, control: RunControl, _ending: Ending) -> None:
        self._runs.release(control.run_id, control.epoch)

    def _close(self, control: RunControl, status: Status, reason: str, next: str, code: str = "") -> None:
        self._trail(control).record(RunFinished(status=status, reason=reason))
        result = canonical({"status": status, "reason": reason, "next": next, "code": code})
        self._runs.finish(control.run_id, control.epoch, status, result)

    def _trail(self, control: RunControl) -> Trail:
        return self._events.trail(control.run_id, control.epoch)
