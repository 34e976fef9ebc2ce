"""One request of a client and its answer, as an ASGI program sees them. Knows nothing of how requests are parsed.

An answer whose length is known is written together with its head, in one piece: each write to a socket costs more than
everything else here.

Source: the ASGI specification, version 3.0, HTTP 2.3 (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol

from karkhana.http.messages import header_lines

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Program = Callable[[Message, Receive, Send], Awaitable[None]]

HIGH_WATER = 64 * 1024
"""Bytes of a request's body that wait for the program before the socket is left alone."""
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode("ascii")) for status in HTTPStatus}
_BODILESS = frozenset({204, 304})
_NONE, _SIZED, _CHUNKED, _TO_THE_END = range(4)
"""How an answer's body is told from what follows."""
_FAILED = b"Internal Server Error"
_log = logging.getLogger(__name__)


class Client(Protocol):
    """The connection that an exchange is on."""

    transport: asyncio.Transport
    writable: asyncio.Future[None] | None
    """To be awaited before more is written; ``None``: the client keeps up."""
    loop: asyncio.AbstractEventLoop

    def pause(self) -> None:
        """Leave the socket alone for now."""

    def resume(self) -> None:
        """Read on."""

    def leave(self) -> None:
        """Say no more, and close when the client has seen it."""

    def answered(self, exchange: "Exchange") -> None:
        """The answer was written to its end."""

    def ended(self, exchange: "Exchange") -> None:
        """The program has nothing more to do with it."""


class Exchange:
    """A request and its answer; ``receive`` and ``send`` are the program's."""

    __slots__ = (
        "_body",
        "_client",
        "_expects",
        "_framing",
        "_head",
        "_left",
        "_told",
        "_waiter",
        "complete",
        "gone",
        "keep_alive",
        "more",
        "scope",
        "started",
        "task",
    )

    def __init__(self, client: Client, scope: Message, *, keep_alive: bool, expects: bool) -> None:
        """``expects``: whether the client waits for a word before it sends its body (``Expect: 100-continue``)."""
        self.scope = scope
        self.keep_alive = keep_alive
        """Whether the connection may be used again."""
        self.more = True
        """Whether more of the request's body will come."""
        self.started = False
        """Whether an answer was begun; it may wait in memory for its first piece."""
        self.complete = False
        """Whether it was written to its end."""
        self.gone = False
        """Whether the client is."""
        self.task: asyncio.Task[None] | None = None
        """The program's."""
        self._client = client
        self._expects = expects
        self._body: bytes | bytearray = b""
        self._told = False
        self._waiter: asyncio.Future[None] | None = None
        self._head = b""
        self._framing = _NONE
        self._left = 0

    # -- called by the connection

    async def run(self, program: Program) -> None:
        """Have the program answer."""
        try:
            await program(self.scope, self.receive, self.send)
        except Exception as error:  # whatever a program does wrong, the server and the other clients live on
            # Not the message: it may hold what a client or a provider sent.
            _log.error("the program failed: %s at %s", type(error).__name__, _place(error))
            await self._give_up()
        except BaseException:
            self._client.transport.close()
            raise
        else:
            if not self.complete and not self.gone:
                _log.error("the program ended without an answer")
                await self._give_up()
        finally:
            self._client.ended(self)

    def feed(self, data: bytes) -> None:
        """More of the request's body."""
        if self.complete:
            return
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data
        if len(self._body) > HIGH_WATER:
            self._client.pause()
        self.wake()

    def end(self) -> None:
        """The request's body is whole."""
        self.more = False
        self.wake()

    def lost(self) -> None:
        """The client is gone."""
        self.gone = not self.complete
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- called by the program

    async def receive(self) -> Message:
        """The next piece of the body; after the last one, that the client left or the answer was written."""
        client = self._client
        if self._expects:
            self._expects = False
            if not self.started and not client.transport.is_closing():
                client.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            if self.gone or self.complete:
                return {"type": "http.disconnect"}
            if self._body or not (self.more or self._told):
                body, self._body, self._told = bytes(self._body), b"", not self.more
                return {"type": "http.request", "body": body, "more_body": self.more}
            client.resume()
            self._waiter = client.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def send(self, message: Message) -> None:
        """A part of the answer. Does nothing once the client is gone; raises ``RuntimeError`` out of turn."""
        client = self._client
        if client.writable is not None and not self.gone:
            await client.writable
        if self.gone:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.complete:
            self._write(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._begin(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"{kind} is not what comes next in an answer")

    # -- the answer

    def _begin(self, status: int, headers: Any) -> None:
        block, length, closes = header_lines(headers)
        parts = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, block]
        self.started, self._expects = True, False
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            parts.append(b"connection: close\r\n")
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            self._framing = _NONE
        elif length is not None:
            self._framing, self._left = _SIZED, length
        elif self.scope["http_version"] == "1.1":
            self._framing = _CHUNKED
            parts.append(b"transfer-encoding: chunked\r\n")
        else:
            self._framing, self.keep_alive = _TO_THE_END, False
        parts.append(b"\r\n")
        if self._framing == _SIZED:
            self._head = b"".join(parts)
        else:
            # A stream's first piece may be long in coming, and its client shall know that there is one.
            self._client.transport.write(b"".join(parts))

    def _write(self, body: bytes, more: bool) -> None:
        framing = self._framing
        if framing == _SIZED:
            self._left -= len(body)
            if self._left < 0 or (self._left > 0 and not more):
                raise RuntimeError("the answer's body is not as long as its head says")
            if self._head:
                body, self._head = self._head + body, b""
        elif framing == _CHUNKED:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif framing == _NONE:
            body = b""
        if body:
            self._client.transport.write(body)
        if not more:
            self.complete = True
            self.wake()
            if not self.keep_alive and self.more:
                self._client.leave()
            elif not self.keep_alive:
                self._client.transport.close()
            self._client.answered(self)

    async def _give_up(self) -> None:
        if self.started or self.gone:
            self._client.transport.close()
            return
        self.keep_alive = False
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_FAILED))]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": _FAILED})


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
