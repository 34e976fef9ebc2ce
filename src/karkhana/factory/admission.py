"""What becomes of what a door has read: who may ask, once each, then a ticket, a command's effect, and an answer.

Knows nothing of bytes and signatures (:mod:`karkhana.intake`) nor of HTTP. Policy is the user's alone: whoever is not
named in ``[intake.NAME]`` gets nothing done, and no repository can change that.
"""

import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from karkhana.domain.errors import KarkhanaError, TicketTooLarge
from karkhana.domain.settings import IntakeDoor, Settings
from karkhana.domain.tasks import Order, TaskType, Ticket
from karkhana.factory.commands import carried_out
from karkhana.factory.doors import principal_of
from karkhana.factory.ordering import another_order, make_order
from karkhana.factory.remarks import reply
from karkhana.factory.stores import Stores
from karkhana.factory.telling import accepted
from karkhana.factory.understanding import Understander, said_of
from karkhana.intake.deliveries import Challenge, Command, Ignored, Remark, TicketDraft
from karkhana.intake.door import Reading
from karkhana.intake.payload import clean, line
from karkhana.intake.suspicion import suspicions
from karkhana.storage.intake_store import IntakeStore, Receipt, TicketRow, Writing
from karkhana.storage.tasks import product_of

EVERYWHERE = "*"
SHORTEST = 8
"""Letters and digits that a text needs to say anything."""

FRESH_S = 1.0
"""Seconds for which a repository's HEAD and settings are believed."""

AT_ONCE = {"postgresql": 4}
EMPTY = "it does not say what is wanted"
EARLIER_ALL = 8000
"""Characters of a conversation that join a ticket …"""
EARLIER_EACH = 2000
"""… and of each message of it."""

Earlier = Callable[[str, str], list[tuple[str, str]]]
Effect = Callable[[Writing], Receipt]


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a reading."""

    receipt: Receipt
    repeated: bool = False
    """Whether it had come before."""


class Desk:
    """Admits what comes in at all doors. Thread-safe."""

    def __init__(
        self, stores: Stores, store: IntakeStore | None = None, earlier: Earlier = lambda _door, _reference: []
    ) -> None:
        """``earlier`` tells what was said before in a conversation, by door and address: sender and text."""
        self._stores = stores
        self._store = store or IntakeStore(stores.database)
        self._orders = Orders()
        self._earlier = earlier
        self._understander = Understander(stores)

    @property
    def store(self) -> IntakeStore:
        return self._store

    @property
    def at_once(self) -> int:
        """How many threads should admit at the same time: where one writes at a time, others that wait for it sleep."""
        return AT_ONCE.get(self._stores.database.kind, 1)

    def admit(self, name: str, door: IntakeDoor, reading: Reading) -> Admission:
        """Do what a verified reading asks for, if its sender may; a second time nothing, with the same receipt.

        Raises :class:`~karkhana.storage.intake_store.Flood`, and what the repository raises when it cannot be read;
        then nothing is kept, and the sender may send it again.
        """
        try:
            effect = self._effect(name, door, reading)
        except KarkhanaError:
            # the same delivery again is not to be sent again, whatever became of its repository
            known = self._store.receipt(name, reading.identity, reading.digest)
            if known is None:
                raise
            return Admission(receipt=known, repeated=True)
        receipt, repeated = self._store.admit(name, reading.identity, reading.digest, effect)
        return Admission(receipt=receipt, repeated=repeated)

    def _effect(self, name: str, door: IntakeDoor, reading: Reading) -> Effect:
        outcome = reading.outcome
        if isinstance(outcome, Challenge):
            return _said("ignored", "a challenge was answered")
        if isinstance(outcome, Ignored):
            return _said("ignored", outcome.reason)
        assert isinstance(outcome, TicketDraft | Command | Remark), "a refused delivery is no reading"
        refused = not_allowed(door, outcome)
        if refused:
            return _said("ignored", refused)
        if isinstance(outcome, Command):
            return carried_out(self._stores, self._store, name, door, outcome)
        subjects = (outcome.subject,) if isinstance(outcome, Remark) else outcome.subjects
        answered = reply(
            self._stores,
            self._store,
            name,
            door,
            subjects=subjects,
            sender=outcome.sender,
            text=outcome.text,
            address=outcome.address,
        )
        if answered is not None:
            return answered
        if isinstance(outcome, Remark):
            return _said("ignored", "nothing waits for an answer there")
        return self._ticket(name, door, outcome)

    def _ticket(self, name: str, door: IntakeDoor, draft: TicketDraft) -> Effect:
        if draft.continues and not self._store.task_of(name, draft.subjects[0]):
            draft = continued(draft, self._earlier(name, draft.address))
            if empty(draft.text):
                return _said("ignored", EMPTY)
        try:
            order = self._orders.order(door, draft)
        except TicketTooLarge as error:
            return _said("ignored", error.message)
        product = product_of(order.repository)
        found = self._understander.of(order, product, labels=draft.labels)
        understanding = found.understanding
        order = msgspec.structs.replace(order, type=TaskType(understanding.type.value), asks=True)
        suspected = order.suspicions
        row = TicketRow(
            door=name, sender=draft.sender, place=draft.place, reference=draft.address, suspicions=suspected
        )
        principal = principal_of(door, draft.sender)

        def make(writing: Writing) -> Receipt:
            writing.take(draft.sender.casefold(), door.per_minute)
            writing.alone()
            for subject in draft.subjects:
                known = writing.task_of(subject)
                if known is not None:
                    writing.bind(draft.subjects, known)
                    return Receipt(status="known", task_id=known, reason="there is a ticket about it")
            task = self._stores.tasks.add_within(
                writing.connection,
                order,
                priority=int(understanding.priority.value),
                generated_by=door.kind,
            )
            self._understander.keep_within(writing.connection, task, found)
            writing.bind(draft.subjects, task.task_id)
            writing.came(task.task_id, row)
            writing.answer(draft.address, task.task_id, accepted(task.task_id, suspected, said_of(understanding)))
            self._stores.audit.record_within(
                writing.connection,
                principal,
                action="task.add",
                target=task.task_id,
                product=task.product,
                details={"door": name, "sender": draft.sender, "place": draft.place},
            )
            return Receipt(status="accepted", task_id=task.task_id)

        return make


class Orders:
    """Orders as ``karkhana queue add`` makes them. What a repository's HEAD says is read once in a while only: a flood
    of tickets would start five processes for each of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read: dict[str, tuple[float, Order, Settings]] = {}

    def order(self, door: IntakeDoor, draft: TicketDraft) -> Order:
        """For a draft that is allowed. Raises what the repository raises, and ``TicketTooLarge``."""
        place = repository_of(door, draft.place)
        assert place is not None
        work, by = TaskType.BUGFIX, door.person(draft.sender)
        until, order, settings = self._read.get(place, (0.0, None, None))
        if order is None or settings is None or self._clock() >= until:
            # a text of one hyphen would be read from the terminal; not_allowed() has refused what is so short
            order, settings = make_order(draft.text, Path(place), type=work, by=by)
            self._read[place] = (self._clock() + FRESH_S, order, settings)
        else:
            order = another_order(order, settings, draft.text, type=work, by=by)
        ticket = Ticket(text=order.ticket.text, source=door.kind, reference=draft.reference)
        return msgspec.structs.replace(order, ticket=ticket, suspicions=suspicions(draft.text))


def continued(draft: TicketDraft, earlier: list[tuple[str, str]]) -> TicketDraft:
    """With what was said before in the conversation, quoted: it is nobody's order.

    >>> draft = TicketDraft(text="fix it", sender="U1", place="C1", subjects=("a",))
    >>> continued(draft, [("U2", "total() raises")]).text
    'fix it\\n\\nSaid before in the same conversation:\\n> U2: total() raises'
    """
    lines, size = [], 0
    for sender, text in reversed(earlier):
        if clean(text).strip() == draft.text:
            continue
        said = "\n".join(f"> {each}" for each in f"{line(sender, 40)}: {clean(text, EARLIER_EACH)}".splitlines())
        size += len(said)
        if size > EARLIER_ALL:
            lines.append("> (what was said before that is left out)")
            break
        lines.append(said)
    if not lines:
        return draft
    told = "\n".join(reversed(lines))
    return msgspec.structs.replace(draft, text=f"{draft.text}\n\nSaid before in the same conversation:\n{told}")


def not_allowed(door: IntakeDoor, asked: TicketDraft | Command | Remark) -> str:
    """Why nothing is done; empty when the sender may have it."""
    if repository_of(door, asked.place) is None and not (isinstance(asked, Command) and asked.run_id):
        return f"no repository is connected to {asked.place or 'it'}"
    if isinstance(asked, TicketDraft) and asked.check:
        return "" if _fits(asked.check, door.checks) else f"{asked.check} may not give tickets"
    if not _fits(asked.sender, (*door.senders, *door.approvers)):
        return f"{asked.sender or 'the sender'} may not ask for anything"
    if isinstance(asked, Command | Remark):
        return ""
    wanted = {label.casefold() for label in door.labels}
    if not asked.opening and asked.labels and not wanted.intersection(label.casefold() for label in asked.labels):
        return f"the label {asked.labels[0]} does not make a ticket"
    if asked.opening and wanted and not wanted.intersection(label.casefold() for label in asked.labels):
        return f"it bears none of the labels {', '.join(door.labels)}"
    # what was said before may say it
    return EMPTY if empty(asked.text) and not asked.continues else ""


def empty(text: str) -> bool:
    """Whether a text says nothing."""
    return sum(map(str.isalnum, text)) < SHORTEST


def repository_of(door: IntakeDoor, place: str) -> str | None:
    """The path that stands for a place at the door."""
    for name, path in door.repositories.items():
        if name.casefold() == place.casefold():
            return path
    return door.repositories.get(EVERYWHERE)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    # names hold brackets ("renovate[bot]"), which are no pattern here
    return bool(name) and any(
        fnmatchcase(name.casefold(), pattern.casefold().replace("[", "[[]")) for pattern in patterns
    )


def _said(status: str, reason: str) -> Effect:
    return lambda _writing: Receipt(status=status, reason=reason)
