"""Passes one request on to an upstream and its answer back, byte for byte, in pieces as they come.

Knows nothing of why this upstream was chosen; what may be changed are headers, by the caller.
"""

from collections.abc import AsyncIterator, Callable

from karkhana.http.connection import Answer
from karkhana.http.exchange import Message, Receive, Send
from karkhana.http.messages import Headers, Url, end_to_end, value_of
from karkhana.http.pool import Pool, Timeouts

__all__ = ["BodyTooLong", "ClientLeft", "Message", "Receive", "Send", "answer_with", "body_of", "pass_on", "pieces_of"]


class BodyTooLong(Exception):
    """The request's body is longer than the limit, in bytes, that it carries."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is longer than {limit} bytes")
        self.limit = limit


class ClientLeft(Exception):
    """The client closed the connection before its request was complete."""


async def pieces_of(receive: Receive, limit: int, total: int = 0) -> AsyncIterator[bytes]:
    """The body of an ASGI request as it comes, of which ``total`` bytes have come already.

    Raises :class:`BodyTooLong`, :class:`ClientLeft`.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        total += len(piece)
        if total > limit:
            raise BodyTooLong(limit)
        if piece:
            yield piece


async def body_of(receive: Receive, limit: int, go_on: Callable[[], None] | None = None) -> bytes:
    """The whole body of an ASGI request. Raises :class:`BodyTooLong`, :class:`ClientLeft`.

    ``go_on`` is called before more than a first piece is taken in; what it raises ends that.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientLeft
    if len(body) > limit:
        raise BodyTooLong(limit)
    if not message.get("more_body", False):
        # Nearly all come in one piece, and the way of the others would cost them more than the server does.
        return body
    if go_on is not None:
        go_on()
    return b"".join([body, *[piece async for piece in pieces_of(receive, limit, len(body))]])


async def pass_on(
    pool: Pool,
    scope: Message,
    receive: Receive,
    url: Url,
    *,
    limit: int,
    drop: frozenset[bytes] = frozenset(),
    add: Headers = (),
    timeouts: Timeouts | None = None,
) -> Answer:
    """Send the request of ``scope`` to ``url`` with its end-to-end headers, less ``drop``, plus ``add``.

    The body is streamed, never held; ``limit`` bounds its bytes. Raises what :meth:`Pool.send` and
    :func:`pieces_of` raise.
    """
    headers: Headers = scope["headers"]
    length = value_of(headers, b"content-length")
    if length is not None and int(length) > limit:
        raise BodyTooLong(limit)
    chunked = value_of(headers, b"transfer-encoding") is not None
    has_body = chunked or (length is not None and int(length) > 0)
    kept = end_to_end(headers, {b"host", b"expect", b"content-length", *drop})
    body = pieces_of(receive, limit) if has_body else None
    return await pool.send(scope["method"], url, [*kept, *add], body, timeouts=timeouts)


async def answer_with(send: Send, answer: Answer, *, drop: frozenset[bytes] = frozenset(), add: Headers = ()) -> int:
    """Give an upstream's answer back piece by piece; how many bytes its body had.

    When the client is gone, ``send`` does nothing and the caller should close ``answer``; an
    :class:`karkhana.http.errors.HttpError` within the body is raised after what came before it was sent.
    """
    headers = [(name.lower(), value) for name, value in end_to_end(answer.headers, drop)]
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *add]})
    total = 0
    async for piece in answer:
        total += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return total
