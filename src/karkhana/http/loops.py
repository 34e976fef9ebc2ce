"""Runs a program on the fastest event loop there is. Knows nothing of what runs.

>>> async def answer() -> int:
...     return 42
>>> run(answer())
42
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, on uvloop where that is installed."""
    try:
        import uvloop  # optional: there is none for every system
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
