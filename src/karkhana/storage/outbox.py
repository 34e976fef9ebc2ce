"""Answers on their way out: what is to be said where, what was tried, and who sends for a door.

An answer in a slot of its task replaces what was said there before; one without a slot is said once. What is written
down before a sending begins (``begun``) tells a later sender that the answer may be there already. Knows nothing of
services, nor of what answers say.
"""

import secrets

import msgspec
import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.intake_statements import statements
from karkhana.storage.tables import intake_answers, intake_senders
from karkhana.storage.upserting import upsert

LONGEST_ERROR = 500


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be said where a ticket came from."""

    ordinal: int
    door: str
    reference: str
    task_id: str
    text: str
    """The words alone."""
    attempts: int
    """Since it was last changed."""
    slot: str = ""
    marker: str = ""
    """By which it is found at the service if nobody wrote down that it arrived."""
    content: str = ""
    """All that is to be said, as whoever sends it reads it."""
    external: str = ""
    """Where it stands at the service; empty: nowhere that we know of."""
    version: int = 1
    begun: bool = False
    """Whether a sending was begun before."""
    at: float = 0.0
    error: str = ""
    failed: bool = False
    """Nobody tries any more."""


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process sends for a door."""

    mine: bool
    rests_s: float = 0.0
    """Seconds for which nothing may be sent, as the service wants it or does not let us in."""


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of a ticket."""

    text: str
    content: str = ""
    slot: str = ""
    """What stands in the same slot of the task is replaced, also where it was said already; empty: it is said once."""
    only_changes: bool = False
    """Whether it only replaces, and is not said where nothing stands in its slot."""


def queue(connection: sa.Connection, now: float, saying: Saying, *, door: str, reference: str, task_id: str) -> None:
    """Have an answer said. What says the same as what stands in its slot already changes nothing."""
    said = {"text": saying.text, "content": saying.content, "reference": reference, "due_at": now, "at": now}
    row = {
        **said,
        "door": door,
        "task_id": task_id,
        "slot": saying.slot,
        "attempts": 0,
        "marker": secrets.token_hex(12),
    }
    if not saying.slot:
        connection.execute(statements(connection).answer, row)
    elif not saying.only_changes:
        connection.execute(statements(connection).replace, row)
    else:
        fresh = {"attempts": 0, "sent_at": None, "failed_at": None, "error": ""}
        place = (intake_answers.c.task_id == task_id) & (intake_answers.c.slot == saying.slot)
        changed = intake_answers.c.content != saying.content
        values = {**said, **fresh, "version": intake_answers.c.version + 1}
        connection.execute(sa.update(intake_answers).where(place, changed).values(values))


class Outbox:
    """All answers of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def lead(self, door: str, owner: str, lease_s: float) -> Lead:
        """Be the one who sends for a door for the next ``lease_s`` seconds, unless somebody else is."""
        now = self._now()
        row = {"door": door, "owner": owner, "until": now + lease_s, "rests_until": 0.0, "trouble": ""}
        free = (intake_senders.c.owner == owner) | (intake_senders.c.until <= now)
        with self._database.writing() as connection:
            won = connection.execute(
                upsert(connection, intake_senders)
                .values(row)
                .on_conflict_do_update(
                    index_elements=["door"], set_={"owner": owner, "until": now + lease_s}, where=free
                )
                .returning(intake_senders.c.rests_until)
            ).scalar()
        return Lead(mine=False) if won is None else Lead(mine=True, rests_s=max(0.0, won - now))

    def leave(self, door: str, owner: str) -> None:
        """Let somebody else send for a door."""
        mine = (intake_senders.c.door == door) & (intake_senders.c.owner == owner)
        with self._database.writing() as connection:
            connection.execute(sa.update(intake_senders).where(mine).values(until=0.0))

    def rest(self, door: str, wait_s: float, trouble: str) -> None:
        """Nothing is sent for a door for so many seconds; why, for whoever runs the factory. 0: it works again."""
        values = {"rests_until": self._now() + wait_s if wait_s else 0.0, "trouble": trouble[:LONGEST_ERROR]}
        with self._database.writing() as connection:
            connection.execute(sa.update(intake_senders).where(intake_senders.c.door == door).values(values))

    def troubles(self) -> dict[str, str]:
        """Doors whose answers cannot be sent at the moment, and why."""
        query = sa.select(intake_senders.c.door, intake_senders.c.trouble).where(intake_senders.c.trouble != "")
        with self._database.reading() as connection:
            return {row.door: row.trouble for row in connection.execute(query.order_by(intake_senders.c.door))}

    def due(self, limit: int = 50, *, door: str | None = None) -> list[Answer]:
        """Answers that are to be sent now, the oldest first."""
        query = (
            sa.select(intake_answers)
            .where(
                intake_answers.c.sent_at.is_(None),
                intake_answers.c.failed_at.is_(None),
                intake_answers.c.due_at <= self._now(),
            )
            .order_by(intake_answers.c.ordinal)
            .limit(limit)
        )
        if door is not None:
            query = query.where(intake_answers.c.door == door)
        with self._database.reading() as connection:
            return [_answer(row) for row in connection.execute(query)]

    def begin(self, answer: Answer) -> bool:
        """Write down that it is being sent; ``False`` when it says something else by now, or is not wanted."""
        same = (intake_answers.c.version == answer.version) & intake_answers.c.sent_at.is_(None)
        place = (intake_answers.c.ordinal == answer.ordinal) & same & intake_answers.c.failed_at.is_(None)
        values = {"begun": True, "attempts": intake_answers.c.attempts + 1}
        with self._database.writing() as connection:
            changed = connection.execute(
                sa.update(intake_answers).where(place).values(values).returning(intake_answers.c.ordinal)
            )
            return changed.first() is not None

    def sent(self, answer: Answer, external: str = "") -> None:
        """An answer has arrived; it is sent again if it was changed meanwhile."""
        now = self._now()
        done = sa.case((intake_answers.c.version == answer.version, now), else_=sa.null())
        self._change(answer.ordinal, {"sent_at": done, "external": external or answer.external, "error": ""})

    def unsent(self, answer: Answer, wait_s: float, error: str = "", *, counted: bool = True) -> None:
        """An answer could not be sent; it is due again in ``wait_s`` seconds.

        ``counted``: whether that was a try of it; otherwise nobody could have sent anything.
        """
        values: dict[str, object] = {"due_at": self._now() + wait_s, "error": error[:LONGEST_ERROR]}
        if not counted:
            values["attempts"] = intake_answers.c.attempts - 1
        same = intake_answers.c.version == answer.version
        self._change(answer.ordinal, values, same)

    def dead(self, answer: Answer, error: str) -> None:
        """An answer cannot be sent, and nobody tries any more until a person wants it."""
        same = intake_answers.c.version == answer.version
        self._change(answer.ordinal, {"failed_at": self._now(), "error": error[:LONGEST_ERROR]}, same)

    def waiting(self, limit: int = 100, *, failed: bool = False) -> list[Answer]:
        """Answers that were not sent, or only those that nobody tries any more; the newest first."""
        query = sa.select(intake_answers).where(intake_answers.c.sent_at.is_(None))
        if failed:
            query = query.where(intake_answers.c.failed_at.is_not(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(intake_answers.c.ordinal.desc()).limit(limit))
            return [_answer(row) for row in rows]

    def again(self, ordinal: int | None = None, connection: sa.Connection | None = None) -> int:
        """Try one that nobody tries any more once more, or all of them; returns how many."""
        failed = intake_answers.c.failed_at.is_not(None) & intake_answers.c.sent_at.is_(None)
        if ordinal is not None:
            failed &= intake_answers.c.ordinal == ordinal
        now = self._now()
        values = {"failed_at": None, "due_at": now, "at": now, "attempts": 0}
        with self._database.joining(connection) as joined:
            changed = joined.execute(
                sa.update(intake_answers).where(failed).values(values).returning(intake_answers.c.ordinal)
            )
            return len(changed.all())

    def prune(self, before: float) -> int:
        """Forget answers that were sent or given up before a time (seconds since the epoch); returns how many.

        So are those that wait since then: their door was taken out of the settings, or nothing serves it. Those that
        stand in a slot of a task that may still move are kept by their age alone, so choose weeks.
        """
        waits = intake_answers.c.sent_at.is_(None) & (intake_answers.c.due_at < before)
        old = (intake_answers.c.sent_at < before) | (intake_answers.c.failed_at < before) | waits
        with self._database.writing() as connection:
            gone = connection.execute(sa.delete(intake_answers).where(old).returning(intake_answers.c.ordinal))
            return len(gone.all())

    def _change(self, ordinal: int, values: dict[str, object], *where: sa.ColumnElement[bool]) -> None:
        place = (intake_answers.c.ordinal == ordinal, *where)
        with self._database.writing() as connection:
            connection.execute(sa.update(intake_answers).where(*place).values(values))

    def _now(self) -> float:
        return self._clock().timestamp()


def _answer(row: sa.Row[tuple[object, ...]]) -> Answer:
    return Answer(
        ordinal=row.ordinal,
        door=row.door,
        reference=row.reference,
        task_id=row.task_id,
        text=row.text,
        attempts=row.attempts,
        slot=row.slot,
        marker=row.marker or f"answer{row.ordinal}",
        content=row.content,
        external=row.external,
        version=row.version,
        begun=row.begun,
        at=row.at,
        error=row.error,
        failed=row.failed_at is not None,
    )
