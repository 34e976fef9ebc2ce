import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from calling_examples import run

from karkhana.routing.racing import raced


class Work:
    """Comes to a result, or an error, after some seconds, and remembers whether it was cancelled."""

    def __init__(self, seconds: float, result: str = "", error: Exception | None = None) -> None:
        self.seconds, self.result, self.error = seconds, result, error
        self.started = self.cancelled = False

    async def run(self) -> str:
        self.started = True
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return self.result


def race(first: Work, second: Work, wait_s: float = 0.01) -> tuple[Any, list[str]]:
    discarded: list[str] = []

    async def work() -> Any:
        try:
            return await raced(first.run(), wait_s, second.run, discarded.append)
        finally:
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(0.03)

    return run(work()), discarded


def test_a_quick_first_needs_no_second() -> None:
    first, second = Work(0, "first"), Work(0, "second")
    assert race(first, second)[0] == "first"
    assert not second.started


def test_the_second_overtakes_a_slow_first() -> None:
    first, second = Work(5, "first"), Work(0, "second")
    assert race(first, second) == ("second", [])
    assert first.cancelled


def test_the_first_wins_over_a_slower_second() -> None:
    first, second = Work(0.03, "first"), Work(5, "second")
    assert race(first, second)[0] == "first"
    assert second.cancelled


def test_a_failed_first_waits_for_the_second() -> None:
    first, second = Work(0.02, error=ValueError("one")), Work(0.05, "second")
    assert race(first, second)[0] == "second"


def test_a_failed_second_leaves_the_first_alone() -> None:
    first, second = Work(0.05, "first"), Work(0.01, error=ValueError("two"))
    assert race(first, second)[0] == "first"
    assert second.started


def test_a_failed_second_is_followed_by_another() -> None:
    works = [Work(0, error=ValueError("two")), Work(0, error=ValueError("three")), Work(0, "fourth")]
    started: list[Work] = []

    def next_one() -> Coroutine[Any, Any, str]:
        started.append(works[len(started)])
        return started[-1].run()

    async def work() -> str:
        return await raced(Work(5, "first").run(), 0.01, next_one, lambda _: None)

    assert run(work()) == "fourth"
    assert started == works


def test_when_both_fail_the_first_error_is_told() -> None:
    with pytest.raises(ValueError, match="one"):
        race(Work(0.02, error=ValueError("one")), Work(0.03, error=ValueError("two")))


def test_a_first_that_fails_before_the_wait_is_over_starts_nothing() -> None:
    second = Work(0, "second")
    with pytest.raises(ValueError, match="one"):
        race(Work(0, error=ValueError("one")), second, wait_s=0.05)
    assert not second.started


def test_there_may_be_no_second() -> None:
    async def work() -> str:
        return await raced(Work(0.03, "first").run(), 0.01, lambda: None, lambda _: None)

    assert run(work()) == "first"


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.03, 0.04, 0.06])
def test_whoever_waits_can_give_up_at_any_time(after_s: float) -> None:
    first, second = Work(5, "first"), Work(0.03, "second")
    discarded: list[str] = []

    async def work() -> None:
        task = asyncio.create_task(raced_by(first, second, discarded.append))
        await asyncio.sleep(after_s)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
            assert first.cancelled or after_s == 0
            assert second.cancelled or not second.started or discarded == ["second"]
        await asyncio.sleep(0.05)

    run(work())


def raced_by(first: Work, second: Work, discard: Callable[[str], None]) -> Coroutine[Any, Any, str]:
    return raced(first.run(), 0.01, second.run, discard)


def test_both_given_up_at_the_same_moment_is_given_up() -> None:
    discarded: list[str] = []

    async def work() -> None:
        gate = asyncio.Event()

        async def second() -> str:
            await gate.wait()
            return "second"

        task = asyncio.create_task(raced(Work(5).run(), 0.0, second, discarded.append))
        await asyncio.sleep(0.02)
        gate.set()
        # The second comes to its result in the next round of the loop, in which the caller gives up too.
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)

    run(work())
    assert discarded in ([], ["second"])


def test_a_first_that_ends_in_the_moment_of_its_defeat_keeps_its_result() -> None:
    discarded: list[str] = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "first"
        return "never"

    async def work() -> None:
        assert await raced(stubborn(), 0.0, Work(0, "second").run, discarded.append) == "first"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(work())
    assert discarded == ["second"]
