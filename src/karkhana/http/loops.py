"""Runs a program on the fastest event loop there is, with few interruptions. Knows nothing of what runs.

>>> async def answer() -> int:
...     return 42
>>> run(answer())
42
"""

import asyncio
import contextlib
import gc
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
SELDOM = (10_000, 20, 50)
"""New objects, and collections of each younger generation, until the next collection."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, on uvloop where that is installed."""
    try:
        import uvloop  # optional: there is none for every system
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextlib.contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles among what is made from now on, and not often.

    A server makes hundreds of objects for each request and hardly a cycle: looking for them at Python's usual rate
    takes a tenth of its CPU.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
