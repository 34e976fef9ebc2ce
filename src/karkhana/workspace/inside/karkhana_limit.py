"""A pytest plugin that ends a test which runs too long, so that the rest of the suite still speaks.

Runs with the target's interpreter; standard library only. ``KARKHANA_TEST_LIMIT_S`` (seconds on the clock) switches it
on, ``KARKHANA_TEST_CPU_S`` adds a limit in seconds of the process's own computing: a test may wait long, but one that
only computes is most likely endless. Once a test has run into a limit, the others get twenty times what the slowest
finished one needed: a suite of endless tests must not cost the limit for each.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

LIMIT_S = float(os.environ.get("KARKHANA_TEST_LIMIT_S") or 0)
CPU_S = float(os.environ.get("KARKHANA_TEST_CPU_S") or 0)
FACTOR = 20.0
AGAIN_S = 1.0
"""The test may swallow the exception; it comes again and again."""


class Limit:
    """One timer of the process: how long a test may go on by it."""

    def __init__(self, source: tuple[int, int, Any], limit: float, least: float, unit: str) -> None:
        self._timer, self._number, self._clock = source
        self._limit = limit
        self._least = min(least, limit)
        self._unit = unit
        self._slowest = 0.0
        self._begun = 0.0
        self._armed = self._rang = False

    def arm(self, endless: bool, ended: Any) -> None:
        self._armed = self._limit > 0 and signal.getsignal(self._number) == signal.SIG_DFL
        if not self._armed:
            return
        self._begun, self._rang, owner = self._clock(), False, os.getpid()
        self._allowed = min(self._limit, max(self._least, FACTOR * self._slowest)) if endless else self._limit

        def ring(_number: int, _frame: Any) -> None:
            if os.getpid() == owner:
                self._rang = True
                ended()
                # not an Exception: code under test that catches everything ordinary must not catch it
                pytest.fail("still running after %g s%s" % (self._allowed, self._unit), pytrace=True)

        signal.signal(self._number, ring)
        signal.setitimer(self._timer, self._allowed, AGAIN_S)

    def disarm(self) -> None:
        if self._armed:
            signal.setitimer(self._timer, 0)
            signal.signal(self._number, signal.SIG_DFL)
            if not self._rang:
                self._slowest = max(self._slowest, self._clock() - self._begun)


class Limiter:
    """Arms the timers around each test's call."""

    def __init__(self) -> None:
        self._endless = False
        self._limits = (
            Limit((signal.ITIMER_REAL, signal.SIGALRM, time.monotonic), LIMIT_S, 5.0, ""),
            Limit((signal.ITIMER_VIRTUAL, signal.SIGVTALRM, time.process_time), CPU_S, 0.5, " of computing"),
        )

    def _ended(self) -> None:
        self._endless = True

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for limit in self._limits:
            limit.arm(self._endless, self._ended)
        try:
            yield
        finally:
            for limit in self._limits:
                limit.disarm()


def pytest_configure(config: Any) -> None:
    if LIMIT_S > 0:
        config.pluginmanager.register(Limiter(), "karkhana-limiter")
