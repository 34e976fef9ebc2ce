"""The hot path on PostgreSQL: each append is one statement, so one round trip and one transaction.

Knows nothing of hashing or redaction.
"""

import os
import threading
import time
from typing import Any

import msgspec
import psycopg

from karkhana.storage.appender import TOUCHED_S, Head, Row
from karkhana.storage.database import Database
from karkhana.storage.failures import explained
from karkhana.storage.webhook_feed import FROM_TRAIL, TOLD

_TOLD = FROM_TRAIL.format(at="%(now)s", kind="%(type)s", run_id="%(run_id)s", seq="%(seq)s")
_MOVE = (
    "WITH head AS (UPDATE runs SET trail_seq=%(seq)s, trail_hash=%(hash)s WHERE run_id=%(run_id)s"
    " AND trail_seq=%(seq)s-1 AND trail_hash=%(previous_hash)s"
    " AND lease_epoch=coalesce(%(epoch)s::int, lease_epoch) RETURNING run_id)"
)
_INSERT = (
    " INSERT INTO events (run_id, seq, at, type, payload, previous_hash, hash)"
    " SELECT run_id, %(seq)s, %(at)s, %(type)s, %(payload)s, %(previous_hash)s, %(hash)s FROM head"
    " RETURNING seq"
)
_QUIETLY = _MOVE + _INSERT
_TELLING = f"{_MOVE}, told AS ({_TOLD} AND EXISTS (SELECT 1 FROM head)){_INSERT}"  # noqa: S608 - constants only


class PostgresAppender:
    """Appends to PostgreSQL."""

    def __init__(self, database: Database) -> None:
        address = database.engine.url.set(drivername="postgresql")
        self._address = address.render_as_string(hide_password=False)
        self._where = database.where
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._process = 0

    def append(self, row: Row, epoch: int | None) -> bool:
        values = {**msgspec.structs.asdict(row), "epoch": epoch, "now": time.time()}
        stored = self._execute(_TELLING if row.type in TOLD else _QUIETLY, values)
        return stored is not None

    def head(self, run_id: str) -> Head | None:
        query = "SELECT lease_epoch, trail_seq, trail_hash FROM runs WHERE run_id=%(run_id)s"
        found = self._execute(query, {"run_id": run_id})
        return Head(*found) if found else None

    def keep(self, sha256: str, size: int, redacted: bool, data: bytes, at: float) -> None:
        self._execute(
            "INSERT INTO blobs (sha256, size, redacted, data, kept_at)"
            " VALUES (%(sha256)s,%(size)s,%(redacted)s,%(data)s,%(at)s)"
            " ON CONFLICT (sha256) DO UPDATE SET redacted=blobs.redacted OR excluded.redacted, pruned_at=NULL,"
            " data=CASE WHEN blobs.pruned_at IS NULL THEN blobs.data ELSE excluded.data END, kept_at=excluded.kept_at"
            " WHERE (excluded.redacted AND NOT blobs.redacted) OR blobs.pruned_at IS NOT NULL"
            " OR blobs.kept_at IS NULL OR blobs.kept_at < excluded.kept_at - %(touched)s RETURNING size",
            {"sha256": sha256, "size": size, "redacted": redacted, "data": data, "at": at, "touched": TOUCHED_S},
        )

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _execute(self, query: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        with self._lock, explained(self._where):
            for last in (False, True):
                connection = self._connected()
                try:
                    return connection.execute(query, values).fetchone()
                except psycopg.OperationalError:
                    # a server that was restarted is worth one new connection; appending twice is impossible,
                    # since the second one no longer follows the head
                    if last or not connection.broken:
                        raise
        raise AssertionError("unreachable")

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.broken or self._process != os.getpid():
            self._connection = psycopg.connect(self._address, autocommit=True, connect_timeout=10)
            self._process = os.getpid()
        return self._connection
