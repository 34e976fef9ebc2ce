"""How often and how much per minute: the generic cell rate algorithm (ITU-T I.371), in the memory of one process.

A minute's allowance may be used at once; it comes back evenly over a minute. Knows nothing of keys or money.

>>> limit = Gcra(60, now=0.0)
>>> [limit.wait(0.0, 60), limit.take(60), limit.wait(0.0, 1)]
[0.0, None, 1.0]
"""

import math
from collections.abc import Callable
from typing import ClassVar

from karkhana.domain.errors import KarkhanaError

MINUTE_S = 60.0


class RateLimited(KarkhanaError):
    """A key has used up what it may use in a minute."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, limit: int, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        """Infinite if this request alone is more than a minute's allowance."""
        if math.isinf(retry_after_s):
            advice = f"send a smaller request, or have the limit of {what} raised"
        else:
            advice = f"try again in {math.ceil(retry_after_s)} s"
        super().__init__(f"this key may use {limit} {what} per minute", advice)


class Gcra:
    """One limit. Times are seconds of any clock that never goes back."""

    __slots__ = ("_each", "_full", "per_minute")

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self._each = MINUTE_S / per_minute
        self._full = now
        """When all that was taken will have come back."""

    def wait(self, now: float, count: float = 1) -> float:
        """Seconds until ``count`` may be taken; 0 if at once, infinite if never."""
        if count > self.per_minute:
            return math.inf
        self._full = max(self._full, now)
        # a part of a nanosecond is a rounding error
        late = self._full + count * self._each - MINUTE_S - now
        return late if late > 1e-9 else 0.0

    def take(self, count: float = 1) -> None:
        """Use it up; a negative ``count`` gives back. To be called after :meth:`wait`."""
        self._full += count * self._each


class Limits:
    """A key's limits on requests and tokens. A worker of several keeps its share of each, but at least one."""

    def __init__(self, requests: int | None, tokens: int | None, clock: Callable[[], float], workers: int = 1) -> None:
        now = clock()
        self.allowed = requests, tokens
        self._clock = clock
        self._requests = None if requests is None else Gcra(max(1.0, requests / workers), now)
        self._tokens = None if tokens is None else Gcra(max(1.0, tokens / workers), now)

    def take(self, tokens: int) -> None:
        """A request that may use so many tokens, or nothing of it. Raises :class:`RateLimited`."""
        now = self._clock()
        requests, amounts = self._requests, self._tokens
        if requests is not None and (wait := requests.wait(now)):
            raise RateLimited("requests", self.allowed[0] or 0, wait)
        if amounts is not None:
            if wait := amounts.wait(now, tokens):
                raise RateLimited("tokens", self.allowed[1] or 0, wait)
            amounts.take(tokens)
        if requests is not None:
            requests.take()

    def correct(self, taken: int, used: int) -> None:
        """The request is over and used other than so many tokens."""
        if self._tokens is not None:
            self._tokens.take(used - taken)
