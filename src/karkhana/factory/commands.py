"""Commands that came in by a door: approve, reject, retry, cancel, status. Each acts as its namesake on the terminal.

Knows nothing of payloads. An approval names the beginning of the hash of the change that was looked at, so that it
never holds for another one; it is left for the run, and a worker carries it out. What is needed to know is read first,
then all is written in the delivery's own transaction.
"""

import re
from collections.abc import Callable

import msgspec

from karkhana.domain.access import Role
from karkhana.domain.errors import InvalidInput, UsageError
from karkhana.domain.settings import IntakeDoor
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.approvals import answer_message, leave_within, requested
from karkhana.factory.doors import principal_of
from karkhana.factory.replies import answer_within, carried_over, waiting_question
from karkhana.factory.stores import Stores
from karkhana.git import Repository
from karkhana.intake.answers.message import Message, packed
from karkhana.intake.deliveries import Command, Verb
from karkhana.intake.suspicion import suspicions
from karkhana.storage.intake_store import IntakeStore, Receipt, Writing
from karkhana.storage.outbox import Saying

DIGITS = 8
"""Of a change's hash that an approval has to name."""
HELP = "Commands: /karkhana work, status, answer TEXT, retry, cancel, approve HASH, reject HASH REASON."

DECIDING = frozenset({Verb.APPROVE, Verb.REJECT})
ASKING = frozenset({Verb.STATUS, Verb.HELP})
"""What changes nothing."""

Done = tuple[str, str]
"""The task that it is about from now on, and what is said of it."""


def carried_out(
    stores: Stores, store: IntakeStore, name: str, door: IntakeDoor, command: Command
) -> Callable[[Writing], Receipt]:
    """What is to be written for a command of somebody who may ask; and who may approve is seen to here."""
    spoken = _Spoken(stores, name, door, command)
    task_id = _task(stores, store, name, command)
    if task_id is None:
        return spoken.refused("", "There is no ticket here.")
    if not _same_place(store, task_id, name, door, command):
        return spoken.refused("", "The ticket belongs elsewhere.")
    prepare = {
        Verb.APPROVE: _decision,
        Verb.REJECT: _decision,
        Verb.RETRY: _retry,
        Verb.CANCEL: _cancel,
        Verb.ANSWER: _answer,
        Verb.STATUS: _status,
        Verb.HELP: _help,
    }[command.verb]
    try:
        act = prepare(stores, store, door, command, task_id)
    except UsageError as error:
        return spoken.refused(task_id, _words(error))
    return spoken.done(task_id, act)


class _Spoken:
    """A command: what is written down and said of it, whatever becomes of it."""

    def __init__(self, stores: Stores, name: str, door: IntakeDoor, command: Command) -> None:
        self._stores = stores
        self._name = name
        self._door = door
        self._command = command

    def done(self, task_id: str, act: Callable[[Writing], Done]) -> Callable[[Writing], Receipt]:
        """It is carried out."""
        command = self._command

        def write(writing: Writing) -> Receipt:
            writing.take(command.sender.casefold(), self._door.per_minute)
            try:
                about, said = act(writing)
            except InvalidInput as error:
                # somebody was faster; nothing was written
                return self._refuse(writing, task_id, f"{error.message.rstrip('.')}.")
            self._record(writing, task_id, "done", said)
            # the message with the buttons says by whom they were pressed, and has none any more
            respond = command.respond if command.verb in DECIDING else ""
            self._say(writing, about, Message(text=said, task_id=about, seen=not respond, respond=respond))
            return Receipt(status="done", task_id=about, reason=said)

        return write

    def refused(self, task_id: str, reason: str) -> Callable[[Writing], Receipt]:
        """It is not; who gave it is told, alone where that can be."""
        command = self._command

        def write(writing: Writing) -> Receipt:
            writing.take(command.sender.casefold(), self._door.per_minute)
            return self._refuse(writing, task_id, reason)

        return write

    def _refuse(self, writing: Writing, task_id: str, reason: str) -> Receipt:
        command = self._command
        self._record(writing, task_id, "refused", reason)
        told = Message(text=reason, task_id=task_id, to=command.sender, respond=command.respond)
        self._say(writing, task_id, told)
        return Receipt(status="ignored", task_id=task_id, reason=reason)

    def _say(self, writing: Writing, task_id: str, message: Message) -> None:
        writing.answer(self._command.address, task_id, Saying(text=message.text, content=packed(message)))

    def _record(self, writing: Writing, task_id: str, outcome: str, reason: str) -> None:
        command = self._command
        if command.verb in ASKING and outcome == "done":
            return
        told = {"door": self._name, "sender": command.sender, "place": command.place, "words": command.words}
        self._stores.audit.record_within(
            writing.connection,
            principal_of(self._door, command.sender),
            action=f"task.{command.verb}",
            target=command.run_id or task_id,
            product=self._stores.tasks.get(task_id).product if task_id else "",
            outcome=outcome,
            details={**told, "said": reason},
        )


def _task(stores: Stores, store: IntakeStore, name: str, command: Command) -> str | None:
    if not command.run_id:
        return store.task_of(name, command.subject)
    try:
        return stores.runs.get(command.run_id).task_id
    except UsageError:
        return None


def _same_place(store: IntakeStore, task_id: str, name: str, door: IntakeDoor, command: Command) -> bool:
    """Whether a ticket that is named by its run came in at this door and for this place: a name is easily guessed."""
    row = store.ticket(task_id)
    return not command.run_id or (row is not None and row.door == name and row.place == command.place)


def _decision(
    stores: Stores, _store: IntakeStore, door: IntakeDoor, command: Command, task_id: str
) -> Callable[[Writing], Done]:
    if not principal_of(door, command.sender).may(Role.APPROVER, stores.tasks.get(task_id).product):
        raise InvalidInput(f"{command.sender} may not decide here.", "Ask whoever runs the factory.")
    runs = stores.runs.list(task_id=task_id)
    waiting = [run.run_id for run in runs if run.status is Status.WAITING_FOR_REVIEW]
    if not waiting or (command.run_id and command.run_id not in waiting):
        raise InvalidInput(f"{task_id} waits for nobody.")
    run_id = command.run_id or waiting[0]
    hash_, _, comment = command.words.strip().partition(" ")
    _, digest = requested(stores, run_id)
    if not re.fullmatch(rf"[0-9a-fA-F]{{{DIGITS},64}}", hash_):
        raise InvalidInput(f"Name the change that you looked at: /karkhana {command.verb} HASH.")
    if not digest.startswith(hash_.lower()):
        raise InvalidInput(f"{task_id} waits with another change.", "Look at it again before you decide.")
    approved = command.verb is Verb.APPROVE
    by = door.person(command.sender)
    word = answer_message(stores, run_id, approved=approved, comment=comment.strip(), by=by, seen=digest)

    def act(writing: Writing) -> Done:
        leave_within(stores, writing.connection, run_id, word)
        return task_id, f"{by} {'approved' if approved else 'rejected'} {digest[:12]} of {task_id}."

    return act


def _retry(
    stores: Stores, store: IntakeStore, door: IntakeDoor, command: Command, task_id: str
) -> Callable[[Writing], Done]:
    task = stores.tasks.get(task_id)
    status = task.status
    if not status.finished or status.satisfied:
        raise InvalidInput(f"{task_id} is {status.value.replace('_', ' ')}: there is nothing to do again.")
    old = carried_over(stores, task_id, stores.tasks.order(task_id))
    row = store.ticket(task_id)
    text = f"{old.ticket.text}\n\n{command.words}" if command.words else old.ticket.text
    if len(text.encode()) > stores.settings.ticket_max_bytes:
        raise InvalidInput("With these words the ticket is too long.", "Retry without them, or open another one.")
    ticket = Ticket(text=text, source=old.ticket.source, reference=old.ticket.reference)
    head = Repository.open(old.repository).head()
    suspected = tuple(dict.fromkeys((*old.suspicions, *suspicions(text))))
    order: Order = msgspec.structs.replace(
        old, ticket=ticket, commit=head, by=door.person(command.sender), suspicions=suspected, rewind=None
    )

    def act(writing: Writing) -> Done:
        writing.alone()
        if writing.task_of(command.subject) != task_id:
            return task_id, f"{task_id} is done again already."
        again = stores.tasks.add_within(
            writing.connection, order, priority=task.priority, generated_by=door.kind, product=task.product
        )
        writing.rebind(task_id, again.task_id)
        if row is not None:
            again_row = msgspec.structs.replace(row, sender=command.sender, suspicions=suspected)
            writing.came(again.task_id, again_row)
        return again.task_id, f"{again.task_id} is in the queue, in place of {task_id}."

    return act


def _cancel(
    stores: Stores, _store: IntakeStore, _door: IntakeDoor, command: Command, task_id: str
) -> Callable[[Writing], Done]:
    status = stores.tasks.get(task_id).status
    if status.finished:
        raise InvalidInput(f"{task_id} has ended already ({status.value.replace('_', ' ')}).")

    def act(writing: Writing) -> Done:
        stores.tasks.cancel_within(writing.connection, task_id)
        return task_id, f"{command.sender} cancelled {task_id}."

    return act


def _answer(
    stores: Stores, _store: IntakeStore, door: IntakeDoor, command: Command, task_id: str
) -> Callable[[Writing], Done]:
    if waiting_question(stores, task_id) is None:
        raise InvalidInput(f"{task_id} asks nothing.")

    def act(writing: Writing) -> Done:
        answer_within(stores, writing.connection, task_id, command.words, by=door.person(command.sender))
        return task_id, f"{task_id} goes on with this answer."

    return act


def _status(
    stores: Stores, _store: IntakeStore, _door: IntakeDoor, _command: Command, task_id: str
) -> Callable[[Writing], Done]:
    said = f"{task_id} is {stores.tasks.get(task_id).status.value.replace('_', ' ')}."
    return lambda _writing: (task_id, said)


def _help(
    _stores: Stores, _store: IntakeStore, _door: IntakeDoor, _command: Command, task_id: str
) -> Callable[[Writing], Done]:
    return lambda _writing: (task_id, HELP)


def _words(error: UsageError) -> str:
    return " ".join(part for part in (error.message, error.next) if part)
