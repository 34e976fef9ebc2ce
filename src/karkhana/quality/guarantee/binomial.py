"""Exact binomial arithmetic: p-values, how many bad outcomes are few enough, intervals. Knows nothing of scores.

>>> round(p_value(bad=0, outcomes=22, alpha=0.10), 4)
0.0985
>>> most_bad(0.10, 0.10, 40)[[21, 22, 36, 37, 38]].tolist()
[-1, 0, 0, 0, 1]
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def needed(alpha: float, delta: float) -> int:
    """How many outcomes without a bad one rule out a rate above ``alpha`` with probability ``1 - delta``."""
    return math.ceil(math.log(delta) / math.log1p(-alpha) - 1e-9)


def p_value(bad: int, outcomes: int, alpha: float) -> float:
    """P(X <= bad) for X ~ Bin(outcomes, alpha): small when a rate above ``alpha`` is hard to believe.

    The p-value of Learn-then-Test for a 0/1 loss: Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test:
    calibrating predictive algorithms to achieve risk control", arXiv:2110.01052, 2021.
    """
    if bad >= outcomes:
        return 1.0
    if bad < 0:
        return 0.0
    steps = np.arange(1, bad + 1)
    logs = np.cumsum(np.log((outcomes - steps + 1) / steps) + math.log(alpha) - math.log1p(-alpha))
    total = np.logaddexp.reduce(np.concatenate(([0.0], logs))) + outcomes * math.log1p(-alpha)
    return min(1.0, math.exp(total))


@lru_cache(maxsize=256)
def most_bad(alpha: float, delta: float, size: int) -> Integers:
    """For each number of outcomes 0 to ``size``: the most bad ones with a p-value of at most ``delta``; -1 for none.

    One pass: the cumulative chance of ``bad + 1`` is carried from one number of outcomes to the next.
    """
    table = np.full(size + 1, -1, dtype=np.int64)
    odds, candidate = alpha / (1 - alpha), 0
    chance = cumulative = 1.0  # of exactly and of at most `candidate` bad ones among no outcomes
    for outcomes in range(1, size + 1):
        cumulative -= alpha * chance
        if outcomes > candidate:
            chance *= (1 - alpha) * outcomes / (outcomes - candidate)
        while cumulative <= delta and candidate < outcomes:
            chance *= odds * (outcomes - candidate) / (candidate + 1)
            candidate += 1
            cumulative += chance
        table[outcomes] = candidate - 1
    table.setflags(write=False)
    return table


def interval(bad: int, outcomes: int, confidence: float) -> tuple[float, float]:
    """The exact two-sided interval of a rate: Clopper and Pearson, Biometrika 26 (1934).

    >>> [round(end, 3) for end in interval(2, 20, 0.95)]
    [0.012, 0.317]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if bad == 0 else _rate(bad - 1, outcomes, 1 - tail)
    high = 1.0 if bad >= outcomes else _rate(bad, outcomes, tail)
    return low, high


def _rate(bad: int, outcomes: int, chance: float) -> float:
    """The rate with P(X <= bad) = ``chance``: Newton's steps on the log odds of the chance, which are nearly a line in
    the rate, and half of what is left wherever they lead out of it. Some five steps; bisection alone takes fifty."""
    low, high, rate = 0.0, 1.0, (bad + 0.5) / outcomes
    ways = math.lgamma(outcomes + 1) - math.lgamma(bad + 1) - math.lgamma(outcomes - bad)
    for _ in range(100):
        found = p_value(bad, outcomes, rate)
        low, high = (rate, high) if found > chance else (low, rate)
        before, rate = rate, (low + high) / 2
        if 0 < found < 1:
            slope = math.exp(ways + bad * math.log(before) + (outcomes - bad - 1) * math.log1p(-before))
            apart = math.log(found / (1 - found)) - math.log(chance / (1 - chance))
            nearer = before + apart * found * (1 - found) / slope if slope else -1.0
            rate = nearer if low <= nearer <= high else rate
        if abs(rate - before) <= 1e-12 * rate:
            break
    return rate
