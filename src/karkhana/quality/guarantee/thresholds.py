"""Learn-then-Test: the lowest threshold above which too many bad changes are ruled out, or none.

For each threshold of a grid, the hypothesis "more than alpha of the changes with a higher score are bad" is tested
with an exact binomial p-value, from the highest threshold down, each at the whole level; the first one that cannot be
rejected ends the sequence. The chance that any rejection is wrong is then at most that level, whatever the scores are
worth. Source: Angelopoulos, Bates, Candès, Jordan, Lei, arXiv:2110.01052, 2021 (fixed sequence testing, section 3.2).

Where the sequence begins depends on how many outcomes there are, never on how they turned out. Assumed is that
outcomes are exchangeable with the changes to come; see :mod:`karkhana.quality.guarantee.drift` for when they are not.

>>> import numpy as np
>>> grid = np.array([0.90, 0.80, 0.70])
>>> outcomes, bad = np.array([[30, 60, 90]]), np.array([[0, 2, 30]])
>>> grid[certified(outcomes, bad, most_bad(0.10, 0.10, 90), first_share=0.25)].tolist()
[0.8]
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from karkhana.quality.guarantee.binomial import Integers, most_bad

Floats = NDArray[np.float64]


@lru_cache(maxsize=16)
def thresholds(lowest: float, step: float) -> Floats:
    """The grid, from the highest below 1 down to ``lowest``; fixed before any outcome is seen."""
    count = math.floor((1 - lowest) / step + 1e-9)
    if lowest + count * step >= 1 - 1e-9:
        count -= 1
    grid = np.round(lowest + step * np.arange(max(0, count), -1, -1), 6)
    grid.setflags(write=False)
    return np.asarray(grid)


def certified(outcomes: Integers, bad: Integers, allowed: Integers, first_share: float) -> Integers:
    """For each row, the index of the lowest threshold that is shown to be safe; -1: none, or data too thin.

    ``outcomes`` and ``bad`` have a row per sample and a column per threshold, from the highest threshold down: how
    many outcomes have a higher score, and how many of those are bad. ``allowed`` is :func:`binomial.most_bad`.
    """
    most = allowed[outcomes]
    tested = (most >= 0) & (outcomes >= first_share * outcomes[:, -1:])
    refused = tested & (bad > most)
    width = outcomes.shape[1]
    end = np.where(refused.any(axis=1), refused.argmax(axis=1), width) - 1
    return np.where((end >= 0) & tested[np.arange(len(end)), end], end, -1)


__all__ = ["certified", "most_bad", "thresholds"]
