"""What becomes of a run when its execution leaves this node.

A line closes its own run when it delivers, is rejected or fails as lines do. This settles everything else: a run
that waits, one whose machinery stayed broken, one that hit a bug, one that another worker has. Every write is
fenced by the lease's epoch: it raises ``LeaseLost`` rather than touch a run that is no longer ours.

Broken machinery sends the task back to the queue, ``requeues`` times; then a person has to look.
"""

from collections.abc import Callable
from dataclasses import dataclass

from karkhana.domain.events import Noted, RunFinished
from karkhana.domain.json import canonical
from karkhana.domain.settings import QueueSettings
from karkhana.domain.tasks import Status
from karkhana.factory.engine_control import Ending, EndingKind, RunControl
from karkhana.factory.results import spent
from karkhana.ports import Trail
from karkhana.storage.event_log import EventLog
from karkhana.storage.messages import MessageStore
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import TaskStore

REPORT_BUG = "This is a bug in Karkhana; report it with the run's trail."


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
        self._runs = stores.runs
        self._events = stores.events
        self._messages = stores.messages

    def settle(self, control: RunControl, ending: Ending) -> None:
        """Leave the run as ``ending`` demands. Raises ``LeaseLost`` when it is no longer ours."""
        if self._runs.get(control.run_id).status.finished:
            return
        handlers: dict[EndingKind, Callable[[RunControl, Ending], None]] = {
            EndingKind.FINISHED: self._left_open,
            EndingKind.FAILED: self._failed,
            EndingKind.CRASHED: self._crashed,
            EndingKind.BROKEN: self._broken,
            EndingKind.PARKED: self._parked,
            EndingKind.CANCELLED: self._cancelled,
            EndingKind.LOST: self._handed_back,
        }
        handlers[ending.kind](control, ending)

    def give_up(self, control: RunControl, reason: str) -> None:
        """Close a run that is not worth another try."""
        self._close(control, Status.FAILED, reason, "Read its trail, mend the cause, and put the ticket in again.")

    def _left_open(self, control: RunControl, _ending: Ending) -> None:
        self._close(control, Status.FAILED, "the line ended without closing the run", REPORT_BUG)

    def _failed(self, control: RunControl, ending: Ending) -> None:
        self._close(control, Status.FAILED, ending.reason, ending.next, ending.code)

    def _crashed(self, control: RunControl, ending: Ending) -> None:
        self._trail(control).record(Noted(text=ending.next))
        self._close(control, Status.FAILED, ending.reason, REPORT_BUG, "crashed")

    def _broken(self, control: RunControl, ending: Ending) -> None:
        tried = len(self._runs.list(task_id=self._runs.get(control.run_id).task_id))
        if tried > self._settings.requeues:
            reason = f"{ending.reason} (the machinery failed in {tried} runs)"
            self._close(control, Status.FAILED, reason, ending.next, ending.code)
            return
        note = f"the machinery stayed broken: {ending.reason}; the task goes back to the queue"
        self._trail(control).record(Noted(text=note))
        self._close(control, Status.FAILED, ending.reason, ending.next, ending.code, requeue=True)

    def _parked(self, control: RunControl, ending: Ending) -> None:
        self._runs.park(control.run_id, control.epoch, ending.until)
        # A message that came after the line had looked found nobody to wake.
        if self._messages.read(control.run_id, ending.topic, ending.index) is not None:
            self._messages.wake(control.run_id)

    def _cancelled(self, control: RunControl, ending: Ending) -> None:
        self._close(control, Status.CANCELLED, ending.reason, "")

    def _handed_back(self, control: RunControl, _ending: Ending) -> None:
        self._runs.release(control.run_id, control.epoch)

    def _close(
        self, control: RunControl, status: Status, reason: str, next: str, code: str = "", *, requeue: bool = False
    ) -> None:
        self._trail(control).record(RunFinished(status=status, reason=reason, next=next, code=code))
        redact = self._events.redacted
        result = canonical({"status": status, "reason": redact(reason), "next": redact(next), "code": code})
        answers = (entry.event for entry in self._events.entries(control.run_id, kinds=("model.answered",)))
        self._runs.finish(control.run_id, control.epoch, status, result, cost_usd=spent(answers), requeue=requeue)

    def _trail(self, control: RunControl) -> Trail:
        return self._events.trail(control.run_id, control.epoch)
