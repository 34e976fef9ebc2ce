"""Where events and blobs are appended, whatever the database. Knows nothing of databases, hashing or redaction."""

from typing import Protocol

import msgspec

TOUCHED_S = 3600.0
"""Seconds after which it is noted again that a blob which is there was kept."""


class Row(msgspec.Struct, frozen=True):
    """One event as it is stored."""

    run_id: str
    seq: int
    at: str
    type: str
    payload: str
    previous_hash: str
    hash: str


class Head(msgspec.Struct, frozen=True):
    """The end of a run's trail, and the epoch of its lease."""

    epoch: int
    seq: int
    hash: str


class Appender(Protocol):
    """Thread-safe; each call is one durable transaction."""

    def append(self, row: Row, epoch: int | None) -> bool:
        """Store the event if it follows the head of its run and ``epoch`` holds; whether it was stored."""

    def head(self, run_id: str) -> Head | None:
        """The newest committed head, ``None`` for an unknown run."""

    def keep(self, sha256: str, size: int, redacted: bool, data: bytes, at: float) -> None:
        """Store a blob unless it is there, and note that it was kept ``at`` (seconds since the epoch).

        ``redacted`` sticks.
        """

    def close(self) -> None: ...
