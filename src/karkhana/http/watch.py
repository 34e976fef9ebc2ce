"""One deadline that is moved for every message and passes seldom. Knows nothing of what is waited for.

A timer that would go off too early is left alone, and set again when it does. So a connection in use needs a timer now
and then, where setting and cancelling one for each message would cost it more than parsing the message.

>>> # watch = Watch(loop, lambda: transport.close())
>>> # watch.within(30.0)    # something must happen in so many seconds
>>> # watch.off()           # it did
"""

import asyncio
import math
from collections.abc import Callable

_COARSE_S = 0.001
"""Clocks of timers are that much coarser than the loop's."""


class Watch:
    """For one event loop. To be closed when it is not needed any more."""

    __slots__ = ("_due", "_late", "_loop", "_time", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[], None]) -> None:
        """``late`` is called when the deadline has passed."""
        self._loop = loop
        self._time = loop.time
        self._late: Callable[[], None] | None = late
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> None:
        """The deadline is so many seconds from now, instead of when it was."""
        self._due = due = self._time() + seconds
        timer = self._timer
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        if self._late is not None:
            self._timer = self._loop.call_at(due, self._ring)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; infinite if there is none."""
        return self._due - self._time()

    def off(self) -> None:
        """There is no deadline now."""
        self._due = math.inf

    def close(self) -> None:
        """There will be none any more."""
        self._due, self._late = math.inf, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._due == math.inf or self._late is None:
            return
        if self._due > self._time() + _COARSE_S:
            self._timer = self._loop.call_at(self._due, self._ring)
        else:
            self._due = math.inf
            self._late()
