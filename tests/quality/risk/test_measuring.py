"""Figures of forecasts against what can be counted by hand, and against scikit-learn."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from karkhana.quality.risk.measuring import at_threshold, calibration, measure, receiver_curve

RISK = [0.9, 0.8, 0.3, 0.2, 0.2, 0.1]
BAD = [True, False, True, False, False, False]


def test_discrimination_and_error():
    found = measure(RISK, BAD)
    assert found.auc == pytest.approx(7 / 8)
    assert found.brier == pytest.approx(np.mean([0.01, 0.64, 0.49, 0.04, 0.04, 0.01]))
    assert found.brier_of_base_rate == pytest.approx(1 / 3 * 2 / 3)
    assert found.auc_low < found.auc < found.auc_high <= 1


def test_ties_count_half():
    rng = np.random.default_rng(1)
    risk = rng.integers(0, 5, 300) / 5
    bad = rng.random(300) < risk
    assert measure(risk.tolist(), bad.tolist()).auc == pytest.approx(roc_auc_score(bad, risk))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        bad = rng.random(200) < 0.2
        found = measure((rng.normal(size=200) + bad).tolist(), bad.tolist())
        inside += found.auc_low <= 0.7602 <= found.auc_high  # Phi(1 / sqrt(2))
    assert 178 <= inside <= 200


def test_one_kind_of_outcome_has_no_auc():
    found = measure([0.1, 0.2], [False, False])
    assert (found.auc, found.auc_low, found.brier_of_base_rate) == (None, None, 0.0)


def test_nothing_cannot_be_measured():
    with pytest.raises(ValueError, match="at least one"):
        measure([], [])


def test_bins_hold_all_and_keep_equal_forecasts_together():
    bins = calibration([0.1] * 50 + [0.4] * 50, [False] * 45 + [True] * 5 + [True] * 20 + [False] * 30)
    assert [(one.count, one.forecast, one.observed) for one in bins] == [
        (50, pytest.approx(0.1), 0.1),
        (50, pytest.approx(0.4), 0.4),
    ]
    assert all(one.low < one.observed < one.high for one in bins)
    assert measure(
        [0.1] * 50 + [0.4] * 50, [False] * 45 + [True] * 5 + [True] * 20 + [False] * 30
    ).calibration_error == (pytest.approx(0.0, abs=1e-9))


def test_a_threshold_lets_through_what_is_above_it():
    found = at_threshold(RISK, BAD, 0.7)
    assert (found.deployed, found.bad, found.bad_share, found.caught) == (3, 0, 0.0, 1.0)
    assert found.share == 0.5
    assert 0 < found.high < 0.75
    nothing = at_threshold(RISK, BAD, 0.95)
    assert (nothing.deployed, nothing.bad_share, nothing.low) == (0, None, None)


def test_the_curve_goes_from_nothing_to_everything_and_never_back():
    curve = receiver_curve(RISK, BAD)
    assert (curve[0], curve[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(curve))
    assert len(curve) == 6  # two forecasts are equal
