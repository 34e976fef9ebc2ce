"""Puts a ticket into the queue as it is understood: its type and urgency by its words, where nobody says them."""

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from karkhana.domain.tasks import Order, Task, TaskType
from karkhana.domain.understanding import Understanding
from karkhana.factory.stores import Stores
from karkhana.factory.understanding import Understander
from karkhana.intake.suspicion import suspicions
from karkhana.storage.tasks import product_of


def take(
    stores: Stores,
    order: Order,
    *,
    type: TaskType | None = None,
    urgency: int | None = None,
    labels: Sequence[str] = (),
    ask: bool = True,
    written: Callable[[sa.Connection, Task], None] = lambda _connection, _task: None,
) -> tuple[Task, Understanding]:
    """Add a task for an order, and keep what was understood of its ticket with it, in one transaction.

    ``type`` and ``urgency`` (1-10): as somebody said; else the words decide. ``ask``: whether somebody is there to
    answer a question. ``written`` is called in the transaction, to write down what belongs to it. Raises
    ``InvalidInput`` for a value that cannot be.
    """
    book = Understander(stores)
    product = product_of(order.repository)
    found = book.of(order, product, labels=labels, type=type.value if type else "", urgency=urgency)
    understanding = found.understanding
    order = msgspec.structs.replace(
        order,
        type=TaskType(understanding.type.value),
        asks=ask,
        suspicions=tuple(dict.fromkeys((*order.suspicions, *suspicions(order.ticket.text)))),
    )
    with stores.database.writing() as connection:
        task = stores.tasks.add_within(connection, order, priority=int(understanding.priority.value), product=product)
        book.keep_within(connection, task, found)
        written(connection, task)
    return task, understanding
