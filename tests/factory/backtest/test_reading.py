"""What forecasts come to."""

from karkhana.domain.policy import Policy
from karkhana.factory.backtest.reading import bands, guarantee
from karkhana.quality.risk.measuring import at_threshold

GRID = (0.5, 0.7, 0.8, 0.9)


def promised(risk, bad):
    return guarantee([at_threshold(risk, bad, threshold) for threshold in GRID])


def test_the_bands_of_policy_are_those_of_its_thresholds():
    found = bands([0.05, 0.1, 0.3, 0.31], [True, False, False, True], Policy())
    assert [(band.decision, band.count, band.bad) for band in found] == [
        ("deploy", 1, 1),
        ("canary", 2, 0),
        ("review", 1, 1),
    ]
    (nothing,) = (band for band in bands([0.05], [False], Policy()) if band.decision == "review")
    assert (nothing.count, nothing.bad_share, nothing.low) == (0, None, None)


def test_nothing_is_promised_on_few_or_on_bad_outcomes():
    assert "No threshold" in promised([0.05] * 21, [False] * 21)
    assert "No threshold" in promised([0.05] * 100, [True] * 20 + [False] * 80)


def test_the_lowest_threshold_that_holds_is_promised_and_none_below_the_floor():
    assert "above 0.8 " in promised([0.05] * 60 + [0.25] * 60, [False] * 60 + [True] * 40 + [False] * 20)
    assert "above 0.7 " in promised([0.05] * 60 + [0.4] * 60, [False] * 120)
