"""What a model usually takes is told from the latest calls."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.policy.habits import LARGEST, LATEST, Habits
from karkhana.routing.policy.priors import priors


@given(st.lists(st.floats(0, 100), min_size=1, max_size=2 * LATEST))
def test_seconds_are_the_median_of_the_latest(seconds: list[float]) -> None:
    habits = Habits()
    for each in seconds:
        habits.seen("p/m", seconds=each, output=None)
    found = habits.of("p/m")
    assert found.seconds == statistics.median_high(seconds[-LATEST:])
    assert (found.calls, found.output) == (len(seconds), priors().answer)


def test_tokens_follow_what_is_seen() -> None:
    habits = Habits()
    for _ in range(300):
        habits.seen("p/m", seconds=1.0, output=50)
    assert habits.of("p/m").output == 50
    for _ in range(200):
        habits.seen("p/m", seconds=1.0, output=900)
    assert habits.of("p/m").output > 800


def test_nobody_can_fill_the_memory() -> None:
    habits = Habits()
    for number in range(LARGEST + 5):
        habits.seen(f"p/{number}", seconds=9.0, output=1)
    assert habits.of(f"p/{LARGEST + 1}") == (priors().seconds, priors().answer, 0)
    assert habits.of("p/0").calls == 1
