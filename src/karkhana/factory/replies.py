"""What people say to what was understood of a ticket: answers to its question, duplicates, acceptance criteria.

Each raises what the user can correct, and changes nothing then. All is written in a transaction of whoever asks, with
its entry in the audit. Knows nothing of doors and pages.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Order, Status
from karkhana.domain.understanding import Criterion, Question, QuestionState, Suggestion, Understanding
from karkhana.factory.records import REPLY, REPLY_MAX, Reply
from karkhana.factory.stores import Stores
from karkhana.factory.understanding import Understander, criteria_told, shown, understood
from karkhana.intake.suspicion import suspicions
from karkhana.storage.understanding_store import UnderstandingStore

CRITERION_MAX = 500
CRITERIA_MAX = 30


def waiting_question(stores: Stores, task_id: str) -> Question | None:
    """The question that a task waits for an answer to; ``None`` when it waits for none."""
    kept = UnderstandingStore(stores.database).get(task_id)
    if kept is None or kept.question is None:
        return None
    with stores.database.reading() as connection:
        return None if _closed(stores, connection, kept.question) else kept.question


def _closed(stores: Stores, connection: sa.Connection, question: Question) -> str:
    """Why no answer to a question counts any more; empty: one does."""
    reply = stores.messages.read_within(connection, question.run_id, REPLY)
    if reply is not None:
        return f"was answered already, by {msgspec.json.decode(reply, type=Reply).by}"
    if question.state is QuestionState.EXPIRED or question.until <= time.time():
        return "was not answered in time"
    run = stores.runs.get_within(connection, question.run_id)
    return "asks nothing any more" if run.status.finished else ""


def answer_within(stores: Stores, connection: sa.Connection, task_id: str, text: str, *, by: str) -> Question:
    """Leave a reply for the run that waits, inside of somebody else's writing transaction; a worker goes on with it.

    Of two answers the first one counts. Raises ``UnknownTask`` or ``InvalidInput``.
    """
    # of two at the same time the second one waits here for the end of the first one's transaction
    kept = UnderstandingStore(stores.database).hold_within(connection, task_id)
    asked = kept.question if kept is not None else None
    if asked is None:
        stores.tasks.get(task_id)
    closed = "asks nothing" if asked is None else _closed(stores, connection, asked)
    if asked is None or closed:
        raise InvalidInput(f"{task_id} {closed}", f"See what is known of it: karkhana tickets show {task_id}")
    if not text.strip():
        raise InvalidInput("the answer is empty", asked.text)
    if len(text) > REPLY_MAX:
        raise InvalidInput(f"the answer has more than {REPLY_MAX} characters", "Say only what was asked for.")
    reply = Reply(text=stores.redactor.text(text.strip()), by=by)
    stores.messages.post_within(connection, asked.run_id, REPLY, canonical(reply).decode())
    return asked


def carried_over(stores: Stores, task_id: str, order: Order) -> Order:
    """The order for doing a task once more: with what people said to it, and asking nothing a second time."""
    kept = UnderstandingStore(stores.database).get(task_id)
    told = criteria_told(kept) if kept is not None else ""
    if kept is None or not (kept.question or told):
        return order
    replied = kept.question.reply if kept.question is not None else ""
    text = "\n\n".join(filter(None, (order.ticket.text, replied, told)))
    ticket = msgspec.structs.replace(order.ticket, text=text)
    suspected = tuple(dict.fromkeys((*order.suspicions, *suspicions(text))))
    return msgspec.structs.replace(
        order, ticket=ticket, suspicions=suspected, asks=order.asks and kept.question is None
    )


Change: TypeAlias = Callable[[sa.Connection], Understanding]
"""Writes it, inside of a writing transaction, and gives what is understood from then on."""


def confirm_duplicate(stores: Stores, task_id: str, of: str, *, by: str) -> Change:
    """What writes down that a person finds two tickets to ask for the same. Nothing is closed.

    Raises ``UnknownTask``, or ``InvalidInput`` for a ticket and itself, or tickets of two products.
    """
    task, other = stores.tasks.get(task_id), stores.tasks.get(of)
    if task_id == of:
        raise InvalidInput(f"{task_id} is itself", "Name the other ticket.")
    if task.product != other.product:
        raise InvalidInput(f"{of} belongs to another product", "Only tickets of one product can ask for the same.")

    def linked(before: Understanding) -> Understanding:
        said = {each.task_id: each for each in before.duplicates}
        known = said.get(of, Suggestion(task_id=of, title=other.title, likeness=1.0, because=("a person says so",)))
        said[of] = msgspec.structs.replace(known, by=by)
        return msgspec.structs.replace(before, duplicates=tuple(said.values()))

    return _changed(stores, task_id, linked)


def change_criteria(
    stores: Stores, task_id: str, *, add: Sequence[str] = (), remove: Sequence[int] = (), by: str
) -> Change:
    """What adds criteria, and removes some by their numbers (from 1); they hold from the task's next run on.

    Raises ``UnknownTask`` or ``InvalidInput``, and the latter also when it writes.
    """
    task = stores.tasks.get(task_id)
    if task.status is not Status.QUEUED and waiting_question(stores, task_id) is None:
        raise InvalidInput(
            f"{task_id} is {task.status.value.replace('_', ' ')}: its criteria are fixed",
            "Put the ticket in again with other criteria.",
        )
    for text in add:
        if not text.strip() or len(text) > CRITERION_MAX or "\n" in text:
            raise InvalidInput(f"a criterion is one line of 1 to {CRITERION_MAX} characters", "Say it in a sentence.")
    proposed = shown(stores, task_id).criteria

    def changed(before: Understanding) -> Understanding:
        kept = list(before.criteria or proposed)
        for number in sorted(set(remove), reverse=True):
            if not 1 <= number <= len(kept):
                raise InvalidInput(f"there is no criterion {number}", f"There are {len(kept)}.")
            del kept[number - 1]
        kept += [Criterion(text=stores.redactor.text(text.strip()), by=by or "somebody") for text in add]
        if len(kept) > CRITERIA_MAX:
            raise InvalidInput(f"more than {CRITERIA_MAX} criteria", "Make several tickets of it.")
        return msgspec.structs.replace(before, criteria=tuple(kept))

    return _changed(stores, task_id, changed)


def _changed(stores: Stores, task_id: str, change: Callable[[Understanding], Understanding]) -> Change:
    task, order = stores.tasks.get(task_id), stores.tasks.order(task_id)
    found = understood(
        order.ticket.text,
        type=order.type.value,
        urgency=task.priority,
        product=task.product,
        repository=order.repository,
    )
    book = Understander(stores)
    return lambda connection: book.renew(task_id, task.product, found, change, connection)
