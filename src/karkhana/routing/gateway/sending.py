"""Writes the gateway's answers to a client over ASGI. Knows nothing of providers."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from karkhana.domain.money import Money, Unpriced, written
from karkhana.domain.spending import Standing
from karkhana.http.reverse_proxy import Receive, Send
from karkhana.routing.attempt import Place
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.wire import Wire

Pairs = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")
CACHE_HIT = (b"x-karkhana-cache", b"hit")
CACHE_MISS = (b"x-karkhana-cache", b"miss")


def route_headers(call: str, place: Place, attempts: int) -> Pairs:
    """Who answered, for a client that wants to know."""
    route = f"{place.provider}/{place.model}".encode("ascii", "replace")
    return [
        (b"x-karkhana-call", call.encode("ascii")),
        (b"x-karkhana-route", route),
        (b"x-karkhana-attempts", b"%d" % attempts),
    ]


def cost_header(cost: Money | Unpriced | None) -> Pairs:
    """What the call did cost, in dollars; nothing as long as nobody knows."""
    if cost is None:
        return []
    return [(b"x-karkhana-cost-usd", b"unpriced" if isinstance(cost, Unpriced) else written(cost).encode("ascii"))]


def warning_header(passed: Sequence[Standing]) -> Pairs:
    """The client's own budgets whose soft limits are passed, in dollars; nothing if none is.

    >>> from karkhana.domain.money import usd
    >>> from karkhana.domain.spending import Budget, Period
    >>> budget = Budget(scope="team:web", period=Period.MONTH, soft=usd(40))
    >>> warning_header([Standing(budget=budget, start="2026-11", spent=usd(41), reserved=usd("0.5"))])[0][1]
    b'scope="team:web";period=month;used=41.5;soft=40'
    """
    if not passed:
        return []
    told = []
    for standing in passed:
        budget = standing.budget
        scope = budget.scope.replace("\\", "\\\\").replace('"', '\\"')
        limits = [(name, limit) for name, limit in (("soft", budget.soft), ("hard", budget.hard)) if limit is not None]
        amounts = ";".join(f"{name}={written(amount)}" for name, amount in [("used", standing.used), *limits])
        told.append(f'scope="{scope}";period={budget.period.value};{amounts}')
    return [(b"x-karkhana-budget-warning", ", ".join(told).encode("ascii", "replace"))]


class Kept(NamedTuple):
    """An answer that was given before."""

    body: bytes
    """A stream's events too, as they were sent."""
    place: Place
    """Who gave it."""
    stream: bool
    since: float = 0.0
    """A time of the clock of whoever keeps it."""


class Streaming(Protocol):
    """An answer in pieces."""

    def pieces(self) -> AsyncIterator[bytes]:
        """As they come."""

    def close(self) -> None:
        """Nobody reads any more."""


async def send_whole(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """One body with its length."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_kept(send: Send, wire: Wire, call: str, answer: Kept, age_s: int) -> None:
    """An answer that was given before, ``age_s`` seconds ago, as the same bytes."""
    kind = (b"content-type", wire.framing.content_type) if answer.stream else JSON
    told = [
        kind,
        CACHE_HIT,
        (b"age", b"%d" % age_s),
        *route_headers(call, answer.place, 0),
        (b"x-karkhana-cost-usd", b"0"),
    ]
    await send_whole(send, 200, answer.body, told)


async def send_refusal(send: Send, wire: Wire, fault: ProviderFault, status: int | None = None) -> None:
    """An error in the words of the client's wire, with the time after which asking again may help."""
    usual, body = wire.server.refusal(fault)
    headers = [JSON]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(fault.retry_after_s)))
    await send_whole(send, status or usual, msgspec.json.encode(body), headers)


async def send_stream(send: Send, receive: Receive, wire: Wire, reply: Streaming, headers: Pairs) -> bool:
    """Pieces as they come; whether the client stayed to the end. One that leaves ends the provider's answer too."""
    kind = (b"content-type", wire.framing.content_type)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        lines = [*headers, kind, (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        async for piece in reply.pieces():
            if gone.done():
                return False
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return True
    finally:
        gone.cancel()
        reply.close()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
