import asyncio
from collections.abc import Coroutine
from typing import Any

from karkhana.http.watch import Watch


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


class Timers:
    """Counts the timers that are set on a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.set = 0
        self._loop = loop
        self.time = loop.time

    def call_at(self, when: float, callback: Any) -> asyncio.TimerHandle:
        self.set += 1
        return self._loop.call_at(when, callback)


def test_a_deadline_that_passes_is_told_once() -> None:
    async def work() -> None:
        told: list[float] = []
        loop = asyncio.get_running_loop()
        watch = Watch(loop, lambda: told.append(loop.time()))
        began = loop.time()
        watch.within(0.05)
        await asyncio.sleep(0.2)
        assert len(told) == 1
        assert told[0] - began >= 0.049

    run(work())


def test_a_deadline_that_is_moved_on_needs_no_new_timer() -> None:
    async def work() -> None:
        told: list[int] = []
        timers: Any = Timers(asyncio.get_running_loop())
        watch = Watch(timers, lambda: told.append(1))
        for _ in range(1000):
            watch.within(0.1)
            watch.off()
        assert timers.set == 1
        watch.within(0.2)
        await asyncio.sleep(0.15)
        assert not told
        await asyncio.sleep(0.15)
        assert told == [1]
        assert timers.set <= 3

    run(work())


def test_an_earlier_deadline_is_kept() -> None:
    async def work() -> None:
        told = asyncio.Event()
        watch = Watch(asyncio.get_running_loop(), told.set)
        watch.within(60)
        watch.within(0.02)
        await asyncio.wait_for(told.wait(), 5)

    run(work())


def test_what_is_off_or_closed_is_never_told() -> None:
    async def work() -> None:
        told: list[str] = []
        loop = asyncio.get_running_loop()
        off, closed = Watch(loop, lambda: told.append("off")), Watch(loop, lambda: told.append("closed"))
        off.within(0.02)
        off.off()
        closed.within(0.02)
        closed.close()
        closed.within(0.02)
        await asyncio.sleep(0.1)
        assert told == []

    run(work())
