"""How long things are kept (``[retention]``), and who sees to it: ``karkhana prune``, and nightly a worker.

Trails, the audit, outcomes and what was learned are never removed. Idempotency keys, sessions and messages of webhooks
go by themselves where they are kept.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.settings import RetentionSettings, Settings
from karkhana.storage.database import Database, open_database
from karkhana.storage.intake_store import IntakeStore
from karkhana.storage.leases import LeaseStore
from karkhana.storage.retention import Pruned, Retention

DAY_S = 86_400.0
LOOK_S = 600.0
"""Seconds between two looks whether it is time."""

_log = structlog.get_logger(__name__)


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be."""

    dry_run: bool
    payloads: Pruned
    deliveries: int
    """Deliveries at doors, and answers that were sent; of a dry run -1: they are not counted."""


def prune(
    database: Database, settings: RetentionSettings, *, dry_run: bool = False, clock: Callable[[], float] = time.time
) -> Removed:
    """Remove what is too old. Raises ``DatabaseUnavailable`` or ``InfrastructureFailure``."""
    now = clock()
    payloads = Pruned(runs=0, blobs=0, bytes=0)
    if settings.payload_days:
        payloads = Retention(database).prune(now - settings.payload_days * DAY_S, dry_run=dry_run)
    before = now - settings.delivery_days * DAY_S
    deliveries = -1 if dry_run else IntakeStore(database).prune(before)
    return Removed(dry_run=dry_run, payloads=payloads, deliveries=deliveries)


@contextmanager
def pruning_nightly(settings: Settings, look_s: float = LOOK_S) -> Iterator[None]:
    """While the block is open, one of all processes that do so prunes once a day."""
    stop = threading.Event()
    thread = threading.Thread(target=_look, args=(settings, look_s, stop), name="retention", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _look(settings: Settings, look_s: float, stop: threading.Event) -> None:
    while not stop.wait(look_s):
        try:
            with open_database(settings.database_url, settings.home) as database:
                # an owner that nobody is again: it is free when a day is over, and not before
                if LeaseStore(database).hold("retention", secrets.token_hex(8), DAY_S):
                    removed = prune(database, settings.retention)
                    _log.info("retention.pruned", blobs=removed.payloads.blobs, deliveries=removed.deliveries)
        except KarkhanaError as error:
            # a database that is away must not end what comes again tomorrow
            _log.warning("retention.failed", code=error.code, message=error.message)
