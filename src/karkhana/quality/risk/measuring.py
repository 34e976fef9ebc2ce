"""How good a forecast was: discrimination, error, calibration, and what thresholds on it would have done.

Knows nothing of where forecasts come from. ``risk`` is always the forecast probability of the bad outcome.

>>> measure([0.9, 0.2, 0.1, 0.8], [True, False, False, False]).auc
1.0
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from karkhana.quality.guarantee.binomial import interval

LEVEL = 0.95
"""Of every interval here."""
Floats = NDArray[np.float64]


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of about the same size."""

    forecast: float
    """Their mean."""
    observed: float
    """Share that turned out bad."""
    low: float
    high: float
    """Exact 95 % interval of ``observed``."""
    count: int


class AtThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """What would have come of letting through everything with a score (1 - risk) above a threshold."""

    threshold: float
    deployed: int
    share: float
    """Of all changes."""
    bad: int
    bad_share: float | None
    """Of those let through; ``None`` when nothing was."""
    low: float | None
    high: float | None
    """Exact 95 % interval of ``bad_share``."""
    caught: float
    """Share of all bad changes that was held back."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one series of forecasts."""

    count: int
    bad: int
    auc: float | None
    """Chance that a bad change has a higher risk than a good one; ``None`` when there are not both."""
    auc_low: float | None
    auc_high: float | None
    """95 % interval by DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988)."""
    brier: float
    """Mean squared error of the forecast; less is better."""
    brier_of_base_rate: float
    """The same of always saying the share of bad changes, known afterwards."""
    calibration_error: float
    """Mean distance of the bins' forecasts from what was observed, weighted by their size."""


def measure(risk: Sequence[float], bad: Sequence[bool], bins: int = 10) -> Measures:
    """All figures. Raises ``ValueError`` without any forecast."""
    forecast, outcome = np.asarray(risk, dtype=np.float64), np.asarray(bad, dtype=bool)
    if not len(forecast) or len(forecast) != len(outcome):
        raise ValueError("as many outcomes as forecasts are needed, and at least one")
    area, deviation = _auc(forecast, outcome)
    reach = float(norm.ppf((1 + LEVEL) / 2)) * deviation
    rate = float(outcome.mean())
    found = calibration(risk, bad, bins)
    return Measures(
        count=len(forecast),
        bad=int(outcome.sum()),
        auc=area,
        auc_low=None if area is None else max(0.0, area - reach),
        auc_high=None if area is None else min(1.0, area + reach),
        brier=float(np.mean((forecast - outcome) ** 2)),
        brier_of_base_rate=rate * (1 - rate),
        calibration_error=sum(abs(one.forecast - one.observed) * one.count for one in found) / len(forecast),
    )


def calibration(risk: Sequence[float], bad: Sequence[bool], bins: int = 10) -> list[Bin]:
    """The forecasts in order, cut into at most ``bins`` parts of the same size; equal forecasts stay together."""
    forecast, outcome = np.asarray(risk, dtype=np.float64), np.asarray(bad, dtype=bool)
    order = np.argsort(forecast, kind="stable")
    edges = np.unique(np.quantile(forecast, np.linspace(0, 1, bins + 1)[1:-1])) if len(forecast) else np.zeros(0)
    place = np.searchsorted(edges, forecast[order], side="left")
    found = []
    for number in np.unique(place):
        chosen = order[place == number]
        count, wrong = len(chosen), int(outcome[chosen].sum())
        low, high = interval(wrong, count, LEVEL)
        mean = float(forecast[chosen].mean())
        found.append(Bin(forecast=mean, observed=wrong / count, low=low, high=high, count=count))
    return found


def at_threshold(risk: Sequence[float], bad: Sequence[bool], threshold: float) -> AtThreshold:
    """Let everything through whose score is above ``threshold``, as policy does."""
    score, outcome = 1 - np.asarray(risk, dtype=np.float64), np.asarray(bad, dtype=bool)
    through = score > threshold
    deployed, wrong, all_bad = int(through.sum()), int(outcome[through].sum()), int(outcome.sum())
    low, high = interval(wrong, deployed, LEVEL) if deployed else (None, None)
    return AtThreshold(
        threshold=threshold,
        deployed=deployed,
        share=deployed / len(score) if len(score) else 0.0,
        bad=wrong,
        bad_share=wrong / deployed if deployed else None,
        low=low,
        high=high,
        caught=1 - wrong / all_bad if all_bad else 1.0,
    )


def receiver_curve(risk: Sequence[float], bad: Sequence[bool]) -> list[tuple[float, float]]:
    """(share of good changes that are alarmed, share of bad ones that are) from the highest risk down."""
    forecast, outcome = np.asarray(risk, dtype=np.float64), np.asarray(bad, dtype=bool)
    order = np.argsort(-forecast, kind="stable")
    last = np.append(np.diff(forecast[order]) != 0, True)
    hits, alarms = np.cumsum(outcome[order])[last], np.cumsum(~outcome[order])[last]
    wrong, right = max(1, int(outcome.sum())), max(1, int((~outcome).sum()))
    return [(0.0, 0.0), *((float(a / right), float(h / wrong)) for a, h in zip(alarms, hits, strict=True))]


def _auc(forecast: Floats, outcome: NDArray[np.bool_]) -> tuple[float | None, float]:
    """The area and its standard deviation, by the ranks that DeLong's variance comes down to (Sun and Xu, 2014)."""
    bad, good = forecast[outcome], forecast[~outcome]
    m, n = len(bad), len(good)
    if not m or not n:
        return None, 0.0
    among_all = rankdata(np.concatenate((bad, good)))
    of_bad = (among_all[:m] - rankdata(bad)) / n
    of_good = 1 - (among_all[m:] - rankdata(good)) / m
    area = float(of_bad.mean())
    variance = (of_bad.var(ddof=1) / m if m > 1 else 0.25) + (of_good.var(ddof=1) / n if n > 1 else 0.25)
    return area, float(np.sqrt(variance))
