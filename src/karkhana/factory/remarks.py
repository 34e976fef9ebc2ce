"""What is said where a ticket came from without a command: the answer to its question, or nothing that is wanted.

Knows no service. Whoever may give tickets may answer; the first answer counts. What is said where no question waits is
let go.
"""

from collections.abc import Callable, Sequence

from karkhana.domain.errors import InvalidInput
from karkhana.domain.settings import IntakeDoor
from karkhana.factory.doors import principal_of
from karkhana.factory.replies import answer_within, waiting_question
from karkhana.factory.stores import Stores
from karkhana.storage.intake_store import IntakeStore, Receipt, Writing
from karkhana.storage.outbox import Saying

THANKS = "{task_id} goes on with this answer."


def reply(
    stores: Stores,
    store: IntakeStore,
    name: str,
    door: IntakeDoor,
    *,
    subjects: Sequence[str],
    sender: str,
    text: str,
    address: str,
) -> Callable[[Writing], Receipt] | None:
    """What is to be written for an answer; ``None`` when nothing about these subjects waits for one."""
    task_id = next((found for subject in subjects if (found := store.task_of(name, subject)) is not None), None)
    if task_id is None or waiting_question(stores, task_id) is None:
        return None
    if text.strip() == stores.tasks.order(task_id).ticket.text.strip():
        # the ticket itself once more, as with a new label
        return None
    principal = principal_of(door, sender)

    def write(writing: Writing) -> Receipt:
        writing.take(sender.casefold(), door.per_minute)
        writing.bind(subjects, task_id)
        try:
            answer_within(stores, writing.connection, task_id, text, by=door.person(sender))
        except InvalidInput as error:
            # it was taken for the answer, and is not: somebody was faster, or it cannot be one
            writing.answer(address, task_id, Saying(text=f"{error.message[:1].upper()}{error.message[1:]}."))
            return Receipt(status="ignored", task_id=task_id, reason=error.message)
        said = THANKS.format(task_id=task_id)
        writing.answer(address, task_id, Saying(text=said, slot="answered"))
        product = stores.tasks.get(task_id).product
        stores.audit.record_within(
            writing.connection,
            principal,
            action="ticket.answer",
            target=task_id,
            product=product,
            details={"door": name, "sender": sender},
        )
        return Receipt(status="done", task_id=task_id, reason=said)

    return write
