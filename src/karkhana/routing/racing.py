"""Starts a second piece of work when the first is slow; the first to succeed wins. Knows nothing of providers.

The first runs in the caller's own task, so that one which is not slow costs no more than a timer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def raced(
    first: Awaitable[T],
    wait_s: float,
    second: Callable[[], Coroutine[Any, Any, T] | None],
    discard: Callable[[T], None],
) -> T:
    """The result of ``first``, or that of ``second``, which is started after ``wait_s`` seconds unless it is ``None``.

    A second that fails while the first is still slow is followed by another one. The loser is cancelled; should it
    have a result all the same, that is given to ``discard``. Raises what ``first`` raised when both fail.
    """
    loop = asyncio.get_running_loop()
    race = _Race(second, discard, asyncio.current_task(loop))
    timer = loop.call_later(wait_s, race.start)
    try:
        result = await first
    except asyncio.CancelledError:
        if race.overtaken():
            return race.result()
        raise
    except Exception as fault:  # whatever ended the first, the second may still succeed
        timer.cancel()
        won = await race.rest()
        if won is None:
            raise fault from None
        return won[0]
    finally:
        timer.cancel()
        race.close()
    return result


class _Race(Generic[T]):
    _other: "asyncio.Task[T] | None" = None
    _closed = _taken = _won = _waiting = False

    def __init__(
        self,
        second: Callable[[], Coroutine[Any, Any, T] | None],
        discard: Callable[[T], None],
        task: "asyncio.Task[Any] | None",
    ) -> None:
        self._second = second
        self._discard = discard
        assert task is not None
        self._first = task
        self._cancelling = task.cancelling()

    def start(self) -> None:
        work = self._second()
        if work is not None:
            self._other = asyncio.ensure_future(work)
            self._other.add_done_callback(self._ended)

    def _ended(self, other: asyncio.Task[T]) -> None:
        if other.cancelled():
            return
        if other.exception() is not None:
            if not self._closed and not self._waiting:
                # The first is still slow.
                self.start()
        elif self._closed:
            if not self._taken:
                self._discard(other.result())
        elif not self._waiting:
            self._won = True
            self._first.cancel()

    def overtaken(self) -> bool:
        """Whether the first was cancelled by the second, and by nobody else."""
        return self._won and self._not_cancelled()

    def _not_cancelled(self) -> bool:
        """Takes our own cancellation of the first back; whether there was no other."""
        self._won = False
        return self._first.uncancel() <= self._cancelling

    def result(self) -> T:
        assert self._other is not None
        self._taken = True
        return self._other.result()

    async def rest(self) -> tuple[T] | None:
        """What the second comes to, after the first failed; ``None`` if it fails too or was never started."""
        self._waiting = True
        if self._won:
            # The first answered its cancellation with an error of its own.
            self._not_cancelled()
        if self._other is None:
            return None
        await asyncio.wait({self._other})
        if self._other.cancelled() or self._other.exception() is not None:
            return None
        return (self.result(),)

    def close(self) -> None:
        self._closed = True
        if self._won:
            # The first came to its end all the same.
            self._not_cancelled()
        other = self._other
        if other is None or self._taken:
            return
        if not other.done():
            other.cancel()
        elif not other.cancelled() and other.exception() is None:
            self._taken = True
            self._discard(other.result())
