"""Worlds with a known truth for the simulation: how scores are spread, and how likely a change of each score is bad.

Knows nothing of how thresholds are chosen.

>>> world = WORLDS["level"]
>>> float(world.risk(np.array([0.95]), 0.10)[0]) > 0.10
True
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]
JUST_OVER = 1.02
"""A rate this little above what is allowed is the hardest one to refuse."""


@dataclass(frozen=True)
class World:
    """Scores are Beta distributed; ``risk(score, alpha)`` is the chance that such a change is bad."""

    says: str
    spread: tuple[float, float]
    risk: Callable[[Floats, float], Floats]

    def draw(self, chance: np.random.Generator, size: tuple[int, ...]) -> Floats:
        """Scores of some changes."""
        return chance.beta(*self.spread, size=size)


def _level(score: Floats, alpha: float) -> Floats:
    return np.full_like(score, min(1.0, alpha * JUST_OVER))


def _honest(score: Floats, _alpha: float) -> Floats:
    return 1 - score


def _over_confident(score: Floats, _alpha: float) -> Floats:
    return np.minimum(1.0, 2.5 * (1 - score) + 0.02)


def _cliff(score: Floats, alpha: float) -> Floats:
    return np.where(score > 0.88, 0.4 * alpha, 0.5)


def _worst_on_top(score: Floats, alpha: float) -> Floats:
    """No score is worth less than the best ones: the order that a score promises is wrong."""
    return np.where(score > 0.985, 0.6, 0.55 * alpha)


def _slope(score: Floats, alpha: float) -> Floats:
    """Crosses the allowed rate slowly, so that many thresholds are nearly right."""
    return np.clip(alpha * (0.85 + 1.5 * (0.95 - score)), 0, 1)


WORLDS = {
    "level": World("every score is a little worse than allowed", (8, 1.2), _level),
    "honest": World("the score is the probability", (6, 1.0), _honest),
    "over_confident": World("two and a half times as many bad ones as the score says", (10, 1.0), _over_confident),
    "cliff": World("safe above 0.88, a coin below", (8, 1.2), _cliff),
    "worst_on_top": World("the best scores are the worst changes", (8, 1.0), _worst_on_top),
    "slope": World("risk crosses the allowed rate slowly", (8, 1.2), _slope),
}


def rate_above(world: World, thresholds: Floats, alpha: float, *, points: int = 400_000) -> Floats:
    """The true share of bad changes among those with a higher score; ``nan`` above all scores.

    Over evenly spaced quantiles of the scores, so without a Monte-Carlo error.
    """
    scores = beta.ppf((np.arange(points) + 0.5) / points, *world.spread)
    total = np.concatenate((np.cumsum(world.risk(scores, alpha)[::-1])[::-1], [0.0]))
    first = np.searchsorted(scores, thresholds, side="right")
    count = points - first
    return np.where(count > 0, total[first] / np.maximum(count, 1), np.nan)
