"""Who does what only one process at a time may do for all. Knows nothing of what that is.

>>> # if leases.hold("webhooks", owner, 30.0): ...
"""

import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import leases
from karkhana.storage.upserting import upsert


class LeaseStore:
    """All leases of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def hold(self, name: str, owner: str, seconds: float) -> bool:
        """Take or extend a lease; whether ``owner`` has it now."""
        now = self._clock().timestamp()
        with self._database.writing() as connection:
            taken = upsert(connection, leases).values(name=name, owner=owner, until=now + seconds)
            free = sa.or_(leases.c.owner == owner, leases.c.until <= now)
            taken = taken.on_conflict_do_update(
                index_elements=["name"], set_={"owner": owner, "until": now + seconds}, where=free
            )
            return connection.execute(taken.returning(leases.c.name)).first() is not None

    def release(self, name: str, owner: str) -> None:
        """Give a lease up, if ``owner`` has it."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(leases).where(leases.c.name == name, leases.c.owner == owner))
