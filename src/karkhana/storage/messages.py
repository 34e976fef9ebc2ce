"""Messages to runs, such as a person's approval. They are kept for good: reading one can always be repeated.

Knows nothing of what they say. A run that waits for one is parked (:meth:`RunStore.park`); posting wakes it.
"""

import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.runs import unknown_run
from karkhana.storage.tables import messages, runs


class MessageStore:
    """All messages of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def post(self, run_id: str, topic: str, message: str) -> None:
        """Leave a message for a run, and wake the run if it is parked. Raises ``UnknownRun``."""
        with self._database.writing() as connection:
            self.post_within(connection, run_id, topic, message)

    def hold_within(self, connection: sa.Connection, run_id: str) -> None:
        """Until the end of somebody else's writing transaction nobody else leaves a message. Raises ``UnknownRun``."""
        found = sa.select(runs.c.run_id).where(runs.c.run_id == run_id).with_for_update()
        if connection.execute(found).scalar() is None:
            raise unknown_run(run_id)

    def post_within(self, connection: sa.Connection, run_id: str, topic: str, message: str) -> None:
        """As :meth:`post`, inside of somebody else's writing transaction."""
        self.hold_within(connection, run_id)
        values = {"run_id": run_id, "topic": topic, "message": message, "at": self._clock().timestamp()}
        connection.execute(sa.insert(messages).values(values))
        connection.execute(_wake(run_id))

    def read(self, run_id: str, topic: str, index: int = 0) -> str | None:
        """The message number ``index``, from 0, to the run on ``topic``; ``None`` when it has not come yet."""
        with self._database.reading() as connection:
            return self.read_within(connection, run_id, topic, index)

    def read_within(self, connection: sa.Connection, run_id: str, topic: str, index: int = 0) -> str | None:
        """As :meth:`read`, inside of somebody else's transaction."""
        query = (
            sa.select(messages.c.message)
            .where(messages.c.run_id == run_id, messages.c.topic == topic)
            .order_by(messages.c.ordinal)
            .offset(index)
            .limit(1)
        )
        found: str | None = connection.execute(query).scalar()
        return found

    def wake(self, run_id: str) -> None:
        """If the run is parked, any worker may go on with it at once."""
        with self._database.writing() as connection:
            connection.execute(_wake(run_id))


def _wake(run_id: str) -> sa.Update:
    parked = sa.and_(runs.c.run_id == run_id, runs.c.lease_owner.is_(None), runs.c.finished_at.is_(None))
    return sa.update(runs).where(parked).values(lease_expires_at=0.0)
