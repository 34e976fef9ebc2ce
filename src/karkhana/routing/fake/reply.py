"""Sends one answer of the fake provider, in its pieces, with what goes wrong. Knows nothing of scripts' rules.

A client that leaves is noticed, also while nothing is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before its answer was complete."""


class Reply:
    """One answer on its way. Use as a context, so that the watch over the client ends."""

    def __init__(self, scope: Message, receive: Receive, send: Send, request_id: str) -> None:
        """The request's body must have been read."""
        self._connection = (scope.get("extensions") or {}).get("karkhana.connection", {})
        self._send = send
        self._request_id = request_id.encode("ascii")
        self._gone = asyncio.ensure_future(_departure(receive))

    async def __aenter__(self) -> "Reply":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.cancel()

    async def wait(self, seconds: float) -> None:
        """Raises :class:`ClientGone` as soon as the client has left."""
        if seconds > 0:
            await asyncio.wait({self._gone}, timeout=seconds)
        if self._gone.done():
            raise ClientGone

    async def head(
        self, status: int, content_type: bytes, length: int | None = None, retry_after_s: float | None = None
    ) -> None:
        """Status and headers; without a ``length`` the body is chunked."""
        headers = [(b"content-type", content_type), (b"x-request-id", self._request_id)]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        if retry_after_s is not None:
            # The header holds whole seconds; the other one, which some providers send, is exact.
            headers.append((b"retry-after", b"%d" % -(-retry_after_s // 1)))
            headers.append((b"retry-after-ms", b"%d" % round(retry_after_s * 1000)))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, data: bytes) -> None:
        if self._gone.done():
            raise ClientGone
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def whole(self, status: int, content_type: bytes, body: bytes, *, retry_after_s: float | None = None) -> None:
        """All at once."""
        await self.wait(0)
        await self.head(status, content_type, len(body), retry_after_s)
        await self._send({"type": "http.response.body", "body": body})

    async def close(self) -> None:
        """End the connection within the answer, after what was sent."""
        await self._break("close")

    async def reset(self) -> None:
        """End the connection at once."""
        await self._break("reset")

    async def _break(self, how: str) -> None:
        if how in self._connection:
            self._connection[how]()
            # The server must have seen the end before we return, or it takes the missing answer for a mistake.
            await asyncio.wait({self._gone}, timeout=5)


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
