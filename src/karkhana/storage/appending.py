"""Chooses the hot path on which events and blobs are appended.

It goes around SQLAlchemy, one round trip through which costs more than the whole budget of an append.
"""

from karkhana.storage.appender import Appender
from karkhana.storage.appending_sqlite import SqliteAppender
from karkhana.storage.database import Database


def appender(database: Database) -> Appender:
    """The appender for this kind of database."""
    if database.kind == "sqlite":
        return SqliteAppender(database)
    # the driver takes 0.1 s to import, which only its users pay
    from karkhana.storage.appending_postgres import PostgresAppender

    return PostgresAppender(database)
