"""Sends webhooks what they are to be told: one process at a time, each message until it arrives or a day is over.

A message that arrived but whose answer was lost is sent again with the same identifier: at least once. A webhook that
nothing reached for a day is switched off, which its notice, the audit and the other webhooks tell. Knows nothing of
what messages say.
"""

import asyncio
import random
import ssl
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import structlog

from karkhana import __version__
from karkhana.delivery.webhooks import PATIENCE_S, again_s, signed
from karkhana.domain.access import Principal
from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.domain.json import canonical
from karkhana.domain.money import Money
from karkhana.factory.stores import Stores
from karkhana.factory.webhooks import budget_message, message, messages, networks, sealed_name
from karkhana.http.outward import NotSent, post
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.leases import LeaseStore
from karkhana.storage.webhook_store import Message, Sent, Webhook, WebhookStore

LEASE = "webhooks"
LEASE_S = 45.0
EVERY_S = 1.0
IDLE_S = 5.0
"""Between two looks while there is no webhook."""
BUDGETS_S = 30.0
AT_ONCE = 32
GONE = 410
_SELF = Principal(name="karkhana", roles={}, via="factory")
_log = structlog.get_logger(__name__)

Post = Callable[..., Awaitable[int]]


async def said(stores: Stores, webhook_id: str, told: Message) -> tuple[int | None, str]:
    """Send one message at once; the status of the answer, or what was wrong. Raises ``InvalidInput``."""
    webhook = WebhookStore(stores.database).get(webhook_id)
    if webhook is None:
        raise InvalidInput(f"there is no webhook {webhook_id}", "See them: karkhana webhooks list")
    return await _posted(stores, webhook, told, partial(post, allowed=networks(stores)), time.time())


async def _posted(stores: Stores, webhook: Webhook, told: Message, sending: Post, now: float) -> tuple[int | None, str]:
    try:
        secret = await asyncio.to_thread(stores.sealed.reveal, sealed_name(webhook.webhook_id))
        headers = {
            "content-type": "application/json",
            "user-agent": f"Karkhana/{__version__}",
            **signed(secret, told.message_id, int(now), told.body),
        }
        return await sending(webhook.url, headers, told.body.encode()), ""
    except (NotSent, KarkhanaError) as error:
        return None, str(error)


class Telling:
    """Of one process; of several that have a database in common only one sends."""

    def __init__(
        self,
        stores: Stores,
        owner: str,
        *,
        sending: Post = post,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._stores = stores
        self._store = WebhookStore(stores.database)
        self._leases = LeaseStore(stores.database)
        self._owner = owner
        self._sending = partial(sending, allowed=networks(stores), tls=tls)
        self._clock = clock
        self._drawn = random.Random()  # noqa: S311 - spreads attempts, hides nothing
        self._looked_at_budgets = 0.0

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                try:
                    heard = await self.go()
                except KarkhanaError as error:
                    # the database may be away for a moment; what is to be told is still there then
                    _log.warning("webhooks.failed", code=error.code, message=error.message)
                    heard = False
                except Exception:
                    # nobody would notice that nothing is told any more; the log has the place
                    _log.error("webhooks.failed", code="internal", trace=traceback.format_exc())
                    heard = False
                await asyncio.sleep(EVERY_S if heard else IDLE_S)
        finally:
            self._leases.release(LEASE, self._owner)

    async def go(self) -> bool:
        """One round; whether there is anybody to be told."""
        if not any(each.active for each in await asyncio.to_thread(self._store.all)):
            return False
        if not await asyncio.to_thread(self._leases.hold, LEASE, self._owner, LEASE_S):
            return True
        await asyncio.to_thread(self._spread)
        due = await asyncio.to_thread(self._store.due, AT_ONCE)
        await asyncio.gather(*(self._send(sent, body) for sent, body in due))
        return True

    def _spread(self) -> None:
        while self._store.spread(lambda happening: messages(self._stores, happening)):
            pass
        if self._clock() - self._looked_at_budgets >= BUDGETS_S:
            self._looked_at_budgets = self._clock()
            self._tell_budgets()
            self._store.prune()

    def _tell_budgets(self) -> None:
        store = BudgetStore(self._stores.database)
        scopes = [budget.scope for budget in store.all()]
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        for standing in store.standings(scopes, today) if scopes else ():
            limits: dict[str, Money | None] = {"soft": standing.budget.soft, "hard": standing.budget.hard}
            for level, limit in limits.items():
                if limit is not None and standing.used >= limit:
                    self._store.post(budget_message(standing, level, self._clock()))

    async def _send(self, sent: Sent, body: str) -> None:
        webhook = await asyncio.to_thread(self._store.get, sent.webhook_id)
        if webhook is None or not webhook.active:
            return
        told = Message(message_id=sent.message_id, type=sent.type, subject=sent.subject, product="", body=body)
        answered, note = await _posted(self._stores, webhook, told, self._sending, self._clock())
        if answered is not None and 200 <= answered < 300:
            await asyncio.to_thread(self._store.arrived, sent.ordinal, answered)
            return
        await asyncio.to_thread(self._failed, sent, answered, note or f"it answered {answered}")

    def _failed(self, sent: Sent, answered: int | None, note: str) -> None:
        age = self._clock() - sent.at.timestamp()
        wait = None if answered == GONE else again_s(sent.attempts, age, self._drawn)
        self._store.failed(sent.ordinal, answered, note, wait)
        _log.info("webhook.failed", webhook=sent.webhook_id, message=sent.message_id, note=note, again_s=wait)
        webhook = self._store.get(sent.webhook_id)
        if wait is not None or webhook is None:
            return
        since = webhook.failing_since.timestamp() if webhook.failing_since is not None else self._clock()
        if answered == GONE:
            self._switch_off(webhook.webhook_id, "its address answered that it is gone (410)")
        elif self._clock() - since >= PATIENCE_S * 0.8:
            self._switch_off(webhook.webhook_id, f"nothing arrived for a day; the last time: {note}")

    def _switch_off(self, webhook_id: str, notice: str) -> None:
        self._store.switch(webhook_id, active=False, notice=notice)
        self._stores.audit.record(_SELF, action="webhook.disable", target=webhook_id, details={"notice": notice})
        _log.warning("webhook.disabled", webhook=webhook_id, notice=notice)
        at = self._clock()
        data = {"webhook_id": webhook_id, "notice": notice}
        self._store.post(message("webhook.disabled", data, key=canonical([webhook_id, at]), subject=webhook_id, at=at))
