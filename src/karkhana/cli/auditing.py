"""Writes into the audit what somebody at the terminal did, in the transaction that does it, or why it was refused.

Knows nothing of what is done::

    with open_stores() as stores, audited(stores, "task.cancel", task_id, product=product) as done:
        with stores.database.writing() as connection:
            stores.tasks.cancel_within(connection, task_id)
            done(connection)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from karkhana.cli.account import at_terminal
from karkhana.domain.errors import KarkhanaError, LeftToWorker
from karkhana.factory.stores import Stores


@contextmanager
def audited(
    stores: Stores, action: str, target: str, *, product: str, **details: object
) -> Iterator[Callable[[sa.Connection], None]]:
    """Gives what writes down that it is done; what fails instead is written down as refused, with the reason."""
    told = {"action": action, "target": target, "product": product}

    def done(connection: sa.Connection) -> None:
        stores.audit.record_within(connection, at_terminal(), **told, details=details)

    try:
        yield done
    except LeftToWorker:
        # it was done
        raise
    except KarkhanaError as error:
        why = {**details, "why": error.message}
        stores.audit.record(at_terminal(), **told, outcome="refused", details=why)
        raise
