"""Webhooks as they are kept and what they are told: makes one, and turns what happened into messages.

Messages are versioned and redacted as the trail is. Knows nothing of how one is sent.
"""

import contextlib
import hashlib
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.delivery.webhooks import new_secret
from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.domain.json import canonical, plain
from karkhana.domain.spending import Standing
from karkhana.factory.stores import Stores
from karkhana.http.outward import Network, Refused, forbidden, target
from karkhana.storage.webhook_feed import TOLD
from karkhana.storage.webhook_store import Happening, Message, Webhook, WebhookStore, new_webhook_id

VERSION = 1
"""Of the messages: a number above it may leave out or rename what this one has."""
STATUSES = (
    "queued",
    "planning",
    "building",
    "reviewing",
    "verifying",
    "waiting_for_review",
    "canary",
    "deployed",
    "delivered",
    "rolled_back",
    "rejected",
    "failed",
    "cancelled",
)
TYPES = (
    "task.created",
    *(f"task.{status}" for status in STATUSES),
    *sorted(TOLD),
    "budget.soft",
    "budget.hard",
    "webhook.disabled",
)
"""Everything that a webhook may be told, besides ``webhook.test``."""
MOST = 100
"""Webhooks of a factory."""


def networks(stores: Stores) -> tuple[Network, ...]:
    """Those inside that the settings allow to be told."""
    return tuple(ipaddress.ip_network(each) for each in stores.settings.webhooks.private_networks)


def check(stores: Stores, url: str, events: Iterable[str]) -> None:
    """Raises ``InvalidInput`` for an address that could never be told, or types that there are not."""
    allowed = networks(stores)
    try:
        to = target(url)
    except Refused as error:
        raise InvalidInput(f"{url!r} cannot be told: {error}", "Give the address of an https endpoint.") from error
    try:
        inside = forbidden(to.host, allowed)
    except ValueError:
        inside = False  # a name; its addresses are looked at whenever it is told
    if inside or (to.scheme == "http" and not allowed):
        raise InvalidInput(
            f"{url} is not outside, or not https", "Name the network in your config.toml: [webhooks] private_networks."
        )
    unknown = [each for each in events if not any(each == t or _begins(each, t) for t in TYPES)]
    if unknown:
        raise InvalidInput(f"nothing is told as {unknown[0]!r}", f"Types: {', '.join(TYPES)}; task.* stands for many.")


def _begins(pattern: str, type: str) -> bool:
    return pattern.endswith("*") and type.startswith(pattern[:-1])


def seal(stores: Stores, *, by: str) -> tuple[str, str]:
    """The identifier of a webhook that is to be added, and its secret, which lies sealed from now on."""
    if len(WebhookStore(stores.database).all()) >= MOST:
        raise InvalidInput(f"there are {MOST} webhooks already", "Remove one first.")
    webhook_id, secret = new_webhook_id(), new_secret()
    stores.sealed.put(sealed_name(webhook_id), secret, by=by)
    return webhook_id, secret


def sealed_name(webhook_id: str) -> str:
    """Under which a webhook's secret is sealed."""
    return f"webhook.{webhook_id}"


def added(
    stores: Stores,
    connection: sa.Connection,
    webhook_id: str,
    *,
    url: str,
    events: Iterable[str],
    products: Iterable[str] = (),
    description: str = "",
    by: str,
) -> Webhook:
    """Add a webhook whose secret was sealed, in the transaction of the caller's."""
    return WebhookStore(stores.database).add(
        connection,
        webhook_id=webhook_id,
        url=url,
        events=events,
        products=products,
        description=description,
        secret=sealed_name(webhook_id),
        by=by,
    )


def removed(stores: Stores, webhook_id: str, connection: sa.Connection) -> bool:
    """Forget a webhook, its messages and its secret, in the transaction of the caller's; whether there was one."""
    gone = WebhookStore(stores.database).remove(webhook_id, connection)
    with contextlib.suppress(InvalidInput):  # somebody removed its secret before
        stores.sealed.remove(sealed_name(webhook_id), connection)
    return gone


def messages(stores: Stores, happening: Happening) -> list[Message]:
    """What is told of a happening; nothing when its task or event cannot be read."""
    try:
        data = _data(stores, happening)
    except (KarkhanaError, ValueError):
        # removed since, or written by a newer version: it must not hold up all that came after it
        return []
    task = data["task"]
    kind = f"task.{happening.status}" if happening.kind == "task.status" else happening.kind
    key = canonical(
        [happening.at, happening.kind, happening.task_id, happening.run_id, happening.seq, happening.status]
    )
    return [message(kind, data, key=key, subject=task["task_id"], product=task["product"], at=happening.at)]


def message(type: str, data: dict[str, Any], *, key: bytes, subject: str, at: float, product: str = "") -> Message:
    """A message; the same ``key`` gives the same identifier."""
    told = {
        "type": type,
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "version": VERSION,
        "data": data,
    }
    return Message(
        message_id="msg_" + hashlib.sha256(key).hexdigest()[:32],
        type=type,
        subject=subject,
        product=product,
        # file names may hold bytes that are no UTF-8
        body=msgspec.json.encode(_clean(told)).decode(),
    )


def ping(webhook_id: str, at: float) -> Message:
    """Says nothing but that the address is right."""
    data = {"webhook_id": webhook_id}
    return message("webhook.test", data, key=canonical([webhook_id, at]), subject=f"test {webhook_id} {at}", at=at)


def budget_message(standing: Standing, level: str, at: float) -> Message:
    """A budget has come to one of its limits; once in each of its periods."""
    budget = plain(standing.budget)
    data = {"budget": budget, "start": standing.start, "spent": plain(standing.spent), "level": level}
    key = canonical([budget["scope"], budget["period"], standing.start, level])
    return message(f"budget.{level}", data, key=key, subject=f"budget {budget['scope']}", at=at)


def _data(stores: Stores, happening: Happening) -> dict[str, Any]:
    if not happening.run_id:
        task = stores.tasks.get(happening.task_id)
        return {"task": {**plain(task), "status": happening.status}, "status": happening.status}
    task = stores.tasks.get(stores.runs.get(happening.run_id).task_id)
    (entry,) = stores.events.at(happening.run_id, [happening.seq])
    return {
        "task": plain(task),
        "run_id": happening.run_id,
        "seq": happening.seq,
        "event": msgspec.to_builtins(entry.event, str_keys=True),
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value
