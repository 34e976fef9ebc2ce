"""What came in at the doors: deliveries and their receipts, which ticket each is about, and answers on their way out.

Knows nothing of what deliveries say. A delivery, its ticket and the answer to it are written in one transaction, so
that a crash leaves all of it or nothing; a second delivery of the same finds the first one's receipt.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical, decode
from karkhana.domain.tasks import Status
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.intake_statements import ALONE, CAME, KEEP_RECEIPT, RECEIPT, TASK_OF, statements
from karkhana.storage.outbox import Outbox, Saying, queue
from karkhana.storage.tables import (
    intake_allowances,
    intake_deliveries,
    intake_subjects,
    intake_tickets,
    tasks,
)

MINUTE_S = 60.0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a delivery."""

    status: str
    """``accepted`` (a new ticket), ``known`` (there is one already), ``done`` (a command), ``ignored``."""
    task_id: str = ""
    reason: str = ""


class TicketRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ticket came in."""

    door: str
    sender: str
    place: str
    reference: str
    suspicions: tuple[str, ...] = ()
    """Why its text may be meant to mislead whoever works on it."""


class Flood(Exception):
    """A sender sends more than is allowed."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too much from one sender; again in {wait_s:.0f} s")
        self.wait_s = wait_s


class _Repeated(Exception):
    """Somebody else wrote the same delivery down: what was begun here is taken back."""


class IntakeStore:
    """All deliveries of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self.outbox = Outbox(database, clock)

    def receipt(self, door: str, identity: str, digest: str) -> Receipt | None:
        """What came of the delivery when it came before."""
        with self._database.reading() as connection:
            return _receipt(connection, door, identity, digest)

    def admit(self, door: str, identity: str, digest: str, act: Callable[["Writing"], Receipt]) -> tuple[Receipt, bool]:
        """Have ``act`` done once for a delivery, and its receipt kept; and whether it had been done before.

        What ``act`` writes through :class:`Writing` is written together with the receipt. Raises what it raises, and
        then nothing is kept.
        """
        with suppress(_Repeated), self._database.writing() as connection:
            now = self._clock().timestamp()
            mark = {"door": door, "identity": identity, "digest": digest, "at": now, "receipt": ""}
            # on PostgreSQL a second one waits here for what comes of the first
            if connection.execute(statements(connection).mark, mark).first() is None:
                raise _Repeated
            receipt = act(Writing(connection, door, now))
            kept = {"of_door": door, "of_identity": identity, "came_of_it": canonical(receipt).decode()}
            connection.execute(KEEP_RECEIPT, kept)
            return receipt, False
        found = self.receipt(door, identity, digest)
        assert found is not None
        return found, True

    def task_of(self, door: str, subject: str) -> str | None:
        """The ticket about a subject."""
        with self._database.reading() as connection:
            return _task_of(connection, door, subject)

    def ticket(self, task_id: str) -> TicketRow | None:
        """Where a task came in; ``None`` when it came by no door."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(intake_tickets).where(intake_tickets.c.task_id == task_id)).first()
        return None if row is None else _ticket(row)

    def tell_changes(self, sayings: Callable[[TicketRow, str, Status], Sequence[Saying]], limit: int = 100) -> int:
        """Queue answers for each ticket whose status is another one than was told last; returns how many.

        ``sayings`` is given where the ticket came in, its task and the status.
        """
        current = sa.select(intake_tickets, tasks.c.status).join(tasks, tasks.c.task_id == intake_tickets.c.task_id)
        changed = ~intake_tickets.c.done & (intake_tickets.c.told != tasks.c.status)
        with self._database.reading() as connection:
            waiting = list(connection.execute(current.where(changed).order_by(tasks.c.ordinal).limit(limit)))
        told = 0
        for row in waiting:
            # composed before anything is locked, and said only if nobody else said it meanwhile
            status = Status(row.status)
            said = sayings(_ticket(row), row.task_id, status)
            place = (intake_tickets.c.task_id == row.task_id) & (intake_tickets.c.told == row.told)
            values = {"told": row.status, "done": status.finished and status is not Status.DELIVERED}
            with self._database.writing() as connection:
                mine = sa.update(intake_tickets).where(place).values(values).returning(intake_tickets.c.task_id)
                if connection.execute(mine).first() is None:
                    continue
                writing = Writing(connection, row.door, self._clock().timestamp())
                for each in said:
                    writing.answer(row.reference, row.task_id, each)
                told += len(said)
        return told

    def prune(self, before: float) -> int:
        """Forget deliveries that came before a time (seconds since the epoch), and answers that ended before it.

        A delivery that is forgotten and comes again is a new one, though its subject still finds its ticket: choose
        weeks. Returns how many rows are gone.
        """
        with self._database.writing() as connection:
            old = sa.delete(intake_deliveries).where(intake_deliveries.c.at < before)
            gone = len(connection.execute(old.returning(intake_deliveries.c.identity)).all())
            full = sa.delete(intake_allowances).where(intake_allowances.c.full_at < before)
            connection.execute(full)
        return gone + self.outbox.prune(before)


class Writing:
    """The transaction of one delivery."""

    def __init__(self, connection: sa.Connection, door: str, now: float) -> None:
        self.connection = connection
        self._door = door
        self._now = now

    def take(self, sender: str, per_minute: int) -> None:
        """Count one against the sender's allowance (generic cell rate algorithm). Raises :class:`Flood`."""
        step = MINUTE_S / per_minute
        fresh = {"door": self._door, "sender": sender, "full_at": self._now + step, "now": self._now, "step": step}
        full_at: float = self.connection.execute(statements(self.connection).take, fresh).scalar_one()
        if full_at - self._now > MINUTE_S + 1e-6:
            raise Flood(full_at - self._now - MINUTE_S)

    def task_of(self, subject: str) -> str | None:
        """The ticket about a subject."""
        return _task_of(self.connection, self._door, subject)

    def alone(self) -> None:
        """From here on no other delivery of the door decides whether its subjects have a ticket."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(ALONE, {"door": self._door})

    def bind(self, subjects: Sequence[str], task_id: str) -> None:
        """From here on the subjects' ticket is this one, unless they have one."""
        rows = [{"door": self._door, "subject": each, "task_id": task_id} for each in sorted(set(subjects))]
        self.connection.execute(statements(self.connection).bind, rows)

    def rebind(self, task_id: str, again: str) -> None:
        """All subjects of a ticket are another one's now, which takes its place."""
        mine = intake_subjects.c.task_id == task_id
        self.connection.execute(sa.update(intake_subjects).where(mine).values(task_id=again))

    def came(self, task_id: str, row: TicketRow) -> None:
        """Keep where a ticket came in."""
        values = {
            "task_id": task_id,
            "door": row.door,
            "sender": row.sender,
            "place": row.place,
            "reference": row.reference,
            "suspicions": canonical(row.suspicions).decode(),
            "told": Status.QUEUED.value,
            "done": False,
        }
        self.connection.execute(CAME, values)

    def answer(self, reference: str, task_id: str, saying: Saying) -> None:
        """Queue an answer; nothing is said nowhere."""
        if reference:
            queue(self.connection, self._now, saying, door=self._door, reference=reference, task_id=task_id)


def _task_of(connection: sa.Connection, door: str, subject: str) -> str | None:
    found: str | None = connection.execute(TASK_OF, {"door": door, "subject": subject}).scalar()
    return found


def _receipt(connection: sa.Connection, door: str, identity: str, digest: str) -> Receipt | None:
    found = connection.execute(RECEIPT, {"door": door, "identity": identity, "digest": digest}).scalar()
    return decode(found, Receipt) if found else None


def _ticket(row: sa.Row[tuple[object, ...]]) -> TicketRow:
    return TicketRow(
        door=row.door,
        sender=row.sender,
        place=row.place,
        reference=row.reference,
        suspicions=decode(row.suspicions, tuple[str, ...]),
    )
