"""A server for ASGI programs that faces clients nobody vouches for. Knows nothing of what is served.

uvicorn starts, stops and counts; the connections are :class:`karkhana.http.protocol.GuardedProtocol`.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from karkhana.http.exchange import Exchange
from karkhana.http.loops import collecting_seldom
from karkhana.http.protocol import GuardedProtocol, Limits

__all__ = ["BreakableProtocol", "GuardedProtocol", "Limits", "listen", "serve", "server"]


class BreakableProtocol(GuardedProtocol):
    """Lets the program break its client's connection, which a rehearsal of faults needs.

    ``scope["extensions"]["karkhana.connection"]`` holds two functions: ``close`` sends what was written and ends the
    connection within the answer, ``reset`` ends it at once with a TCP reset.
    """

    def start(self, exchange: Exchange) -> None:
        functions: dict[object, object] = {"close": self.transport.close, "reset": self._reset}
        exchange.scope["extensions"] = {"karkhana.connection": functions}
        super().start(exchange)

    def _reset(self) -> None:
        made = self.transport.get_extra_info("socket")
        if made is not None:
            # Lingering for no time at all makes the kernel send a reset instead of an orderly end.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def server(
    app: Any,
    limits: Limits | None = None,
    *,
    stop_s: float = 30.0,
    protocol: type[GuardedProtocol] = GuardedProtocol,
    cancelling: bool = False,
    tls: ssl.SSLContext | None = None,
) -> uvicorn.Server:
    """A server for one ASGI program, to be run with ``await server.serve(sockets=[…])``.

    ``cancelling``: what the program does for a client is cancelled when that client leaves. ``tls``: with this
    certificate; without one the server speaks plain HTTP.

    On SIGTERM or SIGINT it takes no new connection and gives answers under way ``stop_s`` seconds.
    """
    chosen = limits or Limits()
    made = type("Protocol", (protocol,), {"limits": chosen, "cancelling": cancelling})
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
    if tls is not None:
        # loaded here, since loading would put another context in its place
        config.load()
        config.ssl = tls
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
                with collecting_seldom():
                    await task
            else:
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
