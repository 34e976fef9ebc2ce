"""The hot path on SQLite: one connection of the driver with ready-made statements.

Knows nothing of hashing or redaction.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator

from karkhana.storage.appender import Head, Row
from karkhana.storage.database import Database, connect_sqlite
from karkhana.storage.failures import explained


class SqliteAppender:
    """Appends to an SQLite file."""

    def __init__(self, database: Database) -> None:
        self._path = str(database.engine.url.database)
        self._where = database.where
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self._where):
            # a connection must not be used on the other side of a fork
            if self._connection is None or self._process != os.getpid():
                self._connection, self._process = connect_sqlite(self._path), os.getpid()
            yield self._connection

    def append(self, row: Row, epoch: int | None) -> bool:
        with self._using() as connection, _immediate(connection):
            moved = connection.execute(
                "UPDATE runs SET trail_seq=?, trail_hash=? WHERE run_id=? AND trail_seq=? AND trail_hash=?"
                " AND lease_epoch=coalesce(?, lease_epoch)",
                (row.seq, row.hash, row.run_id, row.seq - 1, row.previous_hash, epoch),
            )
            if moved.rowcount != 1:
                return False
            connection.execute(
                "INSERT INTO events (run_id, seq, at, type, payload, previous_hash, hash) VALUES (?,?,?,?,?,?,?)",
                (row.run_id, row.seq, row.at, row.type, row.payload, row.previous_hash, row.hash),
            )
            return True

    def head(self, run_id: str) -> Head | None:
        query = "SELECT lease_epoch, trail_seq, trail_hash FROM runs WHERE run_id=?"
        with self._using() as connection:
            found = connection.execute(query, (run_id,)).fetchone()
        return found and Head(*found)

    def keep(self, sha256: str, size: int, redacted: bool, data: bytes) -> None:
        with self._using() as connection:
            connection.execute(
                "INSERT INTO blobs (sha256, size, redacted, data) VALUES (?,?,?,?) ON CONFLICT (sha256)"
                " DO UPDATE SET redacted=true WHERE excluded.redacted AND NOT blobs.redacted",
                (sha256, size, redacted, data),
            )

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None


@contextlib.contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk may have ended the transaction already
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
