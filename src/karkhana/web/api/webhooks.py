"""Webhooks: who is told what happens, and what of it has arrived."""

import time
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from karkhana.domain.access import Role
from karkhana.factory.webhooks import TYPES, added, check, ping, removed, seal
from karkhana.storage.webhook_store import Sent, Webhook, WebhookStore
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.problems import Refusal, missing
from karkhana.web.api.shapes import Name, Paging, page, position

TAG = "webhooks"
Url = Annotated[str, Meta(min_length=9, max_length=2000, pattern=r"^https?://[!-~]+$")]
EventName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^([a-z_]+\.)?(\*|[a-z_]+)$")]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that is to be told what happens."""

    url: Url
    events: Annotated[list[EventName], Meta(min_length=1, max_length=50)]
    """Types of messages, e.g. ``task.delivered``; ``task.*`` or ``*`` stand for many."""
    products: Annotated[list[Name], Meta(max_length=50)] = []
    """Only what is of these; empty: of all."""
    description: Annotated[str, Meta(max_length=200)] = ""


class WebhookMade(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with the secret that its messages are signed with, which is told here and never again."""

    webhook: Webhook
    secret: str
    """``whsec_…``, by Standard Webhooks."""


class Switch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On or off."""

    active: bool


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is sent within seconds."""

    message_id: str


class Types(msgspec.Struct, frozen=True, kw_only=True):
    """What webhooks can be told."""

    types: list[str]


def listed(call: Call) -> Answer:
    return Answer(Page(WebhookStore(call.site.stores.database).all()))


def types(call: Call) -> Answer:
    return Answer(Types(types=list(TYPES)))


def shown(call: Call) -> Answer:
    return Answer(_webhook(call))


def made(call: Call) -> Writing:
    new: NewWebhook = call.body
    stores = call.site.stores
    check(stores, new.url, new.events)
    webhook_id, secret = seal(stores, by=call.by)

    def write(connection: sa.Connection) -> Answer:
        found = added(
            stores,
            connection,
            webhook_id,
            url=new.url,
            events=new.events,
            products=new.products,
            description=new.description,
            by=call.by,
        )
        told = {"url": found.url, "events": list(found.events), "products": list(found.products)}
        where = {"location": f"/api/v1/webhooks/{webhook_id}"}
        return Answer(WebhookMade(webhook=found, secret=secret), where, target=webhook_id, details=told)

    return Writing(write)


def switched(call: Call) -> Writing:
    told: Switch = call.body
    webhook = _webhook(call)
    notice = "" if told.active else f"switched off by {call.principal.name}"
    store = WebhookStore(call.site.stores.database)

    def write(connection: sa.Connection) -> Answer:
        store.switch(webhook.webhook_id, active=told.active, notice=notice, connection=connection)
        return Answer(store.get_within(connection, webhook.webhook_id), details={"active": told.active})

    return Writing(write)


def gone(call: Call) -> Writing:
    def write(connection: sa.Connection) -> Answer:
        if not removed(call.site.stores, call.path["webhook_id"], connection):
            raise missing(f"webhook {call.path['webhook_id']}")
        return Answer()

    return Writing(write)


def tested(call: Call) -> Writing:
    webhook = _webhook(call)
    if not webhook.active:
        raise Refusal(409, "webhook_is_off", f"{webhook.webhook_id} is switched off.", "Switch it on first.")
    message = ping(webhook.webhook_id, time.time())
    store = WebhookStore(call.site.stores.database)

    def write(connection: sa.Connection) -> Answer:
        store.post(message, only=webhook.webhook_id, connection=connection)
        return Answer(Queued(message_id=message.message_id))

    return Writing(write)


def messages(call: Call) -> Answer:
    query: Paging = call.query
    webhook = _webhook(call)
    of = f"messages {webhook.webhook_id}"
    before = int(position(of, query) or 0)
    found = WebhookStore(call.site.stores.database).messages(webhook.webhook_id, before=before, limit=query.limit + 1)
    return Answer(page(of, query, [(each, str(each.ordinal)) for each in found]))


def _webhook(call: Call) -> Webhook:
    found = WebhookStore(call.site.stores.database).get(call.path["webhook_id"])
    if found is None:
        raise missing(f"webhook {call.path['webhook_id']}")
    return found


def _kept(place: str, name: str, summary: str, handler: Any, answer: Any, **more: Any) -> Operation:
    method, path = place.split(" ")
    return Operation(
        method=method,
        path=path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        answer=answer,
        about=About.ALL,
        role=Role.ADMIN,
        **more,
    )


OPERATIONS = (
    _kept("GET /webhooks", "listWebhooks", "Who is told what happens", listed, Page[Webhook]),
    _kept("GET /webhook-types", "listWebhookTypes", "What webhooks can be told", types, Types),
    _kept(
        "POST /webhooks",
        "addWebhook",
        "Have an address told",
        made,
        WebhookMade,
        body=NewWebhook,
        status=201,
        errors=(409,),
        action="webhook.add",
        secret=True,
        located=True,
    ),
    _kept("GET /webhooks/{webhook_id}", "showWebhook", "One webhook", shown, Webhook),
    _kept(
        "PATCH /webhooks/{webhook_id}",
        "switchWebhook",
        "Switch it on or off",
        switched,
        Webhook,
        body=Switch,
        action="webhook.switch",
    ),
    _kept(
        "DELETE /webhooks/{webhook_id}",
        "removeWebhook",
        "Tell it no more",
        gone,
        None,
        status=204,
        action="webhook.remove",
    ),
    _kept(
        "POST /webhooks/{webhook_id}/test",
        "testWebhook",
        "Send it a message that says nothing",
        tested,
        Queued,
        status=202,
        errors=(409,),
        action="webhook.test",
    ),
    _kept(
        "GET /webhooks/{webhook_id}/messages",
        "listMessages",
        "What it was sent and is to be sent",
        messages,
        Page[Sent],
        query=Paging,
    ),
)
