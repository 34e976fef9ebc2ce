"""How levels of autonomy changed, and who said so: rows are added and never altered. Knows nothing of why they change.

A change is written only if it follows from the newest one, so that two workers that see the same outcome write it once;
an alarm, which may leave the level as it is, once for each run.
"""

from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from karkhana.domain.autonomy import Cause, LevelChange
from karkhana.storage.database import Database
from karkhana.storage.tables import autonomy_changes

_TABLE = autonomy_changes.c


def _as_it_is(text: str) -> str:
    return text


class AutonomyStore:
    """The whole history of a database; with ``redact`` no secret in a text is stored."""

    def __init__(self, database: Database, redact: Callable[[str], str] = _as_it_is) -> None:
        self._database = database
        self._redact = redact

    def history(self, repository: str | None = None, task_type: str | None = None) -> list[LevelChange]:
        """The oldest first."""
        query = sa.select(autonomy_changes).order_by(_TABLE.ordinal)
        if repository is not None:
            query = query.where(_TABLE.repository == repository)
        if task_type is not None:
            query = query.where(_TABLE.task_type == task_type)
        with self._database.reading() as connection:
            return [_change(row) for row in connection.execute(query)]

    def add(self, change: LevelChange) -> bool:
        """Write a change down; not one by the factory that leads to the level that the newest row has already, unless
        it is the alarm."""
        values = {name: getattr(change, name) for name in LevelChange.__struct_fields__}
        values |= {"level": change.level.value, "previous": change.previous.value, "cause": change.cause.value}
        values |= {"because": self._redact(change.because), "by": self._redact(change.by)}
        with self._database.writing() as connection:
            if change.cause is not Cause.PERSON and self._told(self._newest(connection, change), change):
                return False
            connection.execute(sa.insert(autonomy_changes).values(values))
            return True

    @staticmethod
    def _told(newest: tuple[str, str, str] | None, change: LevelChange) -> bool:
        if newest is None or newest[0] != change.level.value:
            return False
        return change.cause is not Cause.DRIFT or newest[1:] == (change.cause.value, change.run_id)

    @staticmethod
    def _newest(connection: sa.Connection, change: LevelChange) -> tuple[str, str, str] | None:
        if connection.dialect.name == "postgresql":
            # Two workers would both read the row before either has written; SQLite lets only one of them begin.
            connection.execute(sa.text("LOCK TABLE autonomy_changes IN SHARE ROW EXCLUSIVE MODE"))
        query = (
            sa.select(_TABLE.level, _TABLE.cause, _TABLE.run_id)
            .where(_TABLE.repository == change.repository, _TABLE.task_type == change.task_type)
            .order_by(_TABLE.ordinal.desc())
            .limit(1)
        )
        row = connection.execute(query).first()
        return None if row is None else (row.level, row.cause, row.run_id)


def _change(row: sa.Row[tuple[object, ...]]) -> LevelChange:
    values = {name: getattr(row, name) for name in LevelChange.__struct_fields__}
    return msgspec.convert(values, LevelChange)
