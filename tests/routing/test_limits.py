"""Limits per minute: a minute's allowance at once, then evenly, and never more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.limits import Gcra, Limits, RateLimited

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=60)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(STEPS)
def test_it_is_a_bucket_that_fills_evenly(steps: list[tuple[int, int]]) -> None:
    limit, now, bucket = Gcra(20, 0.0), 0, 20.0
    for pause, count in steps:
        now += pause
        bucket = min(20.0, bucket + pause / 3)
        wait = limit.wait(float(now), count)
        if count > 20:
            assert wait == math.inf
        elif bucket - count > -1e-6:
            assert wait == 0.0
            limit.take(count)
            bucket -= count
        else:
            assert wait == pytest.approx((count - bucket) * 3)


@given(STEPS, st.floats(1, 1000))
def test_after_the_wait_there_is_room(steps: list[tuple[int, int]], per_minute: float) -> None:
    limit, now = Gcra(per_minute, 5.0), 5.0
    for pause, count in steps:
        now += pause
        wait = limit.wait(now, count)
        if wait < math.inf:
            assert limit.wait(now + wait, count) == 0.0
            limit.take(count)
            now += wait


def test_requests_and_tokens_are_both_limited() -> None:
    clock = Clock()
    limits = Limits(2, 1000, clock)
    limits.take(600)
    with pytest.raises(RateLimited, match="1000 tokens") as caught:
        limits.take(600)
    assert caught.value.retry_after_s == pytest.approx(12.0)
    assert caught.value.next == "try again in 12 s"
    limits.take(400)
    with pytest.raises(RateLimited, match="2 requests") as caught:
        limits.take(0)
    assert caught.value.retry_after_s == pytest.approx(30.0)
    clock.now = 30.0
    limits.take(500)


def test_what_was_not_used_comes_back_and_what_was_is_owed() -> None:
    clock = Clock()
    limits = Limits(None, 1000, clock)
    limits.take(1000)
    limits.correct(1000, 100)
    limits.take(900)
    limits.correct(900, 1900)
    clock.now = 60.0
    with pytest.raises(RateLimited):
        limits.take(1)
    clock.now = 61.0
    limits.take(1)


def test_more_than_a_minute_allows_never_fits() -> None:
    with pytest.raises(RateLimited, match="tokens per minute") as caught:
        Limits(None, 1000, Clock()).take(1001)
    assert caught.value.retry_after_s == math.inf
    assert "smaller" in caught.value.next


def test_a_worker_has_its_share() -> None:
    limits = Limits(8, None, Clock(), workers=4)
    limits.take(0)
    limits.take(0)
    with pytest.raises(RateLimited, match="8 requests"):
        limits.take(0)


def test_without_limits_everything_goes() -> None:
    limits = Limits(None, None, Clock())
    for _ in range(1000):
        limits.take(10**9)
    limits.correct(1, 2)
