"""The drift alarm: seldom without reason, soon with one."""

import numpy as np

from karkhana.quality.guarantee.drift import DriftAlarm

ODDS = (1.5, 2.5, 4.0, 8.0)


def highest(rates: list[float], streams: int, allowed: float = 0.10, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """For each stream its highest wealth, and the outcome at which it first reached 10."""
    chance = np.random.default_rng(seed)
    alarm = DriftAlarm(streams, ODDS)
    everyone = np.ones(streams, dtype=bool)
    alarm.begin(everyone, np.full(streams, allowed))
    best, when = np.zeros(streams), np.full(streams, len(rates))
    for number, rate in enumerate(rates):
        wealth = alarm.watch(chance.random(streams) < rate, everyone)
        when = np.where((best < 10) & (wealth >= 10), number, when)
        best = np.maximum(best, wealth)
    return best, when


def test_it_is_seldom_raised_at_the_allowed_rate() -> None:
    best, _ = highest([0.10] * 300, streams=800)
    assert (best >= 10).mean() <= 0.10
    assert (best >= 2).mean() <= 0.50


def test_it_is_raised_soon_after_a_change() -> None:
    _, when = highest([0.05] * 200 + [0.40] * 60, streams=300)
    assert (when >= 200).mean() >= 0.98
    assert np.median(when) <= 200 + 45


def test_it_begins_anew() -> None:
    alarm = DriftAlarm(2, ODDS)
    everyone = np.array([True, True])
    alarm.begin(everyone, np.array([0.1, 0.1]))
    for _ in range(12):
        alarm.watch(everyone, everyone)
    assert (alarm.wealth > 10).all()
    alarm.begin(np.array([True, False]), np.array([0.1, 0.1]))
    assert (alarm.wealth[0], alarm.wealth[1] > 10) == (1, True)


def test_only_the_streams_with_an_outcome_move() -> None:
    alarm = DriftAlarm(2, ODDS)
    alarm.begin(np.array([True, True]), np.array([0.1, 0.1]))
    wealth = alarm.watch(np.array([True, True]), np.array([True, False]))
    assert wealth[0] > 1 == wealth[1]
