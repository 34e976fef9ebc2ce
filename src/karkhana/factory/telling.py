"""What is said where a ticket came from, as its task moves on.

At a service where messages can be changed one message tells how the task stands; that a person has to decide, and the
end, are messages of their own, as nobody is told of a change. Elsewhere only these two are sent. Knows no service.
"""

from datetime import UTC, datetime

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import (
    ApprovalGiven,
    ApprovalRequested,
    ChangeHandedOver,
    Delivered,
    DeliveryAnnounced,
    RunFinished,
    ScoreComputed,
    WorkPaused,
)
from karkhana.domain.settings import IntakeDoor
from karkhana.domain.tasks import Status
from karkhana.factory.approvals import effect, ground_of
from karkhana.factory.stores import Stores
from karkhana.intake.answers.message import Decision, Message, Shipped, packed
from karkhana.storage.intake_store import TicketRow
from karkhana.storage.outbox import Saying

PROGRESS = "progress"
RESULT = "result"
CHANGEABLE = frozenset({"github", "slack"})
"""Doors at which a message can be changed."""
KINDS = (
    "approval.requested",
    "approval.given",
    "delivery.announced",
    "change.handed_over",
    "change.delivered",
    "score.computed",
    "work.paused",
    "run.finished",
)
WORDS = {
    Status.QUEUED: "is in the queue",
    Status.PLANNING: "is being worked on: it is looked at",
    Status.BUILDING: "is being worked on: a change is made",
    Status.REVIEWING: "is being worked on: the change is reviewed",
    Status.VERIFYING: "is being worked on: the change is measured",
    Status.WAITING_FOR_REVIEW: "waits for a person",
    Status.CANARY: "serves a part of the traffic for now",
    Status.DEPLOYED: "is deployed",
    Status.DELIVERED: "is delivered",
    Status.ROLLED_BACK: "was rolled back",
    Status.REJECTED: "was rejected",
    Status.FAILED: "failed",
    Status.CANCELLED: "is cancelled",
}


def accepted(task_id: str, suspected: tuple[str, ...], more: str = "") -> Saying:
    """Of a new ticket; ``more``: what else was understood of it."""
    text = f"{task_id} is in the queue.{more}"
    if suspected:
        text += f" Its text {', '.join(suspected)}: a person decides on what comes of it."
    message = Message(text=text, task_id=task_id, status=Status.QUEUED.value, seen=True)
    return Saying(text=text, content=packed(message), slot=PROGRESS)


class Telling:
    """Reads how runs stand."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def sayings(self, door: IntakeDoor | None, row: TicketRow, task_id: str, status: Status) -> list[Saying]:
        """What is to be said now that a task has this status; nothing where nobody can be told."""
        if door is None or not row.reference:
            return []
        found = []
        if door.kind in CHANGEABLE:
            message = Message(text=_words(task_id, status), task_id=task_id, status=status.value, seen=True)
            found.append(_saying(message, PROGRESS))
        told = _Told(self._stores, task_id)
        if status is Status.WAITING_FOR_REVIEW:
            return [*found, *told.asked()]
        if door.kind in CHANGEABLE:
            found += told.decided()
        if status.finished:
            found.append(told.ended(status))
        return found


class _Told:
    """The newest run of a task, as far as it is of interest outside."""

    def __init__(self, stores: Stores, task_id: str) -> None:
        self._stores = stores
        self._task_id = task_id
        runs = stores.runs.list(task_id=task_id, limit=1)
        self._run_id = runs[0].run_id if runs else ""
        self._events = [entry.event for entry in stores.events.entries(runs[0].run_id, kinds=KINDS)] if runs else []

    def asked(self) -> list[Saying]:
        """What a person is to decide."""
        asked = [e for e in self._events if isinstance(e, ApprovalRequested | DeliveryAnnounced | WorkPaused)]
        if not asked:
            return []
        newest = asked[-1]
        if isinstance(newest, WorkPaused):
            text = f"{self._task_id} is paused, and nothing of its work is lost."
            message = Message(text=text, quote=f"{newest.reason}\n{newest.next}", task_id=self._task_id)
            return [_saying(message, f"paused {len(asked)}")]
        until = newest.until if isinstance(newest, DeliveryAnnounced) else 0.0
        decision = Decision(
            run_id=self._run_id,
            digest=newest.patch_sha256,
            effect=self._effect(),
            until=datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds") if until else "",
        )
        text = f"{self._task_id} waits for a person{_scored(self._score())}."
        waits = Status.WAITING_FOR_REVIEW.value
        message = Message(text=text, quote=self._summary(), task_id=self._task_id, status=waits, decision=decision)
        return [_saying(message, _slot(newest.patch_sha256))]

    def decided(self) -> list[Saying]:
        """The question of earlier, once it is answered: nobody should press a button of it any more."""
        asked = [e.patch_sha256 for e in self._events if isinstance(e, ApprovalRequested | DeliveryAnnounced)]
        if not asked:
            return []
        given = [e for e in self._events if isinstance(e, ApprovalGiven) and e.patch_sha256 in ("", asked[-1])]
        text = f"{self._task_id} waited for a person with change {asked[-1][:12]}."
        if given:
            word = "approved" if given[-1].approved else "rejected"
            text = f"{given[-1].by} {word} change {asked[-1][:12]} of {self._task_id}."
        said = _saying(Message(text=text, task_id=self._task_id), _slot(asked[-1]))
        return [Saying(text=said.text, content=said.content, slot=said.slot, only_changes=True)]

    def ended(self, status: Status) -> Saying:
        """How it ended, with what came of it or why nothing did."""
        delivered = [e for e in self._events if isinstance(e, Delivered)]
        finished = [e for e in self._events if isinstance(e, RunFinished)]
        shipped, quote = None, ""
        if status.satisfied and delivered:
            handed = [e.change for e in self._events if isinstance(e, ChangeHandedOver)]
            last = delivered[-1]
            shipped = Shipped(
                branch=last.branch,
                commit=last.commit,
                remote=last.remote or "",
                title=handed[-1].title if handed else "",
                summary=self._summary(),
                score=self._score(),
            )
            quote = self._summary()
        elif finished:
            quote = "\n".join(part for part in (finished[-1].reason, finished[-1].next) if part)
        text = f"{self._task_id} {WORDS[status]}."
        message = Message(text=text, quote=quote, task_id=self._task_id, status=status.value, shipped=shipped)
        return _saying(message, RESULT)

    def _summary(self) -> str:
        handed = [e.change for e in self._events if isinstance(e, ChangeHandedOver)]
        return handed[-1].summary if handed else ""

    def _score(self) -> float | None:
        scores = [e.confidence.score for e in self._events if isinstance(e, ScoreComputed)]
        return scores[-1] if scores else None

    def _effect(self) -> str:
        try:
            return effect(ground_of(self._stores.tasks.order(self._task_id)), self._task_id)
        except KarkhanaError:
            # the repository cannot be read at the moment; whoever decides sees it there
            return f"delivers the change of {self._task_id}"


def _words(task_id: str, status: Status) -> str:
    return f"{task_id} {WORDS[status]}."


def _scored(score: float | None) -> str:
    return "" if score is None else f" (score {score:.2f})"


def _slot(digest: str) -> str:
    return f"decision {digest[:16]}"


def _saying(message: Message, slot: str) -> Saying:
    return Saying(text=message.text, content=packed(message), slot=slot)
