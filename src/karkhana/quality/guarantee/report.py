"""The report of a month: what went ahead and was bad, what waited and was good, and what the thresholds should be.

A false positive is a change that went ahead alone and turned out bad; a false negative is one that a person had to
decide on, and turned out good. Knows nothing of where outcomes are kept.

>>> report([Judged(score=0.95, good=True, at=0.0, alone=False, audited=False)], lowest=0.70).false_negatives
1
"""

import itertools
import math
from collections.abc import Sequence

import msgspec
import numpy as np

from karkhana.quality.guarantee.audit import Overlooked, overlooked
from karkhana.quality.guarantee.binomial import interval, most_bad
from karkhana.quality.guarantee.calibration import brier
from karkhana.quality.guarantee.rules import Rules, load_rules
from karkhana.quality.guarantee.thresholds import certified, thresholds


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome with how its change was decided."""

    score: float
    good: bool
    at: float
    alone: bool
    """It went ahead without a person."""
    audited: bool
    """It could have, and was drawn for the audit."""
    ordered: bool = False
    """A person had said beforehand that this one may go ahead; such a change is never drawn."""


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Changes with a score from ``low`` up to ``high``."""

    low: float
    high: float
    outcomes: int
    good: int
    said: float
    """Mean score."""
    good_low: float
    good_high: float
    """Interval of the share of good ones."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Of some outcomes."""

    outcomes: int
    bad: int
    alone: int
    false_positives: int
    waited: int
    false_negatives: int
    brier: float | None
    deploy_above: float | None
    """The lowest threshold that these outcomes alone would show to be safe; ``None``: none."""
    canary_from: float | None
    """The lowest score, at least 0.70, above which more than half turned out good; ``None``: none."""
    overlooked: Overlooked
    bands: tuple[Band, ...]
    alpha: float
    delta: float


class Should(msgspec.Struct, frozen=True, kw_only=True):
    """What the thresholds should have been, by all outcomes that were known by a time."""

    outcomes: int
    bad: int
    deploy_above: float | None
    """As in :class:`Report`."""
    canary_from: float | None


def should(outcomes: Sequence[Judged], *, lowest: float | None = None, rules: Rules | None = None) -> Should:
    """A month alone is seldom enough to show anything; this looks at everything that came before as well."""
    rules = rules or load_rules()
    return Should(
        outcomes=len(outcomes),
        bad=sum(not o.good for o in outcomes),
        deploy_above=_threshold(outcomes, lowest, rules),
        canary_from=_canary(outcomes, rules),
    )


def report(outcomes: Sequence[Judged], *, lowest: float | None = None, rules: Rules | None = None) -> Report:
    """What these outcomes say; thresholds are looked for from ``lowest`` (default: the rules') upwards."""
    rules = rules or load_rules()
    alone = [o for o in outcomes if o.alone]
    audits = [o for o in outcomes if o.audited]
    drawable = [o for o in alone if not o.ordered]
    waited = [o for o in outcomes if not o.alone]
    squares = brier([o.score for o in outcomes], [o.good for o in outcomes])
    return Report(
        outcomes=len(outcomes),
        bad=sum(not o.good for o in outcomes),
        alone=len(alone),
        false_positives=sum(not o.good for o in alone),
        waited=len(waited),
        false_negatives=sum(o.good for o in waited),
        brier=None if math.isnan(squares) else round(squares, 4),
        deploy_above=_threshold(outcomes, lowest, rules),
        canary_from=_canary(outcomes, rules),
        overlooked=overlooked(
            refused=sum(not o.good for o in audits),
            of_audited=len(audits),
            bad=sum(not o.good for o in drawable),
            of_alone=len(drawable),
            confidence=rules.report.confidence,
        ),
        bands=tuple(_bands(outcomes, rules)),
        alpha=rules.alpha,
        delta=rules.delta,
    )


def _threshold(outcomes: Sequence[Judged], lowest: float | None, rules: Rules) -> float | None:
    if not outcomes:
        return None
    grid = thresholds(rules.lowest if lowest is None else max(lowest, rules.lowest), rules.step)
    score = np.array([o.score for o in outcomes])
    bad = np.array([not o.good for o in outcomes])
    above = score[:, None] > grid
    counts, wrong = above.sum(axis=0)[None], (above & bad[:, None]).sum(axis=0)[None]
    found = int(certified(counts, wrong, most_bad(rules.alpha, rules.delta, len(outcomes)), rules.first_share)[0])
    return float(grid[found]) if found >= 0 else None


def _canary(outcomes: Sequence[Judged], rules: Rules) -> float | None:
    grid = thresholds(rules.lowest, rules.step)
    above = np.array([o.score for o in outcomes])[:, None] >= grid
    good = (above & np.array([o.good for o in outcomes], dtype=bool)[:, None]).sum(axis=0)
    fine = grid[2 * good > above.sum(axis=0)]
    return float(fine[-1]) if len(fine) else None


def _bands(outcomes: Sequence[Judged], rules: Rules) -> list[Band]:
    edges = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
    found = []
    for low, high in itertools.pairwise(edges):
        inside = [o for o in outcomes if low <= o.score < high or (high == 1.0 and o.score == 1.0)]
        if inside:
            good = sum(o.good for o in inside)
            worst, best = interval(len(inside) - good, len(inside), rules.report.confidence)
            found.append(
                Band(
                    low=low,
                    high=high,
                    outcomes=len(inside),
                    good=good,
                    said=round(sum(o.score for o in inside) / len(inside), 4),
                    good_low=round(1 - best, 4),
                    good_high=round(1 - worst, 4),
                )
            )
    return found
