"""Answers to requests that carried an idempotency key, so that a repeated request is not carried out again.

A key is taken before the work begins and keeps the answer once it is known; both belong to whoever asked. The answer
is kept in the transaction of the work where the work is only written, so that a crash leaves both or neither. Knows
nothing of HTTP. Source: draft-ietf-httpapi-idempotency-key-header.
"""

import msgspec
import sqlalchemy as sa

from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import api_answers
from karkhana.storage.upserting import upsert

KEPT_S = 86_400.0
"""Seconds for which an answer is remembered."""
RUNNING_S = 120.0
"""Seconds after which whoever began is taken for dead, and the same request may begin again."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key."""

    mine: bool = False
    """It was free: the request is to be carried out, and its answer kept."""
    other: bool = False
    """It was used for another request."""
    answer: bytes | None = None
    """Of the request; ``None`` while it is being carried out."""
    begun_at: float = 0.0
    """When whoever has it now took it: they alone may keep its answer, or give it up."""


class AnswerStore:
    """All kept answers of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def begin(self, principal: str, key: str, request: str) -> Kept:
        """Take a key for a request (its hash), or find what is known of it."""
        now = self._now()
        place = _place(principal, key)
        with self._database.writing() as connection:
            connection.execute(sa.delete(api_answers).where(place, api_answers.c.until <= now))
            row = {
                "principal": principal,
                "key": key,
                "request": request,
                "begun_at": now,
                "until": now + KEPT_S,
                "answer": None,
            }
            made = upsert(connection, api_answers).values(row).on_conflict_do_nothing()
            if connection.execute(made.returning(api_answers.c.key)).first() is not None:
                self._prune(connection, now)
                return Kept(mine=True, begun_at=now)
            found = connection.execute(sa.select(api_answers).where(place).with_for_update()).one()
            if found.request != request:
                return Kept(other=True)
            if found.answer is None and found.begun_at + RUNNING_S <= now:
                connection.execute(sa.update(api_answers).where(place).values(begun_at=now))
                return Kept(mine=True, begun_at=now)
            return Kept(answer=found.answer)

    def keep(
        self, principal: str, key: str, begun_at: float, answer: bytes, connection: sa.Connection | None = None
    ) -> bool:
        """Keep the answer, with ``connection`` inside of that transaction.

        ``False``: whoever began was taken for dead, and somebody else has the key.
        """
        mine = sa.and_(_place(principal, key), api_answers.c.begun_at == begun_at)
        with self._database.joining(connection) as joined:
            return joined.execute(sa.update(api_answers).where(mine).values(answer=answer)).rowcount == 1

    def give_up(self, principal: str, key: str, begun_at: float) -> None:
        """The request came to nothing that is worth keeping: the key is free again, unless somebody else has it."""
        mine = sa.and_(_place(principal, key), api_answers.c.begun_at == begun_at)
        with self._database.writing() as connection:
            connection.execute(sa.delete(api_answers).where(mine, api_answers.c.answer.is_(None)))

    def _prune(self, connection: sa.Connection, now: float) -> None:
        late = api_answers.c.until <= now
        if connection.execute(sa.select(api_answers.c.key).where(late).limit(1)).first() is not None:
            connection.execute(sa.delete(api_answers).where(late))

    def _now(self) -> float:
        return self._clock().timestamp()


def _place(principal: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(api_answers.c.principal == principal, api_answers.c.key == key)
