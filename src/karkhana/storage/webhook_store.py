"""Webhooks and the messages that they are still to be sent, or were sent.

A message is made from the feed (:mod:`karkhana.storage.webhook_feed`) in one transaction that takes it out of there, so
that none is lost or made twice. Messages about one task reach a webhook in their order: the next one is due when the
one before has arrived, or was given up. Knows nothing of HTTP, nor of what messages say.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical, decode
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import webhook_feed, webhook_messages, webhooks
from karkhana.storage.upserting import upsert

WAITING, ARRIVED, GIVEN_UP = "waiting", "arrived", "given_up"
KEPT_S = 30 * 86_400.0
"""Seconds for which messages that have ended are kept, to be looked at."""
REMEMBERED_S = 366 * 86_400.0
"""The same of budgets: a message that is forgotten is told again as long as its budget stands at its limit."""
_BATCH = 200


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told what happens."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    """Types of messages; ``*`` at the end stands for anything."""
    products: tuple[str, ...]
    """Only what is of these; empty: of all."""
    description: str
    active: bool
    notice: str
    """Why it is not sent anything; empty: nothing is wrong."""
    created_at: datetime
    created_by: str
    failing_since: datetime | None
    arrived_at: datetime | None
    """When a message arrived last."""

    def wants(self, type: str, product: str) -> bool:
        """Whether it is to be told of this."""
        named = any(type == name or (name.endswith("*") and type.startswith(name[:-1])) for name in self.events)
        return named and (not self.products or product in self.products)


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the feed."""

    ordinal: int
    at: float
    kind: str
    task_id: str
    run_id: str
    seq: int
    status: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What one happening says to webhooks."""

    message_id: str
    """The same for each webhook, and for each attempt."""
    type: str
    subject: str
    """What keeps its order: a task."""
    product: str
    body: str
    """JSON, byte for byte as it is sent and signed."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one webhook."""

    ordinal: int
    webhook_id: str
    message_id: str
    type: str
    subject: str
    at: datetime
    due_at: datetime
    attempts: int
    state: str
    """``waiting``, ``arrived`` or ``given_up``."""
    answered: int | None
    """Status of the last answer; ``null``: there was none."""
    note: str
    """What was wrong the last time."""
    ended_at: datetime | None


def new_webhook_id() -> str:
    """Of a webhook that is to be added."""
    return "wh_" + secrets.token_hex(10)


class WebhookStore:
    """All webhooks of a database. Their secrets lie elsewhere, sealed."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def add(
        self,
        connection: sa.Connection,
        *,
        url: str,
        events: Iterable[str],
        products: Iterable[str],
        description: str,
        secret: str,
        by: str,
        webhook_id: str,
    ) -> Webhook:
        """Add one, in the transaction of the caller's; ``secret`` is the name under which its secret was sealed."""
        connection.execute(
            sa.insert(webhooks).values(
                webhook_id=webhook_id,
                url=url,
                events=canonical(tuple(dict.fromkeys(events))).decode(),
                products=canonical(tuple(dict.fromkeys(products))).decode(),
                description=description,
                secret=secret,
                created_at=self._now(),
                created_by=by,
                active=True,
                notice="",
            )
        )
        return _webhook(connection.execute(sa.select(webhooks).where(webhooks.c.webhook_id == webhook_id)).one())

    def all(self) -> list[Webhook]:
        """The oldest first."""
        with self._database.reading() as connection:
            query = sa.select(webhooks).order_by(webhooks.c.created_at, webhooks.c.webhook_id)
            return [_webhook(row) for row in connection.execute(query)]

    def get(self, webhook_id: str) -> Webhook | None:
        with self._database.reading() as connection:
            return self.get_within(connection, webhook_id)

    def get_within(self, connection: sa.Connection, webhook_id: str) -> Webhook | None:
        """As :meth:`get`, inside of somebody else's transaction."""
        row = connection.execute(sa.select(webhooks).where(webhooks.c.webhook_id == webhook_id)).one_or_none()
        return None if row is None else _webhook(row)

    def secret(self, webhook_id: str) -> str | None:
        """The name under which its secret was sealed."""
        with self._database.reading() as connection:
            query = sa.select(webhooks.c.secret).where(webhooks.c.webhook_id == webhook_id)
            found: str | None = connection.execute(query).scalar()
        return found

    def remove(self, webhook_id: str, connection: sa.Connection | None = None) -> bool:
        """Forget it, and what it was to be sent; whether there was one."""
        with self._database.joining(connection) as joined:
            joined.execute(sa.delete(webhook_messages).where(webhook_messages.c.webhook_id == webhook_id))
            gone = joined.execute(sa.delete(webhooks).where(webhooks.c.webhook_id == webhook_id)).rowcount
            self._forget_feed(joined)
        return bool(gone)

    def switch(
        self, webhook_id: str, *, active: bool, notice: str = "", connection: sa.Connection | None = None
    ) -> None:
        """Have it sent messages again, or no more, and say why; what it waits for is kept for when it is on again."""
        with self._database.joining(connection) as joined:
            values: dict[str, Any] = {"active": active, "notice": notice}
            if active:
                values["failing_since"] = None
            joined.execute(sa.update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(values))
            self._forget_feed(joined)

    def spread(self, told: Callable[[Happening], Sequence[Message]], limit: int = _BATCH) -> int:
        """Make the oldest happenings into messages for whoever wants them; how many happenings were there."""
        with self._database.reading() as connection:
            rows = list(connection.execute(sa.select(webhook_feed).order_by(webhook_feed.c.ordinal).limit(limit)))
        happenings = [msgspec.convert(row._mapping, Happening) for row in rows]
        made = [(happening, told(happening)) for happening in happenings]
        if not made:
            return 0
        with self._database.writing() as connection:
            heard = [_webhook(row) for row in connection.execute(sa.select(webhooks).where(webhooks.c.active))]
            for happening, messages in made:
                # SQLite gives the number of a row that is gone to a new one
                same = webhook_feed.c.ordinal == happening.ordinal, webhook_feed.c.at == happening.at
                taken = sa.delete(webhook_feed).where(*same)
                if connection.execute(taken).rowcount:
                    for message in messages:
                        self._post(connection, heard, message)
        return len(made)

    def post(self, message: Message, *, only: str = "", connection: sa.Connection | None = None) -> int:
        """Queue a message for whoever wants it, or for one webhook in any case; for how many it is new."""
        with self._database.joining(connection) as joined:
            rows = joined.execute(sa.select(webhooks).where(webhooks.c.active))
            heard = [_webhook(row) for row in rows]
            return self._post(joined, heard, message, only=only)

    def due(self, limit: int = 50) -> list[tuple[Sent, str]]:
        """Messages that are to be sent now, with their bodies; of each task only the first one to each webhook."""
        earlier = webhook_messages.alias()
        blocked = sa.exists().where(
            earlier.c.webhook_id == webhook_messages.c.webhook_id,
            earlier.c.state == WAITING,
            earlier.c.subject == webhook_messages.c.subject,
            earlier.c.ordinal < webhook_messages.c.ordinal,
        )
        query = (
            sa.select(webhook_messages)
            .join(webhooks, webhooks.c.webhook_id == webhook_messages.c.webhook_id)
            .where(webhook_messages.c.state == WAITING, webhook_messages.c.due_at <= self._now())
            .where(webhooks.c.active, ~blocked)
            .order_by(webhook_messages.c.due_at, webhook_messages.c.ordinal)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [(_sent(row), str(row.body)) for row in connection.execute(query)]

    def arrived(self, ordinal: int, answered: int) -> None:
        """It was taken."""
        now = self._now()
        with self._database.writing() as connection:
            webhook_id = self._end(connection, ordinal, state=ARRIVED, answered=answered)
            if webhook_id is not None:
                values = {"arrived_at": now, "failing_since": None}
                connection.execute(sa.update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(values))

    def failed(self, ordinal: int, answered: int | None, note: str, again_s: float | None) -> None:
        """It was not taken: it is due again in ``again_s`` seconds, or given up (``None``)."""
        now = self._now()
        with self._database.writing() as connection:
            if again_s is None:
                webhook_id = self._end(connection, ordinal, state=GIVEN_UP, answered=answered, note=note)
            else:
                attempts = webhook_messages.c.attempts + 1
                values = {"due_at": now + again_s, "attempts": attempts, "answered": answered, "note": note}
                query = sa.update(webhook_messages).where(webhook_messages.c.ordinal == ordinal).values(values)
                webhook_id = connection.execute(query.returning(webhook_messages.c.webhook_id)).scalar()
            since = {"failing_since": sa.func.coalesce(webhooks.c.failing_since, now)}
            connection.execute(sa.update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(since))

    def messages(self, webhook_id: str, *, before: int = 0, limit: int = 50) -> list[Sent]:
        """What a webhook was sent and is to be sent, the newest first; below the number ``before``."""
        query = sa.select(webhook_messages).where(webhook_messages.c.webhook_id == webhook_id)
        if before:
            query = query.where(webhook_messages.c.ordinal < before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(webhook_messages.c.ordinal.desc()).limit(limit))
            return [_sent(row) for row in rows]

    def prune(self) -> int:
        """Forget messages that ended long ago; how many."""
        with self._database.writing() as connection:
            budgets = webhook_messages.c.type.like("budget.%")
            kept = sa.case((budgets, REMEMBERED_S), else_=KEPT_S)
            late = webhook_messages.c.ended_at < self._now() - kept
            return connection.execute(sa.delete(webhook_messages).where(late)).rowcount

    def _post(self, connection: sa.Connection, heard: list[Webhook], message: Message, *, only: str = "") -> int:
        now, new = self._now(), 0
        for webhook in heard:
            if webhook.webhook_id != only if only else not webhook.wants(message.type, message.product):
                continue
            row = {
                "webhook_id": webhook.webhook_id,
                "message_id": message.message_id,
                "type": message.type,
                "subject": message.subject,
                "body": message.body,
                "at": now,
                "due_at": now,
                "attempts": 0,
                "state": WAITING,
                "note": "",
            }
            made = upsert(connection, webhook_messages).values(row).on_conflict_do_nothing()
            new += connection.execute(made.returning(webhook_messages.c.ordinal)).first() is not None
        return new

    def _end(
        self, connection: sa.Connection, ordinal: int, *, state: str, answered: int | None, note: str = ""
    ) -> str | None:
        values = {
            "state": state,
            "attempts": webhook_messages.c.attempts + 1,
            "answered": answered,
            "note": note,
            "ended_at": self._now(),
        }
        query = sa.update(webhook_messages).where(webhook_messages.c.ordinal == ordinal).values(values)
        found: str | None = connection.execute(query.returning(webhook_messages.c.webhook_id)).scalar()
        return found

    def _forget_feed(self, connection: sa.Connection) -> None:
        """Without anybody who listens, what is in the feed is for nobody."""
        if connection.execute(sa.select(webhooks.c.webhook_id).where(webhooks.c.active).limit(1)).first() is None:
            connection.execute(sa.delete(webhook_feed))

    def _now(self) -> float:
        return self._clock().timestamp()


def _webhook(row: sa.Row[Any]) -> Webhook:
    return Webhook(
        webhook_id=row.webhook_id,
        url=row.url,
        events=decode(row.events, tuple[str, ...]),
        products=decode(row.products, tuple[str, ...]),
        description=row.description,
        active=bool(row.active),
        notice=row.notice,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        created_by=row.created_by,
        failing_since=_time(row.failing_since),
        arrived_at=_time(row.arrived_at),
    )


def _sent(row: sa.Row[Any]) -> Sent:
    return Sent(
        ordinal=row.ordinal,
        webhook_id=row.webhook_id,
        message_id=row.message_id,
        type=row.type,
        subject=row.subject,
        at=datetime.fromtimestamp(row.at, UTC),
        due_at=datetime.fromtimestamp(row.due_at, UTC),
        attempts=row.attempts,
        state=row.state,
        answered=row.answered,
        note=row.note,
        ended_at=_time(row.ended_at),
    )


def _time(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
