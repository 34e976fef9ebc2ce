"""Live updates: one look at the database for everybody who watches, and each change rendered once.

A page that watches a run, or what some people may see of the factory (any other topic), gets a stream of server-sent
events (WHATWG HTML, "Server-sent events"). A reader that does not keep up is let go and comes back with
``Last-Event-ID``; nothing piles up here. Knows nothing of what is rendered.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import structlog

from karkhana.domain.errors import KarkhanaError
from karkhana.storage.run_lists import Head, RunLists

_log = structlog.get_logger(__name__)
POLL_S = 0.15
FACTORY_S = 0.3
"""Seconds between two updates of the factory, which changes with each event of each run."""
AWAY_S = 2.0
"""Seconds until the next look when the database could not be read."""
BEAT_S = 15.0
"""Seconds of silence after which a reader is sent a comment, so that nothing between takes the connection for dead."""
PENDING = 16
"""Updates that may wait for one reader."""
RUN = "run_"
"""What the topic of a run begins with; all other topics are of the factory."""

Renderer = Callable[[str, int], bytes]
"""Topic and the number of the last event that is known → the body of one update."""


class Listener:
    """One reader."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.updates: asyncio.Queue[bytes | None] = asyncio.Queue(PENDING)

    def offer(self, update: bytes | None) -> bool:
        """Whether there was room for it."""
        try:
            self.updates.put_nowait(update)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """Who watches what. Belongs to one event loop."""

    def __init__(self, lists: RunLists, render: Renderer) -> None:
        self._lists = lists
        self._render = render
        self._listeners: dict[str, set[Listener]] = {}
        self._heads: dict[str, Head] = {}
        self._latest: dict[str, asyncio.Future[bytes]] = {}
        """Of each topic of the factory that somebody watches: the newest update, or the first that is being made."""
        self._looked = 0.0
        self._pulse: tuple[Any, ...] = ()
        self._wanted = asyncio.Event()
        self._closed = False

    @property
    def listeners(self) -> int:
        """Readers at the moment."""
        return sum(len(each) for each in self._listeners.values())

    async def watch(self) -> None:
        """Look for changes as long as somebody is there to be told. Runs until it is cancelled."""
        while True:
            await self._wanted.wait()
            try:
                well = await self._look()
            except KarkhanaError:
                # The database is away for a moment; whoever watches waits, as pages that are loaded would say why.
                well = False
            await asyncio.sleep(POLL_S if well else AWAY_S)

    async def stream(self, topic: str, after: int) -> AsyncIterator[bytes]:
        """The updates of a topic from event ``after`` on, until the reader leaves or the server stops."""
        listener = Listener(topic)
        self._listeners.setdefault(topic, set()).add(listener)
        self._wanted.set()
        try:
            yield b"retry: 1500\n\n"
            if topic.startswith(RUN):
                missed = await self._missed(topic, after)
            else:
                missed = await self._newest(topic)
            if missed:
                yield missed
            while not self._closed:
                try:
                    update = await asyncio.wait_for(listener.updates.get(), BEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if update is None:
                    return
                yield update
        finally:
            self._leave(listener)

    def close(self) -> None:
        """End all streams: the server stops."""
        self._closed = True
        for listener in [each for some in self._listeners.values() for each in some]:
            if not listener.offer(None):
                with contextlib.suppress(asyncio.QueueEmpty):
                    listener.updates.get_nowait()
                listener.offer(None)

    async def _missed(self, run_id: str, after: int) -> bytes:
        """What a page that knows events up to ``after`` does not know; empty: nothing."""
        if run_id not in self._heads:
            # Before what is missing is read: from here on the others' looks tell of everything newer.
            heads = await asyncio.to_thread(self._lists.heads, [run_id])
            self._heads.update({run: head for run, head in heads.items() if run not in self._heads})
        head = self._heads.get(run_id)
        if head is not None and after >= head.seq and not head.finished:
            return b""
        return await asyncio.to_thread(self._render, run_id, after)

    async def _newest(self, topic: str) -> bytes:
        """The factory as whoever else watches it has it; made once for all who come at the same time."""
        known = self._latest.get(topic)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            known = self._latest[topic] = self._making(topic)
        # who leaves takes nothing away from the others
        return await asyncio.shield(known)

    def _making(self, topic: str) -> "asyncio.Future[bytes]":
        return asyncio.ensure_future(self._rendered(topic, 0))

    async def _rendered(self, topic: str, after: int) -> bytes:
        return await asyncio.to_thread(self._render, topic, after)

    async def _look(self) -> bool:
        """Whether everything that is new could be told."""
        well = True
        runs = [topic for topic in self._listeners if topic.startswith(RUN)]
        due = len(runs) < len(self._listeners) and time.monotonic() - self._looked >= FACTORY_S
        heads, pulse = await asyncio.to_thread(self._read, runs, due)
        for run_id, head in heads.items():
            known = self._heads.get(run_id)
            if known in (None, head) or await self._update(run_id, self._rendered(run_id, known.seq)):
                self._heads[run_id] = head
            else:
                # the next look tells of it again
                well = False
        for gone in self._heads.keys() - self._listeners.keys():
            del self._heads[gone]
        if pulse is not None and pulse != self._pulse:
            self._pulse, self._looked = pulse, time.monotonic()
            # also the first time: something may have happened after the first reader's page was made
            for topic in [each for each in self._listeners if not each.startswith(RUN)]:
                self._latest[topic] = made = self._making(topic)
                if not await self._update(topic, made):
                    well, self._pulse = False, ()
        return well

    async def _update(self, topic: str, made: Awaitable[bytes]) -> bool:
        """Tell it to everybody who watches; whether it could be made."""
        try:
            self._tell(topic, await made)
        except Exception as error:
            # whatever is wrong with one run, its readers' page says it; all other readers go on
            _log.error("live.failed", topic=topic, error=str(error), exc_info=not isinstance(error, KarkhanaError))
            return False
        return True

    def _read(self, runs: Collection[str], factory: bool) -> tuple[dict[str, Head], tuple[Any, ...] | None]:
        return (self._lists.heads(runs) if runs else {}), (self._lists.pulse() if factory else None)

    def _tell(self, topic: str, update: bytes) -> None:
        for listener in list(self._listeners.get(topic, ())):
            if not listener.offer(update):
                # it has not read sixteen updates: let it go, it comes back and is told all at once
                self._leave(listener)
                with contextlib.suppress(asyncio.QueueEmpty):
                    listener.updates.get_nowait()
                listener.offer(None)

    def _leave(self, listener: Listener) -> None:
        some = self._listeners.get(listener.topic, set())
        some.discard(listener)
        if not some:
            self._listeners.pop(listener.topic, None)
            self._latest.pop(listener.topic, None)
        if not self._listeners:
            self._wanted.clear()
            self._pulse = ()
