"""Which forests there are, and what they are worth where things change."""

import msgspec
import numpy as np
import pytest

from karkhana.quality.risk.ensemble import Forests
from karkhana.quality.risk.settings import ForestSettings, load_settings

SMALL = msgspec.structs.replace(load_settings().forests, members=1, rounds=30, rate=0.1, trees=30)


def turned(count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """What the first column says of the outcome is turned around after the first half."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(count, 3))
    sign = np.where(np.arange(count) < count // 2, 1.0, -1.0)
    return table, sign * table[:, 0] + 0.3 * rng.normal(size=count) > 0


def slope(settings: ForestSettings) -> float:
    """How much riskier a high first column is called than a low one."""
    table, bad = turned()
    low, high = Forests.fit(table, bad, settings).risk(np.array([[-1.5, 0.0, 0.0], [1.5, 0.0, 0.0]])).tolist()
    return high - low


def test_many_outcomes_are_forecast_by_the_newer_half_as_well() -> None:
    few, many = (slope(msgspec.structs.replace(SMALL, many=count, calibration_share=0.0)) for count in (601, 600))
    assert many < few - 0.1


def test_the_newest_calibrate() -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(600, 3))
    bad = rng.random(600) < np.where(np.arange(600) < 500, 0.1, 0.8)
    settings = msgspec.structs.replace(SMALL, many=601, calibration_intercept=2.0)
    raw = Forests.fit(table, bad, msgspec.structs.replace(settings, calibration_share=0.0)).risk(table[500:])
    assert Forests.fit(table, bad, settings).risk(table[500:]).mean() > raw.mean() + 0.1


def test_outcomes_of_one_kind_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="class"):
        Forests.fit(np.zeros((50, 2)), np.zeros(50, dtype=bool), msgspec.structs.replace(SMALL, calibration_share=0.0))
