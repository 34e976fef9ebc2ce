"""Asks a chat server as fast as it answers, over many connections that stay open. For loopback servers.

    >>> # failed = ask(8787, [(b"authorization", b"Bearer kk_...")], body, requests=20000, connections=64)

Written for little CPU of its own: the machine's cores are shared with the server that is measured.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from karkhana.http.loops import run

Headers = Sequence[tuple[bytes, bytes]]


@dataclass
class _Work:
    request: bytes
    expected: bytes
    left: int
    open: int
    done: "asyncio.Future[None]"
    failed: int = 0


class _Client(asyncio.Protocol):
    """One connection: the next request follows the answer to the last one."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._answer = b""
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer = answer = self._answer + data if self._answer else data
        if _whole(answer):
            self._work.failed += not (answer.startswith(b"HTTP/1.1 200 ") and self._work.expected in answer)
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over:
            # What this one would have asked is not asked by another.
            self._work.failed += 1
            self._end()

    def _next(self) -> None:
        self._answer = b""
        if self._work.left > 0:
            self._work.left -= 1
            self._transport.write(self._work.request)  # type: ignore[attr-defined]  # uvloop's is no asyncio.Transport
        else:
            self._end()
            self._transport.close()

    def _end(self) -> None:
        self._over = True
        self._work.open -= 1
        if self._work.open == 0 and not self._work.done.done():
            self._work.done.set_result(None)


def _whole(answer: bytes) -> bool:
    """Whether an answer has come to its end, told by its length or by its last chunk."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower() + b"\r\n"
    start = head.find(b"content-length:")
    if start < 0:
        return answer.endswith(b"0\r\n\r\n")
    return len(answer) >= end + 4 + int(head[start + 15 : head.index(b"\r\n", start)])


def ask(port: int, headers: Headers, body: bytes, expected: bytes, *, requests: int, connections: int) -> int:
    """How many of so many requests did not get the status 200 with ``expected`` in its body."""
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"host: 127.0.0.1:%d" % port, b"content-type: application/json"]
    lines += [b"%b: %b" % pair for pair in headers]
    lines += [b"content-length: %d" % len(body), b"", body]

    async def work() -> int:
        loop = asyncio.get_running_loop()
        given = _Work(b"\r\n".join(lines), expected, requests, connections, loop.create_future())
        for _ in range(connections):
            await loop.create_connection(lambda: _Client(given), "127.0.0.1", port)
        await given.done
        return given.failed + given.left

    return run(work())
