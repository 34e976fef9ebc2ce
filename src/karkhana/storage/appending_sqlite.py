"""The hot path on SQLite: one connection of the driver with ready-made statements.

Knows nothing of hashing or redaction.
"""

import os
import sqlite3
import threading
import time

from karkhana.storage.appender import TOUCHED_S, Head, Row
from karkhana.storage.database import Database, connect_sqlite
from karkhana.storage.failures import explained, explanation
from karkhana.storage.webhook_feed import FROM_TRAIL, TOLD

_MOVE = (
    "UPDATE runs SET trail_seq=?, trail_hash=? WHERE run_id=? AND trail_seq=? AND trail_hash=?"
    " AND lease_epoch=coalesce(?, lease_epoch)"
)
_INSERT = "INSERT INTO events (run_id, seq, at, type, payload, previous_hash, hash) VALUES (?,?,?,?,?,?,?)"
_TELL = FROM_TRAIL.format(at="?", kind="?", run_id="?", seq="?")


class SqliteAppender:
    """Appends to an SQLite file."""

    def __init__(self, database: Database) -> None:
        self._path = str(database.engine.url.database)
        self._where = database.where
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def _connected(self) -> sqlite3.Connection:
        # a connection must not be used on the other side of a fork
        if self._connection is None or self._process != os.getpid():
            self._connection, self._process = connect_sqlite(self._path), os.getpid()
            # the only foreign key is that of an event to its run, whose row has been written just before
            self._connection.execute("PRAGMA foreign_keys=OFF")
        return self._connection

    def append(self, row: Row, epoch: int | None) -> bool:
        # no context managers here: four of them cost as much as the writing
        connection = None
        with self._lock:
            try:
                connection = self._connected()
                execute = connection.execute
                execute("BEGIN IMMEDIATE")
                head = (row.seq, row.hash, row.run_id, row.seq - 1, row.previous_hash, epoch)
                follows = execute(_MOVE, head).rowcount == 1
                if follows:
                    execute(_INSERT, (row.run_id, row.seq, row.at, row.type, row.payload, row.previous_hash, row.hash))
                    if row.type in TOLD:
                        execute(_TELL, (time.time(), row.type, row.run_id, row.seq))
                execute("COMMIT")
            except BaseException as error:
                # a full disk may have ended the transaction already
                if connection is not None and connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise explanation(error, self._where) from error
                raise
        return follows

    def head(self, run_id: str) -> Head | None:
        query = "SELECT lease_epoch, trail_seq, trail_hash FROM runs WHERE run_id=?"
        with self._lock, explained(self._where):
            found = self._connected().execute(query, (run_id,)).fetchone()
        return found and Head(*found)

    def keep(self, sha256: str, size: int, redacted: bool, data: bytes, at: float) -> None:
        with self._lock, explained(self._where):
            self._connected().execute(
                "INSERT INTO blobs (sha256, size, redacted, data, kept_at) VALUES (?,?,?,?,?) ON CONFLICT (sha256)"
                " DO UPDATE SET redacted=blobs.redacted OR excluded.redacted, pruned_at=NULL,"
                " data=CASE WHEN blobs.pruned_at IS NULL THEN blobs.data ELSE excluded.data END,"
                " kept_at=excluded.kept_at"
                " WHERE (excluded.redacted AND NOT blobs.redacted) OR blobs.pruned_at IS NOT NULL"
                " OR blobs.kept_at IS NULL OR blobs.kept_at < excluded.kept_at - ?",
                (sha256, size, redacted, data, at, TOUCHED_S),
            )

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None
