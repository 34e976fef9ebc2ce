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
from karkhana.storage.tables import (
    intake_allowances,
    intake_answers,
    intake_deliveries,
    intake_subjects,
    intake_tickets,
    tasks,
)
from karkhana.storage.upserting import upsert

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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be said where a ticket came from."""

    ordinal: int
    door: str
    reference: str
    task_id: str
    text: str
    attempts: int


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
            made = upsert(connection, intake_deliveries).values(mark).on_conflict_do_nothing()
            if connection.execute(made.returning(intake_deliveries.c.identity)).first() is None:
                raise _Repeated
            receipt = act(Writing(connection, door, now))
            place = (intake_deliveries.c.door == door) & (intake_deliveries.c.identity == identity)
            kept = {"receipt": canonical(receipt).decode()}
            connection.execute(sa.update(intake_deliveries).where(place).values(kept))
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
        if row is None:
            return None
        suspicions = decode(row.suspicions, tuple[str, ...])
        return TicketRow(
            door=row.door, sender=row.sender, place=row.place, reference=row.reference, suspicions=suspicions
        )

    def tell_changes(self, text: Callable[[str, Status, Status | None], str], limit: int = 200) -> int:
        """Queue an answer for each ticket whose status is another one than was told last; returns how many.

        ``text`` is given task, status and what was told before; what it leaves empty is not said.
        """
        current = sa.select(intake_tickets, tasks.c.status).join(tasks, tasks.c.task_id == intake_tickets.c.task_id)
        changed = ~intake_tickets.c.done & (intake_tickets.c.told != tasks.c.status)
        with self._database.reading() as connection:
            if connection.execute(current.where(changed).limit(1)).first() is None:
                return 0
        told = 0
        with self._database.writing() as connection:
            rows = list(connection.execute(current.where(changed).limit(limit).with_for_update()))
            for row in rows:
                status = Status(row.status)
                values = {"told": row.status, "done": status.finished and status is not Status.DELIVERED}
                connection.execute(
                    sa.update(intake_tickets).where(intake_tickets.c.task_id == row.task_id).values(values)
                )
                said = text(row.task_id, status, Status(row.told) if row.told else None)
                if said:
                    Writing(connection, row.door, self._clock().timestamp()).answer(row.reference, row.task_id, said)
                    told += 1
        return told

    def due(self, limit: int = 50) -> list[Answer]:
        """Answers that are to be sent now, the oldest first."""
        query = (
            sa.select(intake_answers)
            .where(intake_answers.c.sent_at.is_(None), intake_answers.c.due_at <= self._clock().timestamp())
            .order_by(intake_answers.c.ordinal)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = list(connection.execute(query))
        return [
            Answer(
                ordinal=row.ordinal,
                door=row.door,
                reference=row.reference,
                task_id=row.task_id,
                text=row.text,
                attempts=row.attempts,
            )
            for row in rows
        ]

    def sent(self, ordinal: int) -> None:
        """An answer has arrived."""
        self._change(ordinal, {"sent_at": self._clock().timestamp()})

    def unsent(self, ordinal: int, wait_s: float) -> None:
        """An answer could not be sent; it is due again in ``wait_s`` seconds."""
        later = self._clock().timestamp() + wait_s
        self._change(ordinal, {"due_at": later, "attempts": intake_answers.c.attempts + 1})

    def _change(self, ordinal: int, values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.update(intake_answers).where(intake_answers.c.ordinal == ordinal).values(values))


class Writing:
    """The transaction of one delivery."""

    def __init__(self, connection: sa.Connection, door: str, now: float) -> None:
        self.connection = connection
        self._door = door
        self._now = now

    def take(self, sender: str, per_minute: int) -> None:
        """Count one against the sender's allowance (generic cell rate algorithm). Raises :class:`Flood`."""
        place = (intake_allowances.c.door == self._door) & (intake_allowances.c.sender == sender)
        fresh = {"door": self._door, "sender": sender, "full_at": self._now}
        self.connection.execute(upsert(self.connection, intake_allowances).values(fresh).on_conflict_do_nothing())
        query = sa.select(intake_allowances.c.full_at).where(place).with_for_update()
        full_at = max(self.connection.execute(query).scalar_one(), self._now) + MINUTE_S / per_minute
        if full_at - self._now > MINUTE_S + 1e-6:
            raise Flood(full_at - self._now - MINUTE_S)
        self.connection.execute(sa.update(intake_allowances).where(place).values(full_at=full_at))

    def task_of(self, subject: str) -> str | None:
        """The ticket about a subject."""
        return _task_of(self.connection, self._door, subject)

    def alone(self) -> None:
        """From here on no other delivery of the door decides whether its subjects have a ticket."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:door))"), {"door": self._door})

    def bind(self, subjects: Sequence[str], task_id: str) -> None:
        """From here on the subjects' ticket is this one, unless they have one."""
        for subject in sorted(set(subjects)):
            row = {"door": self._door, "subject": subject, "task_id": task_id}
            self.connection.execute(upsert(self.connection, intake_subjects).values(row).on_conflict_do_nothing())

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
        self.connection.execute(sa.insert(intake_tickets).values(values))

    def answer(self, reference: str, task_id: str, text: str) -> None:
        """Queue an answer."""
        values = {
            "door": self._door,
            "reference": reference,
            "task_id": task_id,
            "text": text,
            "at": self._now,
            "due_at": self._now,
            "attempts": 0,
        }
        self.connection.execute(sa.insert(intake_answers).values(values))


def _task_of(connection: sa.Connection, door: str, subject: str) -> str | None:
    place = (intake_subjects.c.door == door) & (intake_subjects.c.subject == subject)
    found: str | None = connection.execute(sa.select(intake_subjects.c.task_id).where(place)).scalar()
    return found


def _receipt(connection: sa.Connection, door: str, identity: str, digest: str) -> Receipt | None:
    same = (intake_deliveries.c.identity == identity) | (intake_deliveries.c.digest == digest)
    query = sa.select(intake_deliveries.c.receipt).where(intake_deliveries.c.door == door, same).limit(1)
    found = connection.execute(query).scalar()
    return decode(found, Receipt) if found else None
