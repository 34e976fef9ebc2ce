"""Remembers answers to requests at temperature 0, in the memory of one process. Knows nothing of providers.

An answer is kept only when it is complete, a stream only when its client read it to the end. It is given again as the
same bytes, whole or as a stream, to those who would share it (:class:`karkhana.routing.settings.CacheSettings`), after
they were let in like for any other request. Of a request only the SHA-256 is kept.

>>> cache, place = Cache(CacheSettings(entries=1)), Place("p", "m", "1")
>>> cache.keep("a", Kept(b"{}", place, False)); cache.keep("b", Kept(b"[]", place, False))
>>> cache.find("a") is None, cache.find("b").body, cache.entries
(True, b'[]', 1)
"""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from karkhana.domain.spending import Account
from karkhana.http.messages import Headers
from karkhana.routing.attempt import Place
from karkhana.routing.gateway.cacheable import identity, wishes
from karkhana.routing.gateway.doors import Peek
from karkhana.routing.gateway.sending import Kept, Streaming
from karkhana.routing.settings import CacheSettings
from karkhana.routing.wires.wire import Wire

_OVERHEAD = 1024
"""Bytes that an entry takes beside its answer."""
_SHARE = 8
"""No answer takes more than this part of the memory."""
_LAST_EVENTS: dict[str, tuple[bytes, ...]] = {
    "openai": (b"data: [DONE]", b"data:[DONE]"),
    "openai_responses": (b"event: response.completed",),
    "anthropic": (b"event: message_stop",),
}
"""How the last event of a stream that came to its end begins; streams of other wires do not say so."""


class Breakable(Streaming, Protocol):
    """An answer in pieces that may break off."""

    failed: bool


class Cache:
    """The least recently asked for are forgotten first."""

    def __init__(self, settings: CacheSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.hits = 0
        self.misses = 0
        self.bytes = 0
        self._clock = clock
        self._most = settings.megabytes << 20
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    @property
    def entries(self) -> int:
        return len(self._kept)

    @property
    def largest(self) -> int:
        """Bytes of an answer that can be kept."""
        return self._most // _SHARE

    def slot(self, wire: Wire, headers: Headers, account: Account, seen: Peek, body: bytes) -> "Slot | None":
        """The place of a request's answer; ``None`` if it may not be answered from memory."""
        if seen.temperature != 0 or (seen.stream and wire.name not in _LAST_EVENTS):
            return None
        wanted = wishes(headers)
        if b"no-store" in wanted:
            return None
        door = f"{wire.name} {'stream' if seen.stream else 'whole'}"
        name = identity(door, self._scope(account), seen.model, headers, body)
        if name is None:
            return None
        found = None if b"no-cache" in wanted else self.find(name)
        self.hits += found is not None
        self.misses += found is None
        return Slot(self, name, wire, found)

    def find(self, name: str) -> Kept | None:
        """The answer that is kept under a name and is not too old."""
        found = self._kept.get(name)
        if found is None:
            return None
        if self._clock() - found.since >= self.settings.ttl_s:
            self._drop(name)
            return None
        self._kept.move_to_end(name)
        return found

    def keep(self, name: str, answer: Kept) -> None:
        """Remember an answer; one that is too large is not."""
        if len(answer.body) > self.largest:
            return
        if name in self._kept:
            self._drop(name)
        self._kept[name] = answer._replace(since=self._clock())
        self.bytes += len(answer.body) + _OVERHEAD
        while len(self._kept) > self.settings.entries or self.bytes > self._most:
            self._drop(next(iter(self._kept)))

    def age_s(self, answer: Kept) -> float:
        return self._clock() - answer.since

    def clear(self) -> None:
        """Forget all answers, e.g. because others would give them now."""
        self._kept.clear()
        self.bytes = 0

    def _drop(self, name: str) -> None:
        self.bytes -= len(self._kept.pop(name).body) + _OVERHEAD

    def _scope(self, account: Account) -> str:
        share = self.settings.share
        if share == "all":
            return ""
        return f"team:{account.team}" if share == "team" and account.team else f"key:{account.key_id}"


class Slot:
    """Where the answer of one request is kept, or will be."""

    def __init__(self, cache: Cache, name: str, wire: Wire, found: Kept | None) -> None:
        self.found = found
        self._cache = cache
        self._name = name
        self._wire = wire

    @property
    def age_s(self) -> int:
        """Seconds since the answer came that was found."""
        return 0 if self.found is None else int(self._cache.age_s(self.found))

    def keep(self, body: bytes, place: Place) -> None:
        """A whole answer, which is sent with status 200."""
        self._cache.keep(self._name, Kept(body, place, stream=False))

    def recorded(self, answer: Breakable, place: Place) -> "Recorded":
        """A stream that is kept when it comes to its end."""
        return Recorded(answer, self._cache.largest, lambda body: self._keep_stream(body, place))

    def _keep_stream(self, body: bytes, place: Place) -> None:
        last = body.replace(b"\r\n", b"\n").rstrip(b"\n").rpartition(b"\n\n")[2]
        if last.startswith(_LAST_EVENTS[self._wire.name]):
            self._cache.keep(self._name, Kept(body, place, stream=True))


class Recorded:
    """A stream that is written down while it passes."""

    def __init__(self, answer: Breakable, largest: int, ended: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._largest = largest
        self._ended = ended

    async def pieces(self) -> AsyncIterator[bytes]:
        held: list[bytes] = []
        size = 0
        async for piece in self._answer.pieces():
            size += len(piece)
            if size <= self._largest:
                held.append(piece)
            else:
                held.clear()
            yield piece
        # Whoever does not read to the end never gets here.
        if size <= self._largest and not self._answer.failed:
            self._ended(b"".join(held))

    def close(self) -> None:
        self._answer.close()
