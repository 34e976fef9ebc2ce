"""Ends the streams of whoever is let in no more: at once when they sign out here, else before the next thing is told.

A stream looks at its reader's session before it passes anything on, at most once a second, so that a sign-out in
another process, a token that is revoked, or a change of roles ends it with the next update or beat. Knows nothing of
what streams tell.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Send

from karkhana.domain.access import Principal
from karkhana.web.visitors import Standing

STREAM = "text/event-stream"


class Ending:
    """One request's way in and out: adds headers, and can end a stream as if its reader had left."""

    def __init__(self, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        self._headers = headers
        self._receive = receive
        self._send = send
        self._over = asyncio.Event()
        self._complete = False
        self.streaming = False
        self.watch: Watch | None = None

    def end(self) -> None:
        """Pass nothing more on."""
        if self.streaming:
            self._over.set()

    async def send(self, message: Message) -> None:
        """Of the program."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
            self.streaming = headers.get("content-type", "").startswith(STREAM)
        elif message["type"] == "http.response.body":
            more = message.get("more_body", False)
            if self.streaming and more and (self._over.is_set() or not await self._holds()):
                self._over.set()
                return
            self._complete = not more
        await self._send(message)

    async def receive(self) -> Message:
        """Of the program; a stream that is over has lost its reader."""
        if self.watch is None:
            return await self._receive()
        # also before the answer has begun: a stream waits for its reader to leave from the first moment on
        coming = asyncio.ensure_future(self._receive())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((coming, over), return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            coming.cancel()
            over.cancel()

    async def finish(self) -> None:
        """Close what was ended here, so that the reader sees an orderly end."""
        if self._over.is_set() and not self._complete:
            self._complete = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _holds(self) -> bool:
        return self.watch is None or await self.watch.holds()


class Watch:
    """Whether one reader is still let in."""

    def __init__(self, standing: Standing, principal: Principal, session_id: str) -> None:
        self._standing = standing
        self._principal = principal
        self._session_id = session_id

    async def holds(self) -> bool:
        known = self._standing.known(self._principal, self._session_id)
        if known is not None:
            # nearly always: hundreds of readers of one session are looked up once a second
            return known
        return await run_in_threadpool(self._standing.holds, self._principal, self._session_id)


class Streams:
    """All that are open in this process, by session."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._open: dict[str, set[Ending]] = {}

    @contextlib.contextmanager
    def watching(self, ending: Ending, principal: Principal | None, session_id: str) -> Iterator[None]:
        """While the request is answered."""
        if principal is None:
            yield
            return
        ending.watch = Watch(self._standing, principal, session_id)
        self._open.setdefault(session_id, set()).add(ending)
        try:
            yield
        finally:
            some = self._open[session_id]
            some.discard(ending)
            if not some:
                del self._open[session_id]

    def end(self, session_id: str) -> None:
        """Somebody signed out."""
        for ending in list(self._open.get(session_id, ())):
            ending.end()
