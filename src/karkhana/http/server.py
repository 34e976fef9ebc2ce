"""A server for ASGI programs that faces clients nobody vouches for. Knows nothing of what is served.

uvicorn parses and writes; what it leaves open is closed here: a head must come in time and stay small, a body must
keep coming, an idle connection is closed, and beyond a number of connections new ones are refused at once.

Source of the attacks: slow HTTP ("slowloris", CVE-2007-6750) and header floods.
"""

import asyncio
import contextlib
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may take."""

    head_s: float = 10.0
    """Seconds from the first byte of a request (or the connection) to the end of its headers."""
    body_idle_s: float = 30.0
    """Seconds between two pieces of a request's body."""
    keep_s: float = 75.0
    """Seconds that a connection may wait for its next request."""
    head_bytes: int = 64 * 1024
    """Bytes of request line and headers."""
    headers: int = 128
    """Headers of one request."""
    connections: int = 4096
    """Connections at a time."""


_IDLE, _HEAD, _BODY = "idle", "head", "body"


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with :class:`Limits`; ``limits`` is set by :func:`server`."""

    limits = Limits()

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)
        self._timer: asyncio.TimerHandle | None = None
        self._part = _IDLE
        self._head_bytes = self._header_bytes = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections")
        else:
            self._watch(self.limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        # Most requests come in one piece, and need no timer at all.
        if self._part == _IDLE:
            self._unwatch()
        elif self._part == _BODY:
            self._watch(self.limits.body_idle_s)
        else:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes:
                self._refuse(431, "the headers are too long")
            elif self._timer is None:
                self._watch(self.limits.head_s)

    def on_message_begin(self) -> None:
        self._part = _HEAD
        self._head_bytes = self._header_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        if len(self.headers) > self.limits.headers or self._header_bytes > self.limits.head_bytes:
            self._refuse(431, "the headers are too long")

    def on_headers_complete(self) -> None:
        self._part = _BODY
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._part = _IDLE
        if not self._refused:
            super().on_message_complete()

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._timer = self.loop.call_later(seconds, self._late)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._part == _BODY and self.flow.read_paused:
            # We are slow, not the client.
            self._watch(self.limits.body_idle_s)
            return
        self._refuse(408, "the request did not come in time")

    def _refuse(self, status: int, message: str) -> None:
        self._unwatch()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            text = message.encode()
            head = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()), b"connection: close"]
            head += [b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(text), b"", text]
            self.transport.write(b"\r\n".join(head))
        self.transport.close()


class BreakableProtocol(GuardedProtocol):
    """Lets the program break its client's connection, which a rehearsal of faults needs.

    ``scope["extensions"]["karkhana.connection"]`` holds two functions: ``close`` sends what was written and ends the
    connection within the answer, ``reset`` ends it at once with a TCP reset.
    """

    def on_message_begin(self) -> None:
        super().on_message_begin()
        functions: dict[object, object] = {"close": self.transport.close, "reset": self._reset}
        self.scope["extensions"] = {"karkhana.connection": functions}

    def _reset(self) -> None:
        made = self.transport.get_extra_info("socket")
        if made is not None:
            # Lingering for no time at all makes the kernel send a reset instead of an orderly end.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def server(
    app: Any, limits: Limits | None = None, *, stop_s: float = 30.0, protocol: type[GuardedProtocol] = GuardedProtocol
) -> uvicorn.Server:
    """A server for one ASGI program, to be run with ``await server.serve(sockets=[…])``.

    On SIGTERM or SIGINT it takes no new connection and gives answers under way ``stop_s`` seconds.
    """
    chosen = limits or Limits()
    made = type("Protocol", (protocol,), {"limits": chosen})
    config = uvicorn.Config(
        app,
        http=made,
        ws="none",
        loop="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_config=None,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(chosen.keep_s),
        timeout_graceful_shutdown=int(stop_s),
        backlog=2048,
    )
    return uvicorn.Server(config)


async def serve(made: uvicorn.Server, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT comes, or ``made.should_exit`` is set; ``ready`` is called once it listens."""
    with _signals_end_quietly():
        task = asyncio.ensure_future(made.serve(sockets=[listening]))
        try:
            while not made.started and not task.done():  # noqa: ASYNC110 - uvicorn tells it by this attribute only
                await asyncio.sleep(0.005)
            if made.started:
                ready()
            await task
        finally:
            made.should_exit = True
            listening.close()


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more, for the handler that was there before: here for none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    made.set_inheritable(True)
    return made
