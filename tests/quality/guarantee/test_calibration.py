"""Platt calibration: finds the truth, stays near its parent when data are thin, never turns scores around."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.confidence import Calibration, log_odds, sigmoid
from karkhana.quality.guarantee.calibration import Outcomes, brier, calibrate, fit
from karkhana.quality.guarantee.rules import load_rules

RULES = load_rules().calibration


def sample(count: int, intercept: float, slope: float, seed: int = 1) -> list[tuple[float, bool]]:
    """Outcomes of scores that stand for other probabilities than they say."""
    chance = random.Random(seed)
    scores = [chance.uniform(0.4, 0.99) for _ in range(count)]
    return [(s, chance.random() < sigmoid(intercept + slope * log_odds(s))) for s in scores]


def test_before_any_outcome_a_score_is_what_it_says() -> None:
    assert calibrate([("all", []), ("shop", [])]).apply(0.83) == 0.83


def test_many_outcomes_find_the_truth() -> None:
    found = calibrate([("shop", sample(2000, -1.0, 0.7))])
    assert found.intercept == pytest.approx(-1.0, abs=0.25)
    assert found.slope == pytest.approx(0.7, abs=0.15)
    assert (found.outcomes, found.scope) == (2000, "shop")
    fresh = sample(2000, -1.0, 0.7, seed=2)
    good = [g for _, g in fresh]
    assert brier([found.apply(s) for s, _ in fresh], good) < brier([s for s, _ in fresh], good)


def test_few_outcomes_stay_near_the_parent() -> None:
    parent = calibrate([("all", sample(1500, -1.0, 1.0))])
    few = fit([0.9] * 5, [True] * 5, parent, RULES, "shop")
    many = fit([0.9] * 500, [True] * 500, parent, RULES, "shop")
    assert abs(few.apply(0.9) - parent.apply(0.9)) < 0.12
    assert many.apply(0.9) > 0.95


def test_scores_that_are_the_wrong_way_round_keep_their_order() -> None:
    found = fit([0.95] * 200 + [0.6] * 200, [False] * 200 + [True] * 200, Calibration(), RULES, "shop")
    assert found.slope == pytest.approx(RULES.least_slope)
    assert found.apply(0.6) < found.apply(0.95)


def test_only_the_newest_outcomes_count() -> None:
    old: Outcomes = [(0.9, False)] * 500
    assert calibrate([("shop", [*old, *[(0.9, True)] * RULES.newest])]).apply(0.9) > 0.95


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_any_outcomes_give_a_finite_rising_line(outcomes: list[tuple[float, bool]]) -> None:
    found = calibrate([("shop", outcomes)])
    assert math.isfinite(found.intercept)
    assert found.slope >= RULES.least_slope - 1e-12
    values = [found.apply(score / 20) for score in range(1, 20)]
    assert values == sorted(set(values))


def test_without_outcomes_there_is_no_brier_score() -> None:
    assert math.isnan(brier([], []))
