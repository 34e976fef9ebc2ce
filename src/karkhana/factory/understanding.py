"""Understands a ticket when it comes in, keeps that with its task, and says what was understood.

At the door only the text is read, in bounded time, so that a sender is answered at once. What needs the repository is
added when a worker takes the task (:mod:`karkhana.factory.asking`). Knows nothing of doors and pages.
"""

import threading
from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical, decode
from karkhana.domain.tasks import Order, Task
from karkhana.domain.understanding import Criterion, Judgement, Suggestion, Understanding
from karkhana.factory.stores import Stores
from karkhana.intake.likeness import Shelf, Sketch, sketch_of
from karkhana.intake.missing import given_in, lacking
from karkhana.intake.understanding import kind, priority, take_apart
from karkhana.storage.database import Database
from karkhana.storage.understanding_store import UnderstandingStore

RECENT_S = 90 * 86400.0
"""Seconds for which a ticket that ended is still compared with new ones."""
COMPARED = 2_000
"""The newest tickets of a product that a new one is compared with."""
CHECKED_MAX = 8_000
"""Characters of a ticket in which examples are looked for: reading them takes longer than reading words."""
CRITERIA_MAX = 8
_KINDS = {"equal": "`{subject}` gives `{expected}`", "raises": "`{subject}` raises {expected}", "holds": "`{subject}`"}


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood of a text, with what is kept to compare others with."""

    understanding: Understanding
    sketch: Sketch


def understood(
    text: str,
    *,
    labels: Sequence[str] = (),
    type: str = "",
    urgency: int | None = None,
    product: str = "",
    repository: str = "",
) -> Understood:
    """What a ticket's own words say. ``type`` and ``urgency`` (1-10) are given when somebody said them.

    Bounded: 200 kB of anything take less than 0.2 s of CPU.
    """
    parts = take_apart(text)
    said = Judgement(value=type, because=("whoever asked said so",)) if type else kind(labels, parts, text)
    urgent = priority(labels, text)
    if urgency is not None:
        urgent = Judgement(value=str(urgency), because=("whoever asked said so",))
    understanding = Understanding(
        type=said,
        product=Judgement(value=product, because=("the repository's name",) if product else ()),
        repository=Judgement(value=repository, because=("where it came in",) if repository else ()),
        priority=urgent,
        missing=lacking(said.value, given_in(parts, text)),
    )
    return Understood(understanding=understanding, sketch=sketch_of(parts))


def criteria_of(text: str) -> tuple[Criterion, ...]:
    """What the ticket's own examples say should hold when it is done, the surest first."""
    # 0.3 s and libcst, which a door that only takes tickets in never needs
    from karkhana.engineers.symbolic.reproduction.checks import checks

    found = [
        Criterion(text=_KINDS[check.kind].format(subject=check.subject, expected=check.expected), kind=check.kind)
        for check in checks(text[:CHECKED_MAX])
    ]
    error = take_apart(text).error
    if error and not found:
        found.append(Criterion(text=f"What the ticket does no longer raises {error}", kind="told"))
    return tuple(dict.fromkeys(found))[:CRITERIA_MAX]


def criteria_told(kept: Understanding) -> str:
    """What persons said should hold: engineers and gates read it with the ticket, from which the others come anyway."""
    given = [f"- {each.text}" for each in kept.criteria if each.by]
    return "\n".join(("Acceptance criteria:", "", *given)) if given else ""


class Understander:
    """Understands the tickets of a database; remembers sketches, so that each is read once. Thread-safe."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._store = UnderstandingStore(stores.database)
        self._lock = threading.Lock()
        self._shelves: dict[str, tuple[Shelf, int]] = {}

    @property
    def store(self) -> UnderstandingStore:
        return self._store

    def of(
        self, order: Order, product: str, *, labels: Sequence[str] = (), type: str = "", urgency: int | None = None
    ) -> Understood:
        """What is understood of an order's ticket before it is a task, with tickets that may ask for the same."""
        # what is kept must hold no secret, and what is compared must be the same for both
        text = self._stores.redactor.text(order.ticket.text)
        found = understood(
            text, labels=labels, type=type, urgency=urgency, product=product, repository=order.repository
        )
        alike = self.alike(product, found.sketch)
        return msgspec.structs.replace(
            found, understanding=msgspec.structs.replace(found.understanding, duplicates=alike)
        )

    @property
    def database(self) -> Database:
        return self._stores.database

    def product(self, task_id: str) -> str:
        """Raises ``UnknownTask``."""
        return self._stores.tasks.get(task_id).product

    def renew(
        self,
        task_id: str,
        product: str,
        found: Understood,
        change: Callable[[Understanding], Understanding],
        connection: sa.Connection | None = None,
    ) -> Understanding:
        """Write what ``change`` makes of what is kept of a task; where nothing is, ``found`` is kept first.

        With ``connection`` inside of that transaction.
        """
        with self._stores.database.joining(connection) as joined:
            sketch = canonical(found.sketch).decode()
            self._store.keep_within(joined, task_id, product, found.understanding, sketch)
            return self._store.change_within(joined, task_id, change)

    def keep_within(self, connection: sa.Connection, task: Task, found: Understood) -> None:
        """Keep it with the task that was made, in the same transaction."""
        sketch = canonical(found.sketch).decode()
        self._store.keep_within(connection, task.task_id, task.product, found.understanding, sketch)

    def alike(self, product: str, sketch: Sketch, *, without: str = "") -> tuple[Suggestion, ...]:
        """Open and recent tickets of the product that may ask for the same, the likest first."""
        with self._lock:
            shelf = self._shelf(product)
            found = shelf.like(sketch, without=(without,) if without else ())
        standings = self._store.standings([each.task_id for each in found]) if found else {}
        oldest = self._store.now() - RECENT_S
        return tuple(
            Suggestion(
                task_id=each.task_id,
                title=standings[each.task_id].title,
                likeness=each.likeness,
                because=each.because,
            )
            for each in found
            if each.task_id in standings
            and (not standings[each.task_id].status.finished or standings[each.task_id].created_at > oldest)
        )

    def _shelf(self, product: str) -> Shelf:
        shelf, last = self._shelves.pop(product, (None, 0))
        shelf = shelf or Shelf(COMPARED)
        for kept in self._store.since(product, last, COMPARED):
            shelf.put(kept.task_id, decode(kept.sketch, Sketch))
            last = kept.ordinal
        self._shelves[product] = (shelf, last)
        while len(self._shelves) > PRODUCTS_MAX:
            self._shelves.pop(next(iter(self._shelves)))
        return shelf


PRODUCTS_MAX = 50
"""Products whose sketches are remembered; of the others they are read again."""


def kept_of(stores: Stores, task_id: str) -> Understanding | None:
    """What was kept of a task's ticket, without reading it again; ``None`` for tasks of which nothing was."""
    return UnderstandingStore(stores.database).get(task_id)


def shown(stores: Stores, task_id: str) -> Understanding:
    """What is understood of a task's ticket: as it was kept, or read from its words now.

    Raises ``UnknownTask``.
    """
    kept = UnderstandingStore(stores.database).get(task_id)
    if kept is None or not (kept.criteria or kept.engineer.value):
        order = stores.tasks.order(task_id)
        if kept is None:
            task = stores.tasks.get(task_id)
            kept = understood(
                order.ticket.text,
                type=order.type.value,
                urgency=task.priority,
                product=task.product,
                repository=order.repository,
            ).understanding
        kept = msgspec.structs.replace(kept, criteria=criteria_of(order.ticket.text))
    return kept


def said_of(understanding: Understanding) -> str:
    """What a sender is told of it beyond that the ticket came in; nothing when there is nothing to decide."""
    if not understanding.duplicates:
        return ""
    listed = ", ".join(each.task_id for each in understanding.duplicates)
    return f" It looks like {listed}; nothing is closed for that, and a person may confirm it."
