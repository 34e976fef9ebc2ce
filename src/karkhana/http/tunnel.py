"""Asks a proxy for a tunnel to an origin (RFC 9110, section 9.3.6). Knows nothing of what goes through it."""

import asyncio

from karkhana.http.messages import Headers

LARGEST_HEAD = 16 * 1024
"""Bytes of a proxy's answer."""


class Refused(Exception):
    """The proxy opened no tunnel; the text says what it answered."""


class Tunnel(asyncio.Protocol):
    """The conversation with the proxy, before TLS takes the connection over."""

    def __init__(self) -> None:
        self._head = b""
        self._answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._answered.done():
            if b"\r\n\r\n" in self._head:
                self._answered.set_result(self._head)
            elif len(self._head) > LARGEST_HEAD:
                self._answered.set_exception(Refused("its answer is too long"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_exception(Refused(f"it closed the connection{f': {error}' if error else ''}"))

    async def open(self, transport: asyncio.Transport, authority: bytes, credentials: Headers) -> None:
        """Ask for a tunnel to ``authority`` (``host:port``). Raises :class:`Refused`."""
        lines = [b"CONNECT %b HTTP/1.1" % authority, b"host: %b" % authority]
        lines += [b"%b: %b" % pair for pair in credentials]
        transport.write(b"\r\n".join([*lines, b"", b""]))
        line = (await self._answered).split(b"\r\n", 1)[0]
        if line.split(b" ", 2)[1:2] != [b"200"]:
            raise Refused(line.decode("latin-1"))
