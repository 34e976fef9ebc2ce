"""Platt calibration with partial pooling: all outcomes → a repository → a type of task in it.

Each scope's intercept and slope are the posterior mode under a normal prior around those of its parent, so that a
scope with few outcomes stays where its parent is, and one with many goes where its outcomes are. Before any outcome
the prior is that a score is the probability that it says it is. The slope stays above 0: the order of two scores never
turns around. Sources: J. Platt, "Probabilistic outputs for support vector machines", 1999; for pooling, Gelman and
Hill, "Data analysis using regression and multilevel models", 2007, chapter 12.

Knows nothing of where outcomes come from.

>>> over_confident = fit([0.9] * 200, [True, False] * 100, Calibration(), load_rules().calibration, "shop")
>>> 0.5 < over_confident.apply(0.9) < 0.56
True
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karkhana.domain.confidence import Calibration, log_odds
from karkhana.quality.guarantee.rules import CalibrationRules, load_rules

Floats = NDArray[np.float64]
Outcomes = Sequence[tuple[float, bool]]
"""(score before calibration, in [0,1]; whether the change was good), the oldest first."""

_STEPS = 50
_SETTLED = 1e-9


def calibrate(scopes: Sequence[tuple[str, Outcomes]], rules: CalibrationRules | None = None) -> Calibration:
    """The calibration of the last scope; each one is the parent of the next.

    No outcome may stand in two scopes: pass a parent's outcomes without those of its child, or they count twice.
    """
    rules = rules or load_rules().calibration
    found = Calibration()
    for name, outcomes in scopes:
        newest = outcomes[-rules.newest :]
        found = fit([score for score, _ in newest], [good for _, good in newest], found, rules, name)
    return found


def fit(
    scores: Sequence[float], good: Sequence[bool], parent: Calibration, rules: CalibrationRules, scope: str
) -> Calibration:
    """One scope around its parent, by Newton's method with step halving; the parent itself without outcomes."""
    if not scores:
        return parent
    at = np.array([log_odds(score) for score in scores])
    label = np.array(good, dtype=np.float64)
    prior = np.array([parent.intercept, parent.slope])
    precision = 1 / np.array([rules.intercept, rules.slope]) ** 2
    best = _mode(at, label, prior, precision, free=np.array([True, True]), start=prior)
    if best[1] < rules.least_slope:
        best[1] = rules.least_slope
        best = _mode(at, label, prior, precision, free=np.array([True, False]), start=best)
    return Calibration(
        intercept=float(best[0]),
        slope=float(best[1]),
        outcomes=len(scores) + parent.outcomes,
        scope=scope,
    )


def _mode(
    at: Floats, label: Floats, centre: Floats, precision: Floats, *, free: NDArray[np.bool_], start: Floats
) -> Floats:
    now = start.copy()
    value = _loss(now, at, label, centre, precision)
    for _ in range(_STEPS):
        chance = _sigmoid(now[0] + now[1] * at)
        error, weight = chance - label, chance * (1 - chance)
        slope = np.array([error.sum(), (error * at).sum()]) + precision * (now - centre)
        bend = np.array(
            [
                [weight.sum() + precision[0], (weight * at).sum()],
                [(weight * at).sum(), (weight * at**2).sum() + precision[1]],
            ]
        )
        step = np.zeros(2)
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        size = 1.0
        while (new := _loss(now - size * step, at, label, centre, precision)) > value and size > _SETTLED:
            size /= 2
        now, gained, value = now - size * step, value - new, new
        if gained < _SETTLED:
            break
    return now


def _loss(now: Floats, at: Floats, label: Floats, centre: Floats, precision: Floats) -> float:
    line = now[0] + now[1] * at
    return float((np.logaddexp(0, line) - label * line).sum() + (precision * (now - centre) ** 2).sum() / 2)


def _sigmoid(line: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -line)))


def brier(scores: Sequence[float], good: Sequence[bool]) -> float:
    """The mean squared distance between scores and what came true; ``nan`` without outcomes."""
    if not scores:
        return math.nan
    return float(np.mean((np.asarray(scores) - np.asarray(good, dtype=np.float64)) ** 2))
