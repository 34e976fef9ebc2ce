"""A pytest plugin that ends a test which runs too long, so that the rest of the suite still speaks.

Runs with the target's interpreter; standard library only. ``KARKHANA_TEST_LIMIT_S`` (seconds, wall clock) switches it
on. Once a test has run into the limit, the others get twenty times what the slowest finished one needed, at least
five seconds: a suite of endless tests must not cost the limit for each.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

LIMIT_S = float(os.environ.get("KARKHANA_TEST_LIMIT_S") or 0)
FACTOR, LEAST_S = 20.0, 5.0
AGAIN_S = 1.0
"""The test may swallow the exception; it comes again and again."""


class Limiter:
    """Arms an alarm around each test's call."""

    def __init__(self) -> None:
        self._slowest = 0.0
        self._endless = False

    def allowed(self) -> float:
        if not self._endless:
            return LIMIT_S
        return min(LIMIT_S, max(LEAST_S, FACTOR * self._slowest))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGALRM) != signal.SIG_DFL:
            yield
            return
        limit, owner, begun = self.allowed(), os.getpid(), time.monotonic()

        def ring(_number: int, _frame: Any) -> None:
            if os.getpid() == owner:
                self._endless = True
                # not an Exception: code under test that catches everything ordinary must not catch it
                pytest.fail("still running after %g s" % limit, pytrace=True)

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, limit, AGAIN_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            took = time.monotonic() - begun
            if took < limit:
                self._slowest = max(self._slowest, took)


def pytest_configure(config: Any) -> None:
    if LIMIT_S > 0:
        config.pluginmanager.register(Limiter(), "karkhana-limiter")
