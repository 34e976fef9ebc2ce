"""How good a router is: APGR and CPT as RouteLLM defines them, and a cascade with a verifier that errs.

Source: I. Ong et al., "RouteLLM: learning to route LLMs with preference data", arXiv:2406.18665, and its evaluation
script.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

STRONG_PRICE, WEAK_PRICE = 24.7, 0.24
"""Dollars for a million tokens of GPT-4 and of Mixtral 8x7B, as that paper (section 5) has them."""
VERIFIER_PRICE = WEAK_PRICE
"""A verification is as dear as a call of the weak model."""


def curve(gains: Floats, weak: Floats, strong: Floats, points: int = 11) -> tuple[Floats, Floats]:
    """Share of calls to the strong model, and accuracy, when it gets the prompts of the highest ``gains``."""
    order = np.argsort(-gains, kind="stable")
    better = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    counts = np.linspace(0, len(gains), points).round().astype(int)
    return counts / len(gains), weak.mean() + better[counts] / len(gains)


def apgr(gains: Floats, weak: Floats, strong: Floats) -> float:
    """Average performance gap recovered: the mean share of the gap between the models; 0.5 by chance, 1 at most."""
    shares, accuracy = curve(gains, weak, strong)
    return float((np.trapezoid(accuracy, shares) - weak.mean()) / (strong.mean() - weak.mean()))


def cpt(gains: Floats, weak: Floats, strong: Floats, share: float = 0.5) -> float:
    """Call-performance threshold: the share of strong calls that recovers ``share`` of the gap."""
    shares, accuracy = curve(gains, weak, strong)
    return float(np.interp(weak.mean() + share * (strong.mean() - weak.mean()), accuracy, shares))


class Chances(NamedTuple):
    """What a router believes of prompts: the chances that the models are right."""

    weak: Floats
    strong: Floats
    spoilt: float
    """How often the strong model is wrong where the weak one is right, in units of how often it is wrong at all."""


def escalation_gains(chances: Chances, passed: NDArray[np.bool_], right: float) -> Floats:
    """What asking the strong model is expected to add once the verifier, right with ``right``, has spoken."""
    lost = chances.weak * chances.spoilt * (1.0 - chances.strong)
    won = np.clip(chances.strong - chances.weak + lost, 0.0, 1.0 - chances.weak)
    of_right = np.where(passed, right, 1.0 - right)
    of_wrong = 1.0 - of_right
    spoken = of_right * chances.weak + of_wrong * (1.0 - chances.weak)
    return np.asarray((of_wrong * won - of_right * lost) / spoken)


class Outcome(NamedTuple):
    """A cascade over some prompts, relative to the strong model for all of them."""

    saving: float
    quality: float
    escalated: float
    """Share of the prompts."""


def cascade(
    chances: Chances, weak: Floats, strong: Floats, *, budget: float, right: float, chance: np.random.Generator
) -> Outcome:
    """The weak model answers, a verifier judges, the most promising go to the strong one.

    ``budget``: the share of prompts that may. Whether one does is decided by the prompts before it alone: its gain must
    be above that quantile of theirs. All three kinds of call are paid; what is wrongly accepted or escalated counts.
    """
    passed = np.where(chance.random(len(weak)) < right, weak > 0.5, weak <= 0.5)
    gains = escalation_gains(chances, passed, right)
    escalated = np.zeros(len(weak), dtype=bool)
    warm, step = 100, 100
    escalated[:warm] = ~passed[:warm]
    for start in range(warm, len(weak), step):
        # what the beginning overspent is saved again
        spent = escalated[:start].sum()
        left = np.clip((budget * len(weak) - spent) / (len(weak) - start), 0.0, 1.0)
        escalated[start : start + step] = gains[start : start + step] > np.quantile(gains[:start], 1.0 - left)
    cost = WEAK_PRICE + VERIFIER_PRICE + STRONG_PRICE * escalated.mean()
    quality = np.where(escalated, strong, weak).mean() / strong.mean()
    return Outcome(float(1.0 - cost / STRONG_PRICE), float(quality), float(escalated.mean()))


def interval(values: Sequence[float]) -> list[float]:
    """95 % of the mean, by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return [mean, mean]
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return [round(mean - half, 4), round(mean + half, 4)]
