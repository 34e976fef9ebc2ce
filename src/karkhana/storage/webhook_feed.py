"""What happened and is to be told to webhooks: written in the transaction in which it happens, or not at all.

Nothing is written while no webhook is active, so that nothing piles up for nobody. Knows nothing of messages.
"""

import time

import sqlalchemy as sa

from karkhana.storage.tables import webhook_feed, webhooks

TOLD = frozenset(
    {
        "decision.made",
        "approval.requested",
        "approval.given",
        "approval.expired",
        "delivery.announced",
        "change.delivered",
        "work.paused",
        "work.resumed",
    }
)
"""Events of trails; the statuses of tasks come besides."""
FROM_TRAIL = (
    "INSERT INTO webhook_feed (at, kind, task_id, run_id, seq, status)"
    " SELECT {at}, {kind}, '', {run_id}, {seq}, '' WHERE EXISTS (SELECT 1 FROM webhooks WHERE active)"
)
"""For those who append to a trail with ready-made statements."""

_HEARD = sa.exists().where(webhooks.c.active)
_COLUMNS = ("at", "kind", "task_id", "run_id", "seq", "status")


def tell_status(connection: sa.Connection, task_id: str, status: str, *, kind: str = "task.status") -> None:
    """A task has another status, or is new (``task.created``)."""
    values = sa.select(*map(sa.literal, (time.time(), kind, task_id, "", 0, status)))
    connection.execute(sa.insert(webhook_feed).from_select(_COLUMNS, values.where(_HEARD)))
