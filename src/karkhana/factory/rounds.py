"""What the doors need done again and again: mail is read, and what became of tickets is queued as answers.

Knows no network: answers lie in the outbox (:class:`~karkhana.storage.outbox.Outbox`) until they are sent
(:mod:`karkhana.factory.answering`).
"""

import time
from collections.abc import Callable

import structlog

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.settings import IntakeDoor
from karkhana.domain.tasks import Status
from karkhana.factory.admission import Desk
from karkhana.factory.stores import Stores
from karkhana.factory.telling import Telling
from karkhana.intake.deliveries import Delivery, Refused
from karkhana.intake.door import received
from karkhana.intake.kinds import door_for
from karkhana.intake.mail import read_once, waiting
from karkhana.storage.intake_store import Flood, TicketRow
from karkhana.storage.outbox import Saying

EVERY_S = 2.0
"""Seconds between two rounds."""
AT_ONCE = 100
"""Messages of one door in a round."""

_log = structlog.get_logger(__name__)


class Rounds:
    """Of one process; several may go at once, as deliveries and answers are theirs once only."""

    def __init__(self, stores: Stores, desk: Desk, clock: Callable[[], float] = time.time) -> None:
        self._stores = stores
        self._desk = desk
        self._clock = clock
        self._telling = Telling(stores)
        self._mail = {name: door for name, door in stores.settings.intake.items() if door.kind == "mail"}

    @property
    def needed(self) -> bool:
        """Whether there is any door at all."""
        return bool(self._stores.settings.intake)

    def go(self) -> int:
        """One round; how many messages were read."""
        read = sum(self._read_or_tell(name, door) for name, door in self._mail.items())
        self._desk.store.tell_changes(self._sayings)
        return read

    def _read_or_tell(self, name: str, door: IntakeDoor) -> int:
        try:
            return self._read(name, door)
        except OSError as error:
            # a folder that cannot be read or written must not keep the other doors from being looked after
            _log.error("maildir.failed", door=name, message=str(error))
            return 0

    def _read(self, name: str, door: IntakeDoor) -> int:
        assert door.maildir is not None
        read = 0
        for path, content in waiting(door.maildir, door.largest_kb * 1024):
            if read == AT_ONCE:
                break
            if content is None:
                _log.info("delivery.refused", door=name, reason="too large")
            else:
                reading = received(door_for(door), Delivery({}, content, self._clock()), [door.verified_by.encode()])
                if isinstance(reading, Refused):
                    _log.info("delivery.refused", door=name, reason=reading.reason)
                else:
                    try:
                        self._desk.admit(name, door, reading)
                    except (Flood, KarkhanaError) as error:
                        # it stays where it is, and is read again in another round
                        _log.warning("delivery.failed", door=name, message=str(error))
                        continue
            read_once(path)
            read += 1
        return read

    def _sayings(self, row: TicketRow, task_id: str, status: Status) -> list[Saying]:
        return self._telling.sayings(self._stores.settings.intake.get(row.door), row, task_id, status)
