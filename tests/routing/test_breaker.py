from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.breaker import Breaker, BreakerSettings, State

SETTINGS = BreakerSettings(window_s=10, share=0.5, minimum=10, in_a_row=4, open_s=2, longest_s=16, step=4)


def tell(breaker: Breaker, now: float, *answered: bool, retry_after_s: float | None = None) -> None:
    for good in answered:
        permit = breaker.admit(now)
        assert permit is not None
        if good:
            breaker.answered(permit, now)
        else:
            breaker.failed(permit, now, retry_after_s)


def test_it_opens_when_half_of_enough_requests_failed() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[True, False] * 4, True)
    assert breaker.state(0.0) is State.CLOSED
    tell(breaker, 0.0, False)
    assert breaker.state(0.0) is State.OPEN
    assert breaker.admit(1.9) is None


def test_it_opens_after_some_failures_in_a_row_however_much_went_well_before() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[True] * 1000, False, False, False)
    assert breaker.state(0.0) is State.CLOSED
    tell(breaker, 0.0, False)
    assert breaker.state(0.0) is State.OPEN


def test_refusals_that_come_before_slow_answers_are_no_outage() -> None:
    breaker = Breaker(SETTINGS)
    permits = [breaker.admit(0.0) for _ in range(60)]
    for permit in permits[:9]:
        breaker.failed(permit, 0.1)
    assert breaker.state(0.1) is State.CLOSED
    for permit in permits[9:]:
        breaker.answered(permit, 3.0)
    assert breaker.health(3.0).opened == 0


def test_when_all_that_is_under_way_fails_too_it_is_an_outage() -> None:
    breaker = Breaker(SETTINGS)
    permits = [breaker.admit(0.0) for _ in range(60)]
    for permit in permits[:31]:
        breaker.failed(permit, 0.1)
    assert breaker.state(0.1) is State.OPEN


def test_streams_that_break_off_open_it() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(10):
        permit = breaker.admit(0.0)
        breaker.answered(permit, 0.1)
        breaker.broke_off(permit, 0.2)
    assert breaker.state(0.2) is State.OPEN


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[True, False] * 4, True)
    tell(breaker, 10.5, False)
    assert breaker.state(10.5) is State.CLOSED
    assert (breaker.health(10.5).answered, breaker.health(10.5).failed) == (0, 1)


def test_a_few_failures_of_a_healthy_provider_leave_it_closed() -> None:
    breaker = Breaker(SETTINGS)
    for second in range(300):
        tell(breaker, float(second), True, True, True, True, False)
    assert breaker.health(300.0).opened == 0


def test_it_stays_open_as_long_as_the_provider_asks() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4, retry_after_s=30.0)
    assert breaker.waits_s(10.0) == 20.0
    assert breaker.admit(29.9) is None
    assert breaker.admit(30.0) is not None


def test_half_open_lets_one_request_through_and_then_a_growing_share() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4)
    probe = breaker.admit(2.0)
    assert probe is not None
    assert breaker.admit(2.0) is None
    breaker.answered(probe, 2.1)
    shares = []
    for _ in SETTINGS.ramp:
        asked = answered = 0
        while answered < SETTINGS.step:
            asked += 1
            permit = breaker.admit(2.2)
            if permit is not None:
                answered += 1
                breaker.answered(permit, 2.2)
        shares.append(answered / asked)
    assert shares == sorted(shares)
    assert 0.1 <= shares[0] < 0.2
    assert breaker.state(2.2) is State.CLOSED
    assert breaker.health(2.2).opened == 0


def test_each_failed_probe_doubles_the_time_up_to_the_longest() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4)
    now, waits = 0.0, []
    for _ in range(5):
        waits.append(breaker.waits_s(now))
        now += waits[-1]
        tell(breaker, now, False)
    assert waits == [2, 4, 8, 16, 16]


def test_a_provider_that_still_fails_on_the_ramp_is_shut_off_again() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4)
    tell(breaker, 2.0, True)
    for _ in range(2):
        permit = breaker.admit(2.0, last_resort=True)
        breaker.failed(permit, 2.0)
    assert breaker.state(2.0) is State.OPEN
    assert breaker.waits_s(2.0) == 4.0


def test_a_probe_that_says_nothing_makes_room_for_the_next() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4)
    breaker.left(breaker.admit(2.0))
    assert breaker.admit(2.0) is not None


def test_what_was_sent_before_it_opened_says_nothing_about_now() -> None:
    breaker = Breaker(SETTINGS)
    old = [breaker.admit(0.0) for _ in range(20)]
    for permit in old[:10]:
        breaker.failed(permit, 1.0)
    assert breaker.state(1.0) is State.OPEN
    probe = breaker.admit(3.0)
    for permit in old[10:]:
        breaker.failed(permit, 3.0)
    assert breaker.state(3.0) is State.HALF_OPEN
    breaker.answered(probe, 3.0)
    assert breaker.admit(3.0) is not None


def test_as_a_last_resort_the_ramp_does_not_hold_but_an_open_breaker_does() -> None:
    breaker = Breaker(SETTINGS)
    tell(breaker, 0.0, *[False] * 4)
    assert breaker.admit(1.0, last_resort=True) is None
    tell(breaker, 2.0, True)
    assert breaker.admit(2.0) is not None
    assert breaker.admit(2.0) is None
    assert breaker.admit(2.0, last_resort=True) is not None


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["good", "bad", "left", "late"])), max_size=200))
def test_it_never_stays_shut(steps: list[tuple[float, str]]) -> None:
    breaker, now, kept = Breaker(SETTINGS), 0.0, None
    for pause, outcome in steps:
        now += pause
        permit = breaker.admit(now)
        if outcome == "good":
            breaker.answered(permit, now)
        elif outcome == "bad":
            breaker.failed(permit, now)
        elif outcome == "left":
            breaker.left(permit)
        else:
            # Its outcome is told only after others.
            breaker.failed(kept, now)
            kept = permit
    breaker.left(kept)
    assert breaker.waits_s(now) <= SETTINGS.longest_s
    assert breaker.admit(now + SETTINGS.longest_s + 1, last_resort=True) is not None
