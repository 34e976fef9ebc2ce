"""Connections to many origins, kept open between requests. Knows nothing of what is sent.

>>> # async with Pool() as pool:
>>> #     answer = await pool.send("POST", Url.parse("http://127.0.0.1:8080/"), [], b"{}")
>>> #     answer.status, await answer.read(1 << 20)
"""

import asyncio
import base64
import functools
import ssl
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from urllib.parse import unquote, urlsplit

import msgspec

from karkhana.http.connection import Answer, Body, Connection
from karkhana.http.errors import ConnectFailed, ConnectTimeout, PoolExhausted
from karkhana.http.messages import Headers, Origin, Url
from karkhana.http.tunnel import Refused, Tunnel


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of clock; the whole exchange is bounded by the caller with ``asyncio.timeout``."""

    connect_s: float = 10.0
    """For name, route, TLS and a proxy's answer, and for waiting until a connection is free."""
    head_s: float = 600.0
    """From the first byte of the request to the head of the answer."""
    idle_s: float = 120.0
    """Between two pieces of the answer's body."""


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections, for how long, and through which proxy."""

    per_origin: int = 1024
    """Connections to one origin at a time."""
    keep_s: float = 60.0
    """Seconds that a connection may wait for its next request; servers often close after 60 to 75."""
    proxies: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Scheme → ``http://[user:password@]host:port``."""
    no_proxy: tuple[str, ...] = ()
    """Hosts, and domains with a leading dot, that are reached directly."""

    @staticmethod
    def from_environment(**others: float) -> "PoolSettings":
        """With the proxies of ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``."""
        found = urllib.request.getproxies_environment()
        direct = tuple(h.strip() for h in found.pop("no", "").split(",") if h.strip())
        proxies = {scheme: found[scheme] for scheme in ("http", "https") if scheme in found}
        return msgspec.convert({"proxies": proxies, "no_proxy": direct, **others}, PoolSettings)


class _Line:
    """The connections to one origin."""

    __slots__ = ("idle", "open", "origin", "released", "waiting")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.released: Callable[[Connection], None]
        self.idle: list[Connection] = []
        self.open = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Pool:
    """Sends requests; at most ``per_origin`` at a time to one origin, the others wait in their order."""

    def __init__(
        self,
        settings: PoolSettings | None = None,
        *,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings or PoolSettings()
        self._timeouts = timeouts or Timeouts()
        self._proxied = bool(self._settings.proxies)
        self._tls = tls
        self._lines: dict[Origin, _Line] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "Pool":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every waiting connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for line in self._lines.values():
            for connection in line.idle:
                connection.abort()
            line.open -= len(line.idle)
            line.idle.clear()

    @property
    def open(self) -> dict[str, int]:
        """How many connections are open, by origin, for a health page."""
        return {f"{o.scheme}://{o.host}:{o.port}": line.open for o, line in self._lines.items() if line.open}

    async def send(
        self, method: str, url: Url, headers: Headers, body: Body | None = None, *, timeouts: Timeouts | None = None
    ) -> Answer:
        """The answer, of which the head has come. It must be read to its end or closed.

        A request is never sent twice: when an old connection turns out to be dead, that is told as ``Disconnected``
        (``may_have_run``), and the caller decides. Raises :class:`karkhana.http.errors.HttpError`.
        """
        limits = timeouts or self._timeouts
        line = self._lines.get(url.origin) or self._line(url.origin)
        connection = self._waiting(line) or await self._acquire(line, url, limits.connect_s)
        try:
            answer = await connection.send(
                method.encode("ascii"),
                url,
                self._target(url) if self._proxied else url.target,
                self._with_credentials(url, headers) if self._proxied else headers,
                body,
                head_s=limits.head_s,
                idle_s=limits.idle_s,
            )
        except BaseException:
            connection.abort()
            line.released(connection)
            raise
        return answer

    def _line(self, origin: Origin) -> _Line:
        line = self._lines[origin] = _Line(origin)
        line.released = functools.partial(self._give_back, line)
        return line

    def _give_back(self, line: _Line, connection: Connection) -> None:
        """The exchange is over: keep the connection for the next one, or forget it."""
        if connection.usable:
            loop = connection.loop
            connection.idle_since = loop.time()
            line.idle.append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._settings.keep_s, self._sweep, loop)
        else:
            line.open -= 1
        _next(line)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """What a burst of requests opened is closed when it was not needed for long enough."""
        self._sweeper = None
        oldest = loop.time() - self._settings.keep_s
        for line in self._lines.values():
            kept = [each for each in line.idle if each.usable and each.idle_since > oldest]
            for connection in set(line.idle).difference(kept):
                connection.abort()
            line.open -= len(line.idle) - len(kept)
            line.idle = kept
        if any(line.idle for line in self._lines.values()):
            self._sweeper = loop.call_later(self._settings.keep_s, self._sweep, loop)

    # -- connections

    def _waiting(self, line: _Line) -> Connection | None:
        """A connection that waits for a request."""
        while line.idle:
            # The newest first: the others get old and are closed when the load falls.
            connection = line.idle.pop()
            if connection.usable and connection.loop.time() - connection.idle_since < self._settings.keep_s:
                return connection
            connection.abort()
            line.open -= 1
        return None

    async def _acquire(self, line: _Line, url: Url, connect_s: float) -> Connection:
        while line.open >= self._settings.per_origin:
            await self._wait(line, url, connect_s)
            connection = self._waiting(line)
            if connection is not None:
                return connection
        line.open += 1
        try:
            return await self._connect(line, url, connect_s)
        except BaseException:
            line.open -= 1
            _next(line)
            raise

    async def _wait(self, line: _Line, url: Url, connect_s: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        line.waiting.append(waiter)
        try:
            async with asyncio.timeout(connect_s):
                await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiter.done() and not waiter.cancelled():
                # Our turn came while we gave up: it is the next one's.
                _next(line)
            if isinstance(error, TimeoutError):
                raise PoolExhausted(str(url), f"all {self._settings.per_origin} connections are busy") from None
            raise
        finally:
            if waiter in line.waiting:
                line.waiting.remove(waiter)

    async def _connect(self, line: _Line, url: Url, connect_s: float) -> Connection:
        try:
            async with asyncio.timeout(connect_s):
                proxy = self._proxy(url)
                if proxy is None or url.origin.scheme == "http":
                    return await self._direct(line, proxy)
                return await self._through(line, url, proxy)
        except TimeoutError:
            raise ConnectTimeout(str(url), f"no connection within {connect_s:g} s") from None
        except OSError as error:
            raise ConnectFailed(str(url), f"no connection: {error}") from error

    async def _direct(self, line: _Line, proxy: str | None) -> Connection:
        loop, origin = asyncio.get_running_loop(), line.origin
        host, port = (origin.host, origin.port) if proxy is None else _address(proxy)
        context = self._context() if origin.scheme == "https" and proxy is None else None
        _, connection = await loop.create_connection(lambda: Connection(line.released), host, port, ssl=context)
        return connection

    async def _through(self, line: _Line, url: Url, proxy: str) -> Connection:
        """A tunnel (RFC 9110, section 9.3.6) with TLS to the origin inside."""
        loop = asyncio.get_running_loop()
        transport, tunnel = await loop.create_connection(Tunnel, *_address(proxy))
        connection = Connection(line.released)
        try:
            await tunnel.open(transport, f"{url.origin.host}:{url.origin.port}".encode(), _credentials(proxy))
            secured = await loop.start_tls(transport, connection, self._context(), server_hostname=url.origin.host)
        except Refused as refused:
            transport.abort()
            raise ConnectFailed(str(url), f"the proxy opened no tunnel: {refused}") from refused
        except BaseException:
            transport.abort()
            raise
        if secured is None:
            raise ConnectFailed(str(url), "the proxy closed the tunnel")
        connection.connection_made(secured)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    # -- proxies

    def _proxy(self, url: Url) -> str | None:
        host = url.origin.host
        for name in self._settings.no_proxy:
            if name in (host, "*") or host.endswith(name if name.startswith(".") else f".{name}"):
                return None
        return self._settings.proxies.get(url.origin.scheme)

    def _target(self, url: Url) -> bytes:
        if url.origin.scheme == "http" and self._settings.proxies and self._proxy(url):
            return b"http://%b%b" % (url.host_header, url.target)
        return url.target

    def _with_credentials(self, url: Url, headers: Headers) -> Headers:
        if url.origin.scheme == "http" and self._settings.proxies and (proxy := self._proxy(url)):
            return [*headers, *_credentials(proxy)]
        return headers


def _next(line: _Line) -> None:
    """Whoever has waited longest may try again."""
    while line.waiting:
        waiter = line.waiting.popleft()
        if not waiter.done():
            waiter.set_result(None)
            break


def _address(proxy: str) -> tuple[str, int]:
    parts = urlsplit(proxy)
    return parts.hostname or "", parts.port or 80


def _credentials(proxy: str) -> list[tuple[bytes, bytes]]:
    parts = urlsplit(proxy)
    if not parts.username:
        return []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [(b"proxy-authorization", b"Basic " + base64.b64encode(pair.encode()))]
