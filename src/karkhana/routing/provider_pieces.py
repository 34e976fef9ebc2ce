"""The body of a provider's answer as it comes, and who is told how it ended. Knows nothing of what the bytes say.

A body ends by its deadline and is bounded in bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from karkhana.domain.chat import Usage
from karkhana.http.connection import Answer
from karkhana.http.errors import BodyStalled, HttpError
from karkhana.routing.faults import ProviderFault
from karkhana.routing.provider_faults import broken, cleaned, fault_of


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


class Told:
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
