"""``INSERT … ON CONFLICT`` in the words of the database at hand. Knows nothing of tables."""

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def upsert(connection: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    """An ``INSERT`` into ``table`` that may say what is done with a row that is there."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    # 0.15 s and 3 MiB, which only its users pay
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
