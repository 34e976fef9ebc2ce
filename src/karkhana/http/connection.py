"""One connection to an origin, one exchange at a time. Knows nothing of pools.

The answer's body is handed on as it comes; when the reader is slow, the socket is not read either, so that memory
stays bounded (back-pressure).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools

from karkhana.http.errors import (
    BodyStalled,
    BodyTooLarge,
    BodyTruncated,
    Disconnected,
    HttpError,
    MalformedResponse,
    ResponseTimeout,
)
from karkhana.http.messages import Headers, Url, head_of, value_of
from karkhana.http.watch import Watch

HIGH_WATER = 256 * 1024
"""Bytes of a body that wait for their reader before the socket is left alone."""
LARGEST_HEAD = 64 * 1024
"""Bytes of status line and headers that an answer may have."""
Body = bytes | AsyncIterator[bytes]


class Connection(asyncio.Protocol):
    """A connection that ``asyncio`` drives; made by :class:`karkhana.http.pool.Pool`."""

    def __init__(self, released: Callable[["Connection"], None] | None = None) -> None:
        """``released`` is called when an answer was read or given up."""
        self.transport: asyncio.Transport | None = None
        self.released = released or _forget
        self.idle_since = 0.0
        self.exchanges = 0
        self.lost = False
        self.loop = asyncio.get_running_loop()
        self.watch = Watch(self.loop, self._late)
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._writable: asyncio.Future[None] | None = None
        self._head_bytes = 0

    @property
    def usable(self) -> bool:
        """Whether another request can be sent on it."""
        transport = self.transport
        return (
            self._answer is None
            and not self.lost
            # An answer may come before its request was written to its end.
            and self._writable is None
            and transport is not None
            and not transport.is_closing()
        )

    async def send(
        self,
        method: bytes,
        url: Url,
        target: bytes,
        headers: Headers,
        body: Body | None,
        *,
        head_s: float,
        idle_s: float,
    ) -> "Answer":
        """Send a request and wait up to ``head_s`` seconds for the head of its answer.

        A body of ``bytes`` is announced by its length, an iterator is sent in chunks. Raises an
        :class:`karkhana.http.errors.HttpError`; the connection is closed then.
        """
        assert self.transport is not None
        answer = self._answer = Answer(self, url, method, head_s, idle_s)
        self.exchanges += 1
        self._head_bytes = 0
        # It cannot end the wait for the next piece of somebody's body.
        self.watch.within(head_s)
        try:
            if body is None or isinstance(body, bytes):
                sized = [*headers, (b"content-length", b"%d" % len(body))] if body is not None else headers
                self.transport.write(head_of(method, target, url.host_header, sized) + (body or b""))
            else:
                async with asyncio.timeout(head_s):
                    await self._write_pieces(method, url, target, headers, body)
            await answer.head
        except TimeoutError:
            self.abort()
            raise _response_timeout(url, head_s) from None
        except BaseException:
            # Also when the caller gave up: the answer to this request must never meet the next one.
            self.abort()
            raise
        return answer

    def _late(self) -> None:
        """Nothing came for too long."""
        answer = self._answer
        if answer is None:
            return
        if answer.head.done():
            answer.stalled()
        else:
            answer.fail(_response_timeout(answer.url, answer.head_s))
            self.abort()

    async def _write_pieces(
        self, method: bytes, url: Url, target: bytes, headers: Headers, body: AsyncIterator[bytes]
    ) -> None:
        assert self.transport is not None
        self.transport.write(head_of(method, target, url.host_header, [*headers, (b"transfer-encoding", b"chunked")]))
        async for piece in body:
            if self.lost:
                return
            if piece:
                self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._drained()
        self.transport.write(b"0\r\n\r\n")

    async def _drained(self) -> None:
        if self._writable is not None:
            await self._writable

    def abort(self) -> None:
        """Close at once; whatever is under way fails."""
        if self.transport is not None:
            self.transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Another loop's transports (uvloop) do all that asyncio's do, but are none of its kind.
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # Nobody asked: an origin that talks out of turn is not to be trusted with the next request.
            self.abort()
            return
        if not answer.head.done():
            # Its headers are counted one by one only if they can be too long.
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            answer.fail(MalformedResponse(str(answer.url), f"the answer is no HTTP: {error}"))
            self.abort()
        if self._head_bytes > LARGEST_HEAD and not answer.head.done():
            self._too_long(answer)

    def _too_long(self, answer: "Answer") -> None:
        answer.fail(MalformedResponse(str(answer.url), f"the head is longer than {LARGEST_HEAD} bytes"))
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.watch.close()
        self.resume_writing()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.lost(error)
        # The parser holds us: nobody should have to look for that cycle.
        self._parser = cast(httptools.HttpResponseParser, None)

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        if self._answer is not None:
            self._answer.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        answer = self._answer
        if answer is not None and not answer.head.done():
            answer.headers.append((name, value))

    def on_headers_complete(self) -> None:
        answer = self._answer
        if answer is not None and not answer.head.done() and (status := self._parser.get_status_code()) >= 200:
            if self._head_bytes > LARGEST_HEAD and _size(answer.headers) > LARGEST_HEAD:
                self._too_long(answer)
                return
            self.watch.off()
            answer.begin(status, self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.add(data)

    def on_message_complete(self) -> None:
        answer = self._answer
        # Interim answers (100, 103) are messages of their own.
        if answer is not None and answer.head.done():
            answer.complete = True
            answer.wake()
            if not answer.keep_alive and self.transport is not None:
                self.transport.close()

    def release(self) -> None:
        """The exchange is over and its answer was read."""
        self._answer = None


class Answer:
    """The answer to one request: ``status``, ``headers``, and the body as it comes."""

    __slots__ = (
        "_connection",
        "_error",
        "_held",
        "_idle_s",
        "_method",
        "_paused",
        "_pieces",
        "_waiter",
        "complete",
        "head",
        "head_s",
        "headers",
        "keep_alive",
        "status",
        "url",
    )

    def __init__(self, connection: Connection, url: Url, method: bytes, head_s: float, idle_s: float) -> None:
        self.url = url
        self.head_s = head_s
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = False
        self.complete = False
        self.head: asyncio.Future[None] = connection.loop.create_future()
        self._connection: Connection | None = connection
        self._method = method
        self._idle_s = idle_s
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._error: HttpError | None = None
        self._waiter: asyncio.Future[None] | None = None

    # -- called by the connection

    def begin(self, status: int, keep_alive: bool) -> None:
        self.status = status
        # The parser cannot know that an answer to HEAD has no body, whatever its headers announce.
        self.keep_alive = keep_alive and self._method != b"HEAD"
        self.complete = self._method == b"HEAD"
        if not self.head.done():
            self.head.set_result(None)

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held > HIGH_WATER and not self._paused and self._connection and self._connection.transport:
            self._paused = True
            self._connection.transport.pause_reading()
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: HttpError) -> None:
        if self._error is None and not self.complete:
            self._error = error
        if not self.head.done():
            self.head.set_exception(error)
            # The sender may have been cancelled already.
            self.head.exception()
        self.wake()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone: a body without an announced end ends by that, any other is cut off."""
        if not self.head.done():
            self.fail(Disconnected(str(self.url), f"the connection ended before the answer began{_because(error)}"))
            return
        announced = value_of(self.headers, b"content-length") or value_of(self.headers, b"transfer-encoding")
        if announced is None and error is None:
            self.complete = True
        self.fail(BodyTruncated(str(self.url), f"the connection ended within the answer{_because(error)}"))

    # -- called by the reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body's pieces as they come. Raises :class:`BodyStalled` or :class:`BodyTruncated`."""
        try:
            while True:
                if self._pieces:
                    piece = self._pieces.popleft()
                    self._held -= len(piece)
                    self._go_on()
                    yield piece
                elif self.complete:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    await self._more()
        finally:
            self.close()

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises :class:`BodyTooLarge` beyond ``limit`` bytes."""
        pieces, total = [], 0
        try:
            async for piece in self:
                total += len(piece)
                if total > limit:
                    raise BodyTooLarge(str(self.url), f"the answer is longer than {limit} bytes")
                pieces.append(piece)
        finally:
            self.close()
        return b"".join(pieces)

    def taken(self, limit: int) -> bytes | None:
        """The whole body if it is there already and not longer than ``limit`` bytes; the exchange is over then."""
        if not self.complete or self._held > limit:
            return None
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self.close()
        return body

    def close(self) -> None:
        """Give the connection back, or end it when the answer was not read to its end. May be called twice."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        reusable = self.complete and self.keep_alive and not self._pieces and self._error is None
        if reusable:
            connection.release()
        else:
            connection.abort()
        connection.released(connection)

    def _go_on(self) -> None:
        if self._paused and self._held <= HIGH_WATER // 2 and self._connection and self._connection.transport:
            self._paused = False
            self._connection.transport.resume_reading()

    async def _more(self) -> None:
        connection = self._connection
        assert connection is not None
        self._waiter = connection.loop.create_future()
        connection.watch.within(self._idle_s)
        try:
            await self._waiter
        finally:
            connection.watch.off()
            self._waiter = None

    def stalled(self) -> None:
        """Nothing more came for too long."""
        self.fail(BodyStalled(str(self.url), f"nothing came for {self._idle_s:g} s within the answer"))


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _forget(connection: Connection) -> None:
    """For a connection that belongs to nobody."""


def _response_timeout(url: Url, seconds: float) -> ResponseTimeout:
    return ResponseTimeout(str(url), f"no answer began within {seconds:g} s")


def _because(error: Exception | None) -> str:
    return f": {error}" if error is not None and str(error) else ""
