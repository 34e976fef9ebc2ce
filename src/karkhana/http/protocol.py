"""A server's side of one connection, for clients nobody vouches for. Knows nothing of what is served.

httptools parses. A head must come in time and stay small, a body must keep coming, a connection that waits for its
next request is closed in the end, and beyond a number of connections new ones are refused at once.

Source of the attacks: slow HTTP ("slowloris", CVE-2007-6750) and header floods.
"""

import asyncio
import functools
import urllib.parse
from collections import deque
from http import HTTPStatus
from typing import Any, cast

import httptools
import msgspec
import uvicorn

from karkhana.http.exchange import Exchange, Program
from karkhana.http.watch import Watch

LONGEST_KNOWN = 256
"""Bytes of a target up to which it is remembered how it reads."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may take."""

    head_s: float = 10.0
    """Seconds from the first byte of a request (or the connection) to the end of its headers."""
    body_idle_s: float = 30.0
    """Seconds between two pieces of a request's body."""
    body_s: float = 600.0
    """Seconds for all of a body."""
    keep_s: float = 75.0
    """Seconds that a connection may wait for its next request."""
    head_bytes: int = 64 * 1024
    """Bytes of request line and headers."""
    headers: int = 128
    """Headers of one request."""
    connections: int = 4096
    """Connections at a time."""
    room_s: float = 1.0
    """Seconds for which a connection that waits for a request is kept although another one wants its place."""
    pipelined: int = 32
    """Requests of one connection that may wait for the answers to earlier ones."""
    ignored_bytes: int = 1 << 20
    """Bytes that are read after a request was answered or refused, so that the client comes to see the answer."""
    linger_s: float = 2.0
    """Seconds for which they are read once nothing more is said to the client (RFC 9112, section 9.6)."""


_IDLE, _HEAD, _BODY = "idle", "head", "body"


class GuardedProtocol(asyncio.Protocol):
    """One connection; ``limits`` is set by :func:`karkhana.http.server.server`, which also makes these."""

    limits = Limits()
    cancelling = False
    """Whether a program's work ends as soon as its client is gone; else it is told by ``http.disconnect``."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.writable: asyncio.Future[None] | None = None
        self._program = cast(Program, config.loaded_app)
        self._server = server_state
        self._state = app_state
        self._parser = httptools.HttpRequestParser(self)
        # What a client sends after its last request is ignored, not taken for a fault of that request.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._addresses: tuple[tuple[str, int] | None, tuple[str, int] | None] = (None, None)
        self._exchange: Exchange | None = None
        """The newest one."""
        self._answering: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        """Requests that came before the answer to an earlier one was written."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects = False
        self._part = _IDLE
        self._head_bytes = self._header_bytes = self._ignored = 0
        self._body_end = 0.0
        self._refused = self._paused = self._lingers = False
        self._watch = Watch(self.loop, self._late)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Another loop's transports (uvloop) do all that asyncio's do, but are none of its kind.
        self.transport = cast(asyncio.Transport, transport)
        self._addresses = (_address(transport, "sockname"), _address(transport, "peername"))
        self._server.connections.add(self)
        if len(self._server.connections) > self.limits.connections and not self._made_room():
            self._refuse(503, "too many connections")
        else:
            self._watch.within(self.limits.head_s)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._watch.close()
        self._lose_exchanges()
        self.resume_writing()
        # The parser holds us, and what was sent: nobody should have to look for that cycle.
        self._parser = cast(httptools.HttpRequestParser, None)

    def _lose_exchanges(self) -> None:
        for exchange in (self._answering, self._exchange, *self._queue):
            if exchange is not None:
                exchange.lost()
                if self.cancelling and exchange.gone and exchange.task is not None:
                    exchange.task.cancel()
        self._queue.clear()
        self._answering = self._exchange = None

    def pause_writing(self) -> None:
        self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._refused or self._lingers:
            self._ignored += len(data)
            if self._ignored > self.limits.ignored_bytes:
                self.transport.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The client may ask for another protocol; it is answered on this one (RFC 9110, section 7.8).
            pass
        except httptools.HttpParserError:
            self._refuse(400, "this is no HTTP request")
            return
        part = self._part
        if part == _IDLE:
            exchange = self._exchange
            if exchange is not None and not exchange.complete:
                # A program at work has all the time it wants.
                self._watch.off()
        elif part == _BODY:
            self._watch.within(min(self.limits.body_idle_s, self._body_end - self.loop.time()))
        else:
            self._more_of_head(len(data))

    def _more_of_head(self, size: int) -> None:
        # The time of a head counts from its first byte.
        if self._head_bytes == 0:
            self._watch.within(self.limits.head_s)
        self._head_bytes += size
        if self._head_bytes > self.limits.head_bytes:
            self._refuse(431, "the headers are too long")

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        self._part = _HEAD
        self._url, self._headers, self._expects = b"", [], False
        self._head_bytes = self._header_bytes = self._ignored = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        headers = self._headers
        headers.append((name, value))
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > self.limits.head_bytes or len(headers) > self.limits.headers:
            self._refuse(431, "the headers are too long")
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects = True

    def on_headers_complete(self) -> None:
        self._part = _BODY
        self._body_end = self.loop.time() + self.limits.body_s
        if self._refused:
            return
        url, parser = self._url, self._parser
        path, raw_path, query = _known_target(url) if len(url) <= LONGEST_KNOWN else _target(url)
        version = parser.get_http_version()
        server, client = self._addresses
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "server": server,
            "client": client,
            "state": self._state.copy(),
        }
        keep_alive = version == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()
        earlier, exchange = self._exchange, Exchange(self, scope, keep_alive=keep_alive, expects=self._expects)
        self._exchange = exchange
        if earlier is None or earlier.complete:
            self.start(exchange)
        elif len(self._queue) < self.limits.pipelined:
            self.pause()
            self._queue.append(exchange)
        else:
            self._refuse(503, "too many requests at once")

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if self._refused or exchange is None:
            return
        if exchange.complete:
            self._ignored += len(body)
            if self._ignored > self.limits.ignored_bytes:
                self._refused = True
                self.transport.close()
        else:
            exchange.feed(body)

    def on_message_complete(self) -> None:
        self._part = _IDLE
        exchange = self._exchange
        if self._refused or exchange is None:
            return
        exchange.end()
        if exchange.complete:
            self._watch.within(self.limits.keep_s)

    # -- karkhana.http.exchange.Client

    def start(self, exchange: Exchange) -> None:
        """Have a request answered."""
        self._answering = exchange
        exchange.task = task = self.loop.create_task(exchange.run(self._program))
        # The loop itself holds tasks only weakly.
        self._server.tasks.add(task)

    def ended(self, exchange: Exchange) -> None:
        self._server.tasks.discard(exchange.task)
        exchange.task = None

    def pause(self) -> None:
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self._queue and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def leave(self) -> None:
        """Say no more, and close when the client has done so, or not in time.

        A socket that is closed with something unread is reset, and what was written is lost with it.
        """
        if self._lingers or self.transport.is_closing():
            return
        if len(self._server.connections) > 2 * self.limits.connections or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._lingers = True
        self.transport.write_eof()
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        self._watch.within(self.limits.linger_s)

    def answered(self, exchange: Exchange) -> None:
        self._server.total_requests += 1
        if self._lingers:
            return
        if self._queue:
            self.start(self._queue.popleft())
        if self._paused:
            self.resume()
        if self._part == _IDLE and exchange is self._exchange:
            self._watch.within(self.limits.keep_s)

    # -- uvicorn.Server

    def shutdown(self) -> None:
        """Take no further request, and close when the last one is answered."""
        if self._lingers or self._exchange is None or self._exchange.complete:
            self.transport.close()
        else:
            self._exchange.keep_alive = False

    # -- the guard

    def _made_room(self) -> bool:
        """Whether another connection gave way, one that waits for a request; what is under way is never touched."""
        for other in self._server.connections:
            if other is not self and other.waited_s > self.limits.room_s:
                other._refuse(408, "others want this connection's place")
                return True
        return False

    @property
    def waited_s(self) -> float:
        """Seconds since this connection could have sent a request and did not; 0 while one is under way."""
        if self._refused or self._lingers or self._part == _BODY:
            return 0.0
        if self._exchange is not None and not self._exchange.complete:
            return 0.0
        allowed = self.limits.head_s if self._part == _HEAD or self._exchange is None else self.limits.keep_s
        return allowed - self._watch.left_s

    def _late(self) -> None:
        if self.transport.is_closing():
            return
        if self._lingers:
            self.transport.close()
        elif self._part == _BODY and self._paused:
            # We are slow, not the client.
            self._watch.within(self.limits.body_idle_s)
        elif self._part == _IDLE and self._exchange is not None:
            self.transport.close()
        else:
            self._refuse(408, "the request did not come in time")

    def _refuse(self, status: int, message: str) -> None:
        self._watch.off()
        if self._refused or self._lingers or self.transport.is_closing():
            return
        self._refused = True
        self._ignored = 0
        under_way = self._answering
        if under_way is None or under_way.complete or not under_way.started:
            text = message.encode()
            head = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()), b"connection: close"]
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                head.append(b"retry-after: 1")
            head += [b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(text), b"", text]
            self.transport.write(b"\r\n".join(head))
            # nothing of theirs is to follow what was said
            self._lose_exchanges()
            self.leave()
        else:
            self.transport.close()


def _target(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, path as it was written, and query."""
    found = httptools.parse_url(url)
    raw = found.path or b"/"
    path = raw.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, raw, found.query or b""


_known_target = functools.lru_cache(maxsize=1024)(_target)


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) and len(found) >= 2 else None
