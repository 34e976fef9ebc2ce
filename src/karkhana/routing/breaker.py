"""Keeps requests away from what fails, and lets them back little by little. Pure: the time is passed in.

One breaker watches one model at one provider with one key. *Closed* lets all through; it opens when within a window
too many fail, or several do in a row. *Open* lets nothing through for a time, which doubles each time, and at least as
long as the provider asked for (``Retry-After``). *Half-open* lets one request through, and when it is answered a
growing share of them; the share is taken by counting, not by chance. What was let through before the breaker last
changed says nothing about now: it is told with its permit, and an old one is not counted.

Refusals come back sooner than answers. So the requests that are still under way count as if they will be answered:
otherwise the first moments of a load would look like an outage.

Source: M. Nygard, "Release It!", 2nd edition, section 5.2 (circuit breaker).

>>> breaker = Breaker(BreakerSettings(in_a_row=2))
>>> for _ in range(2): breaker.failed(breaker.admit(0.0), 0.1)
>>> breaker.admit(0.2), breaker.state(0.2)
(None, <State.OPEN: 'open'>)
"""

import enum
from collections import deque

import msgspec

SLOTS = 10
"""Parts of the window; old ones are forgotten one part at a time."""


class State(enum.StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens, and how it closes again."""

    window_s: float = 30.0
    """Seconds over which answers and failures are counted."""
    share: float = 0.5
    """Failures among all at which it opens, ..."""
    minimum: int = 20
    """... if there are at least so many."""
    in_a_row: int = 8
    """Failures without an answer in between at which it opens, if no more requests than that are under way; a provider
    with 15 % failures reaches 8 once in four million requests."""
    open_s: float = 2.0
    """Seconds that it stays open the first time."""
    longest_s: float = 60.0
    """Seconds that it stays open at most, unless the provider asks for more."""
    ramp: tuple[float, ...] = (0.1, 0.3, 0.6)
    """Shares of the requests that are let through, after the first one was answered."""
    step: int = 5
    """Requests of each share; the next share follows when less than half of them failed."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a health page shows."""

    state: State
    answered: int
    """Within the window."""
    failed: int
    opens_in_s: float
    """Until a request is let through again; 0 unless open."""
    opened: int
    """How often it opened since it was last closed."""


class Breaker:
    """One breaker."""

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self._settings = settings or BreakerSettings()
        self._slots: deque[list[float]] = deque()
        """Start of each part of the window, its answers, its failures."""
        self._row = 0
        self._under_way = 0
        self._open_until: float | None = None
        self._opened = 0
        self._step: int | None = None
        """``None``: not half-open; 0: the first request; then the ramp's shares."""
        self._credit = 0.0
        self._step_answered = self._step_failed = 0
        self._probing = False
        self._permit = 0

    def admit(self, now_s: float, *, last_resort: bool = False) -> int | None:
        """A permit to send one request now, or ``None``; it must be told as answered, failed or left.

        As a ``last_resort``, when nothing else can take the request, it is let through though it is not its turn in
        the ramp; never while the breaker is open or waits for its first answer.
        """
        self._turn(now_s)
        if self._open_until is not None or not self._has_turn(last_resort):
            return None
        self._under_way += 1
        return self._permit

    def _has_turn(self, last_resort: bool) -> bool:
        if self._step is None:
            return True
        if self._step == 0:
            free, self._probing = not self._probing, True
            return free
        self._credit += self._settings.ramp[self._step - 1]
        # Shares are no exact fractions of two.
        if self._credit < 1 - 1e-9 and not last_resort:
            return False
        self._credit = max(0.0, self._credit - 1)
        return True

    def waits_s(self, now_s: float) -> float:
        """Seconds until it is worth asking again: 0 if closed or half-open."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now_s)

    def answered(self, permit: int | None, now_s: float) -> None:
        """A request came back well."""
        if permit != self._permit:
            return
        self._under_way -= 1
        self._count(now_s, 1)
        self._row = 0
        if self._step is not None:
            self._climb(now_s, 1, 0)

    def failed(self, permit: int | None, now_s: float, retry_after_s: float | None = None) -> None:
        """A request failed, and the provider is to blame."""
        if permit == self._permit:
            self._under_way -= 1
            self._fail(now_s, retry_after_s)

    def broke_off(self, permit: int | None, now_s: float) -> None:
        """A request that was told as answered, because its answer began, did not come to its end."""
        if permit == self._permit:
            self._fail(now_s, None)

    def _fail(self, now_s: float, retry_after_s: float | None) -> None:
        self._count(now_s, 2)
        self._row += 1
        if self._step is not None:
            self._climb(now_s, 0, 1, retry_after_s)
        elif self._bad():
            self._open(now_s, retry_after_s)

    def left(self, permit: int | None) -> None:
        """A request says nothing about the provider."""
        if permit == self._permit:
            self._under_way -= 1
            self._probing = False

    def is_blank(self, now_s: float) -> bool:
        """Whether a new one would do the same: nothing is under way, and nothing was within the window."""
        self._forget(now_s)
        return self.state(now_s) is State.CLOSED and not self._under_way and not self._slots

    def state(self, now_s: float) -> State:
        self._turn(now_s)
        if self._open_until is not None:
            return State.OPEN
        return State.CLOSED if self._step is None else State.HALF_OPEN

    def health(self, now_s: float) -> Health:
        state = self.state(now_s)
        self._forget(now_s)
        return Health(
            state=state,
            answered=int(sum(slot[1] for slot in self._slots)),
            failed=int(sum(slot[2] for slot in self._slots)),
            opens_in_s=self.waits_s(now_s),
            opened=self._opened,
        )

    def _turn(self, now_s: float) -> None:
        if self._open_until is not None and now_s >= self._open_until:
            self._open_until = None
            self._enter(0)

    def _change(self) -> None:
        self._permit += 1
        self._row = self._under_way = 0
        self._step_answered = self._step_failed = 0
        self._probing = False
        # What went wrong before must not open it again when it has closed.
        self._slots.clear()

    def _enter(self, step: int) -> None:
        self._change()
        self._step = step
        self._credit = 1.0

    def _climb(self, now_s: float, answered: int, failed: int, retry_after_s: float | None = None) -> None:
        assert self._step is not None
        self._step_answered += answered
        self._step_failed += failed
        size = 1 if self._step == 0 else self._settings.step
        if 2 * self._step_failed >= size:
            self._open(now_s, retry_after_s)
        elif self._step_answered + self._step_failed >= size:
            if self._step < len(self._settings.ramp):
                self._enter(self._step + 1)
            else:
                self._change()
                self._step, self._opened = None, 0

    def _open(self, now_s: float, retry_after_s: float | None) -> None:
        settings = self._settings
        waits = min(settings.open_s * 2.0 ** min(self._opened, 30), settings.longest_s)
        self._open_until = now_s + max(waits, retry_after_s or 0.0)
        self._opened += 1
        self._step = None
        self._change()

    def _bad(self) -> bool:
        if self._row >= max(self._settings.in_a_row, self._under_way):
            return True
        failed = sum(slot[2] for slot in self._slots)
        total = failed + sum(slot[1] for slot in self._slots) + self._under_way
        return total >= self._settings.minimum and failed >= self._settings.share * total

    def _count(self, now_s: float, place: int) -> None:
        if not self._slots or now_s - self._slots[-1][0] >= self._settings.window_s / SLOTS:
            self._slots.append([now_s, 0, 0])
            self._forget(now_s)
        self._slots[-1][place] += 1

    def _forget(self, now_s: float) -> None:
        while self._slots and now_s - self._slots[0][0] >= self._settings.window_s:
            self._slots.popleft()
