"""Writes the gateway's answers to a client over ASGI. Knows nothing of providers."""

import asyncio
import math
from collections.abc import Sequence

import msgspec

from karkhana.domain.money import Money, Unpriced, written
from karkhana.http.reverse_proxy import Receive, Send
from karkhana.routing.attempt import Place
from karkhana.routing.faults import ProviderFault
from karkhana.routing.gateway.asking import Reply
from karkhana.routing.wires.wire import Wire

Pairs = list[tuple[bytes, bytes]]
JSON = (b"content-type", b"application/json")


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


async def send_whole(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """One body with its length."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, wire: Wire, fault: ProviderFault, status: int | None = None) -> None:
    """An error in the words of the client's wire, with the time after which asking again may help."""
    usual, body = wire.server.refusal(fault)
    headers = [JSON]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(fault.retry_after_s)))
    await send_whole(send, status or usual, msgspec.json.encode(body), headers)


async def send_stream(send: Send, receive: Receive, wire: Wire, reply: Reply, headers: Pairs) -> bool:
    """Pieces as they come; whether the client stayed to the end. One that leaves ends the provider's answer too."""
    kind = (b"content-type", wire.framing.content_type)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [*headers, kind, (b"cache-control", b"no-cache")]}
    )
    gone = asyncio.ensure_future(_gone(receive))
    try:
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
