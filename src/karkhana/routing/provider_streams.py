"""A provider's answer that is still coming: as deltas, or as the bytes that they were. Knows nothing of providers.

Both end by their deadline, are bounded in bytes, and must be read to their end or closed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

from karkhana.domain.chat import Delta, Started, Stopped, Usage
from karkhana.http.connection import Answer
from karkhana.http.errors import BodyStalled, HttpError
from karkhana.http.messages import Headers
from karkhana.routing.faults import ProviderFault
from karkhana.routing.provider_faults import broken, cleaned, fault_of
from karkhana.routing.sse import EventTooLarge
from karkhana.routing.wires.metering import Meter
from karkhana.routing.wires.wire import Wire

LINGER_S = 1.0
"""Seconds that the end of a connection's answer may take once all was said; then the connection is given up."""
LOOKED_AT = 64 << 10
"""Bytes of a passed-on stream in which its beginning is looked for."""
NONSENSE = (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError)
"""What reading an answer of an unforeseen shape raises."""


class Pieces:
    """The body of an answer, by a time and up to a number of bytes."""

    def __init__(self, answer: Answer, secret: str, end: float, largest: int) -> None:
        """``end`` is a time of the event loop."""
        self._answer = answer
        self._secret = secret
        self._left = largest
        self._body: AsyncIterator[bytes] = aiter(answer)
        # One timer for all pieces; a timeout around each of them would cost more than the piece.
        self._timer = asyncio.get_running_loop().call_at(end, self._late)

    async def next(self) -> bytes | None:
        """The next piece, ``None`` at the end. Raises ``ProviderFault``."""
        try:
            piece = await anext(self._body, None)
        except HttpError as error:
            raise cleaned(fault_of(error), self._secret) from error
        self._left -= len(piece or b"")
        if self._left < 0:
            raise broken("the answer is longer than what is borne")
        return piece

    async def finish(self, seconds: float) -> None:
        """Read what is left, for so many seconds, so that the connection can be used again."""
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)
        # The answer is whole; how its connection ended is of no interest.
        with suppress(ProviderFault):
            while await self.next() is not None:
                pass

    def close(self) -> None:
        """Give the connection up unless all was read. May be called twice."""
        self._timer.cancel()
        self._answer.close()

    def _late(self) -> None:
        self._answer.fail(BodyStalled(str(self._answer.url), "the answer was not complete in time"))


Ended = Callable[[Usage | None, ProviderFault | None, bool], None]
"""Is told usage, fault, and whether the answer came whole."""


class _Told:
    """Tells once how an answer ended."""

    def __init__(self) -> None:
        self._ended: Ended | None = None
        self._told: tuple[Usage | None, ProviderFault | None, bool] | None = None

    def to(self, ended: Ended) -> None:
        self._ended = ended
        if self._told is not None:
            ended(*self._told)

    def tell(self, usage: Usage | None, fault: ProviderFault | None, whole: bool) -> None:
        if self._told is None:
            self._told = (usage, fault, whole)
            if self._ended is not None:
                self._ended(*self._told)


class DeltaStream:
    """Iterates over a streamed answer's deltas; the last is ``Stopped``. Raises ``ProviderFault``."""

    def __init__(self, pieces: Pieces | None, wire: Wire, secret: str = "") -> None:
        self.usage: Usage | None = None
        """As far as it was told; that of the prompt comes first."""
        self._pieces = pieces
        self._events = wire.framing.reader()
        self._reader = wire.client.reader()
        self._secret = secret
        self._ready: deque[Delta] = deque()
        self._stopped = False
        self._fault: ProviderFault | None = None
        self._told = _Told()

    def when_ended(self, ended: Ended) -> None:
        """``ended`` is called once: when the last delta was read, a fault was raised, or the stream was closed."""
        self._told.to(ended)

    @classmethod
    def of(cls, deltas: Iterable[Delta], wire: Wire) -> "DeltaStream":
        """A stream of which everything is there."""
        stream = cls(None, wire)
        stream._take(deltas)
        return stream

    def __aiter__(self) -> "DeltaStream":
        return self

    async def __anext__(self) -> Delta:
        try:
            while not self._ready:
                if self._stopped or self._pieces is None:
                    await self._linger()
                    raise StopAsyncIteration
                if self._fault is not None:
                    self._told.tell(self.usage, self._fault, False)
                    raise self._fault
                await self._feed()
        except BaseException:
            self.close()
            raise
        return self._ready.popleft()

    async def begin(self) -> None:
        """Wait until something of the answer is there, so that what fails before can be tried elsewhere."""
        try:
            while all(isinstance(delta, Started) for delta in self._ready):
                if self._fault is not None:
                    raise self._fault
                await self._feed()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up unless all was read. May be called twice."""
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None
        self._told.tell(self.usage, None, self._stopped)

    async def _feed(self) -> None:
        assert self._pieces is not None
        try:
            piece = await self._pieces.next()
            if piece is None:
                self._take(self._reader.end())
                if not self._stopped:
                    raise broken("the stream ended before the answer did")
                return
            for event in self._events.feed(piece):
                self._take(self._reader.read(event))
        except ProviderFault as fault:
            # What came before it is still handed on.
            self._fault = cleaned(fault, self._secret)
        except EventTooLarge:
            self._fault = broken("an event of the stream is longer than what is borne")
        except NONSENSE as error:
            # What comes from a provider is untrusted: no shape of it may look like a mistake of ours.
            self._fault = broken(f"the stream makes no sense ({type(error).__name__})")

    def _take(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            if self._stopped:
                return
            if isinstance(delta, Started | Stopped) and delta.usage is not None:
                self.usage = delta.usage
            self._stopped = isinstance(delta, Stopped)
            self._ready.append(delta)

    async def _linger(self) -> None:
        if self._pieces is not None:
            await self._pieces.finish(LINGER_S)
            self.close()


class Passage:
    """An answer that is handed on as it came; iterates over its bytes. Raises ``ProviderFault``."""

    def __init__(self, headers: Headers, source: Pieces | bytes, meter: Meter, wire: Wire, secret: str = "") -> None:
        self.headers = headers
        """The provider's, all of them."""
        self._source: Pieces | None = source if isinstance(source, Pieces) else None
        self._first: bytes | None = source if isinstance(source, bytes) else None
        self._meter = meter
        self._wire = wire
        self._secret = secret
        self._told = _Told()

    def when_ended(self, ended: Ended) -> None:
        """``ended`` is called once: when all was read, a fault was raised, or the answer was closed."""
        self._told.to(ended)

    @property
    def usage(self) -> Usage | None:
        """As far as it was told."""
        return self._meter.usage

    @property
    def body(self) -> bytes:
        """A whole answer; empty for a stream."""
        return b"" if self._source is not None else self._first or b""

    def __aiter__(self) -> "Passage":
        return self

    async def __anext__(self) -> bytes:
        piece, self._first = self._first, None
        if piece is None and self._source is not None:
            piece = await self._read()
        if piece is None:
            self._told.tell(self.usage, None, True)
            self.close()
            raise StopAsyncIteration
        return piece

    async def begin(self) -> None:
        """Wait until something of the answer is there, so that what fails before can be tried elsewhere.

        Only the first events are looked at: providers refuse within streams too. They are handed on as they came.
        """
        if self._source is None or self._first is not None:
            return
        held, size = [], 0
        begun = self._beginnings()
        while size < LOOKED_AT:
            piece = await self._read()
            if piece is None:
                break
            held.append(piece)
            size += len(piece)
            try:
                if begun(piece):
                    break
            except ProviderFault as fault:
                self.close()
                raise cleaned(fault, self._secret) from None
        if not held:
            self.close()
            raise broken("the stream ended before it began")
        self._first = b"".join(held)

    def _beginnings(self) -> Callable[[bytes], bool]:
        """Tells whether a piece has the beginning of an answer, or what cannot be told. Raises ``ProviderFault``."""
        events, reader = self._wire.framing.reader(), self._wire.client.reader()

        def begun(piece: bytes) -> bool:
            try:
                # What comes after the beginning is not looked at.
                return any(
                    not isinstance(delta, Started) for event in events.feed(piece) for delta in reader.read(event)
                )
            except (EventTooLarge, *NONSENSE):
                # The client may understand what we do not.
                return True

        return begun

    def close(self) -> None:
        """Give the connection up unless all was read. May be called twice."""
        if self._source is not None:
            self._source.close()
        self._told.tell(self.usage, None, self._source is None)

    async def _read(self) -> bytes | None:
        assert self._source is not None
        try:
            piece = await self._source.next()
        except ProviderFault as fault:
            self._told.tell(self.usage, fault, False)
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        if piece:
            self._meter.piece(piece)
        return piece
