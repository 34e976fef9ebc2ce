"""A provider's answer that is still coming: as deltas, or as the bytes that they were. Knows nothing of providers.

Both end by their deadline, are bounded in bytes, and must be read to their end or closed.
"""

from collections import deque
from collections.abc import Callable, Iterable

from karkhana.domain.chat import Delta, Started, Stopped, Usage
from karkhana.http.messages import Headers
from karkhana.routing.faults import ProviderFault
from karkhana.routing.provider_faults import broken, cleaned
from karkhana.routing.provider_pieces import Ended, Pieces, Told
from karkhana.routing.sse import EventTooLarge
from karkhana.routing.wires.metering import Meter
from karkhana.routing.wires.wire import Wire

__all__ = ["DeltaStream", "Ended", "Passage"]
LINGER_S = 1.0
"""Seconds that the end of a connection's answer may take once all was said; then the connection is given up."""
LOOKED_AT = 64 << 10
"""Bytes of a passed-on stream in which its beginning is looked for."""
NONSENSE = (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError)
"""What reading an answer of an unforeseen shape raises."""


class DeltaStream:
    """Iterates over a streamed answer's deltas; the last is ``Stopped``. Raises ``ProviderFault``."""

    whole = False

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
        self._told = Told()

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
        self.whole = isinstance(source, bytes)
        """Whether it has come to its end."""
        self._source: Pieces | None = None if isinstance(source, bytes) else source
        self._first: bytes | None = source if isinstance(source, bytes) else None
        self._meter = meter
        self._wire = wire
        self._secret = secret
        self._told = Told()
        if self._source is None:
            self._told.tell(self.usage, None, True)

    def when_ended(self, ended: Ended) -> None:
        """``ended`` is called once: when all was read, a fault was raised, or the answer was closed.

        For a whole answer that is at once.
        """
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
