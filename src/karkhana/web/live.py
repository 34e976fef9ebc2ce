"""Live updates: one look at the database for everybody who watches, and each change rendered once.

A page that watches a run, or what some people may see of the factory (any other topic), gets a stream of server-sent
events (WHATWG HTML, "Server-sent events"). A reader that does not keep up is let go and comes back with
``Last-Event-ID``; nothing piles up here. Knows nothing of what is rendered.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from karkhana.domain.errors import KarkhanaError
from karkhana.storage.run_lists import Head, RunLists

POLL_S = 0.15
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
                await self._look()
            except KarkhanaError:
                # The database is away for a moment; whoever watches waits, as pages that are loaded would say why.
                await asyncio.sleep(AWAY_S)
            await asyncio.sleep(POLL_S)

    async def stream(self, topic: str, after: int) -> AsyncIterator[bytes]:
        """The updates of a topic from event ``after`` on, until the reader leaves or the server stops."""
        listener = Listener(topic)
        self._listeners.setdefault(topic, set()).add(listener)
        self._wanted.set()
        try:
            yield b"retry: 1500\n\n"
            if topic not in self._heads and topic.startswith(RUN):
                # Before what is missing is read: from here on the others' looks tell of everything newer.
                heads = await asyncio.to_thread(self._lists.heads, [topic])
                self._heads.update({run: head for run, head in heads.items() if run not in self._heads})
            yield await asyncio.to_thread(self._render, topic, after)
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

    async def _look(self) -> None:
        runs = [topic for topic in self._listeners if topic.startswith(RUN)]
        others = [topic for topic in self._listeners if not topic.startswith(RUN)]
        heads, pulse = await asyncio.to_thread(self._read, runs, bool(others))
        for run_id, head in heads.items():
            known = self._heads.get(run_id)
            self._heads[run_id] = head
            if known is not None and known != head:
                self._tell(run_id, await asyncio.to_thread(self._render, run_id, known.seq))
        for gone in self._heads.keys() - self._listeners.keys():
            del self._heads[gone]
        if pulse is not None and pulse != self._pulse:
            known_pulse, self._pulse = self._pulse, pulse
            for topic in others if known_pulse else ():
                self._tell(topic, await asyncio.to_thread(self._render, topic, 0))

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
        if not self._listeners:
            self._wanted.clear()
            self._pulse = ()
