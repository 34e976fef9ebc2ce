"""What a database holds, in a few numbers: for the manifest of a backup, and to compare what was restored.

Reads any schema since the first one. Knows nothing of what the rows mean.
"""

import msgspec
import sqlalchemy as sa

from karkhana.storage.tables import blobs, events, runs, tasks


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by table, and the schema that they are in."""

    schema: str
    """Number of the newest migration; empty: no Karkhana database."""
    tasks: int = 0
    runs: int = 0
    events: int = 0
    blobs: int = 0


def contents(connection: sa.Connection) -> Contents:
    """Count, without bringing the database to today's schema."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return Contents(schema="")
    schema = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    counted = {
        table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in (tasks, runs, events, blobs)
    }
    return Contents(schema=str(schema or ""), **counted)
