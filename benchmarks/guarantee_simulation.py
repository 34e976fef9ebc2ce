"""Draws outcomes from worlds whose truth is known, and counts how often the promise is broken.

The code that keeps the promise is the product's own (:class:`karkhana.quality.guarantee.keeping.Keeper`), with one
row per draw. A draw breaks the promise

- once: when the threshold that was given has a true rate of bad changes above alpha;
- again and again: when any threshold that was ever given has;
- as shipped, and with drift: when, over the whole stretch, the changes that went ahead alone were bad above alpha on
  average (their true chances are averaged, not their luck).

*As shipped* is the keeper that decides in the product: nothing below ``policy.deploy_above``, alarm and pause on. The
other settings ask more (thresholds down to 0.70, each one that was ever given) or show what the parts are worth alone.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.guarantee_worlds import WORLDS, Floats, World, rate_above
from karkhana.domain.policy import Policy
from karkhana.quality.autonomy import keepers
from karkhana.quality.guarantee.binomial import most_bad
from karkhana.quality.guarantee.keeping import Keeper
from karkhana.quality.guarantee.rules import Rules, load_rules
from karkhana.quality.guarantee.thresholds import certified, thresholds

LEVELS = ((0.10, 0.10), (0.05, 0.10))
SIZES = (60, 250, 1000)
STRETCH = 1200
"""Outcomes of a history that is calibrated again and again."""


@dataclass(frozen=True)
class Drift:
    """From outcome ``at`` on (over ``over`` outcomes) the odds of a bad change are ``odds`` times as high."""

    name: str
    at: int
    odds: float
    over: int = 0
    until: int = 1_000_000

    def factor(self, number: int) -> float:
        """By which the odds of a bad change are multiplied at an outcome."""
        if number < self.at or number >= self.until:
            return 1.0
        share = 1.0 if self.over == 0 else min(1.0, (number - self.at + 1) / self.over)
        return math.exp(share * math.log(self.odds))


@dataclass(frozen=True)
class Late:
    """After so many more changes an outcome is known: a bad one when somebody stumbles over it, a good one when the
    window is over."""

    bad: int = 0
    good: int = 0


LATE = (Late(), Late(bad=30, good=100))
LIFE = 3000
"""Outcomes of a history in which something gets worse."""
DRIFTS = (
    Drift("none", at=0, odds=1.0),
    Drift("four times, at 2000", at=2000, odds=4.0),
    Drift("ten times, at 2000", at=2000, odds=10.0),
    Drift("six times, slowly from 1800 on", at=1800, odds=6.0, over=400),
    Drift("eight times, from 2000 to 2300", at=2000, odds=8.0, until=2300),
)
HARD = (
    Drift("twice, at 2000", at=2000, odds=2.0),
    Drift("ten times, at 400", at=400, odds=10.0),
    Drift("five times, at 60", at=60, odds=5.0),
)
"""Worse by so little, or so soon, that the average is above alpha before anything can be noticed: no method that lets
anything go ahead can promise more than a bounded delay. Told, and not counted in the bar."""


@dataclass
class Tally:
    """What became of a setting's draws."""

    draws: int
    broken: int = 0
    alone: float = 0.0
    """Mean share of changes that went ahead alone."""
    more: dict[str, Any] = field(default_factory=dict)

    def row(self, **setting: Any) -> dict[str, Any]:
        """As data; ``error`` is the standard error of the share of broken draws."""
        share = self.broken / self.draws
        return {
            **setting,
            "draws": self.draws,
            "violations": round(share, 4),
            "error": round(math.sqrt(share * (1 - share) / self.draws), 4),
            "alone": round(self.alone, 4),
            **self.more,
        }


def rules_for(alpha: float, delta: float) -> Rules:
    """The shipped rules with another promise."""
    return msgspec.structs.replace(load_rules(), alpha=alpha, delta=delta)


def once(draws: int, seed: int) -> Iterator[dict[str, Any]]:
    """One calibration on a sample of each size; the whole of delta is spent on it."""
    for (name, world), (alpha, delta), size in ((w, lv, s) for w in WORLDS.items() for lv in LEVELS for s in SIZES):
        rules = rules_for(alpha, delta)
        chance = np.random.default_rng([seed, *name.encode(), size, int(alpha * 1000)])
        grid = thresholds(rules.lowest, rules.step)
        truth = rate_above(world, grid, alpha)
        score = world.draw(chance, (draws, size))
        bad = chance.random((draws, size)) < world.risk(score, alpha)
        outcomes, wrong = _counts(score, bad, grid)
        found = certified(outcomes, wrong, most_bad(alpha, delta, size), rules.first_share)
        given = found >= 0
        tally = Tally(draws, broken=int((given & (truth[found] > alpha)).sum()))
        above = np.array([(score > threshold).mean() for threshold in grid])
        tally.alone = float(np.where(given, above[found], 0).mean())
        tally.more["naive_violations"] = _naive(outcomes, wrong, truth, alpha)
        tally.more["abstained"] = round(float((~given).mean()), 4)
        yield tally.row(kind="once", world=name, alpha=alpha, delta=delta, outcomes=size)


def _counts(score: Floats, bad: NDArray[np.bool_], grid: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    above = [score > threshold for threshold in grid]
    return np.stack([a.sum(axis=1) for a in above], axis=1), np.stack([(a & bad).sum(axis=1) for a in above], axis=1)


def _naive(outcomes: NDArray[np.int64], wrong: NDArray[np.int64], truth: Floats, alpha: float) -> float:
    """How often the lowest threshold whose share of bad ones looks allowed is not."""
    looks = (outcomes > 0) & (wrong <= alpha * outcomes)
    lowest = looks.shape[1] - 1 - looks[:, ::-1].argmax(axis=1)
    return round(float((looks.any(axis=1) & (truth[lowest] > alpha)).mean()), 4)


def repeated(draws: int, seed: int) -> Iterator[dict[str, Any]]:
    """A history that is calibrated again and again, without drift and without the alarm."""
    for (name, world), (alpha, delta) in ((w, lv) for w in WORLDS.items() for lv in LEVELS):
        rules = rules_for(alpha, delta)
        chance = np.random.default_rng([seed, 7, *name.encode(), int(alpha * 1000)])
        keeper = Keeper(rules, histories=draws, alarm=False, demote=False)
        wrong = keeper.grid[rate_above(world, keeper.grid, alpha) > alpha]
        broken, alone = np.zeros(draws, dtype=bool), 0.0
        for _ in range(STRETCH):
            score = world.draw(chance, (draws,))
            alone += float((score > keeper.deploy_above).mean()) / STRETCH
            keeper.learn(score, chance.random(draws) < world.risk(score, alpha))
            broken |= np.isin(keeper.deploy_above, wrong)
        tally = Tally(draws, broken=int(broken.sum()), alone=alone)
        tally.more["calibrations"] = round(float(keeper.number.mean()), 2)
        yield tally.row(kind="repeated", world=name, alpha=alpha, delta=delta, outcomes=STRETCH)


def shipped(
    draws: int, seed: int, drifts: tuple[Drift, ...] = DRIFTS, kind: str = "shipped", worlds: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """What the product does, in each world, with each change of it; with outcomes that are known at once, and late."""
    for name, drift, late in ((w, d, lt) for w in worlds or WORLDS for d in drifts for lt in LATE):
        rules = load_rules()
        chance = np.random.default_rng([seed, 13, *name.encode(), *drift.name.encode(), late.good])
        keeper, _ = keepers(Policy().deploy_above, rules, histories=draws)
        run = _Stretch(WORLDS[name], drift, keeper, rules.alpha, chance, late)
        for number in range(LIFE):
            run.step(number)
        setting = {"world": name, "drift": drift.name, "late": late.good, "alpha": rules.alpha, "delta": rules.delta}
        yield run.tally().row(kind=kind, **setting)


def drifting(
    draws: int,
    seed: int,
    drifts: tuple[Drift, ...] = DRIFTS,
    *,
    alarm: bool = True,
    demote: bool = True,
    kind: str = "drift",
) -> Iterator[dict[str, Any]]:
    """The same while the world gets worse."""
    for name, drift in ((w, d) for w in ("honest", "over_confident", "cliff") for d in drifts):
        alpha, delta = LEVELS[0]
        chance = np.random.default_rng([seed, 11, *name.encode(), *drift.name.encode()])
        keeper = Keeper(rules_for(alpha, delta), histories=draws, alarm=alarm, demote=demote)
        run = _Stretch(WORLDS[name], drift, keeper, alpha, chance)
        for number in range(LIFE):
            run.step(number)
        yield run.tally().row(
            kind=kind, world=name, drift=drift.name, alarm=alarm, demote=demote, alpha=alpha, delta=delta
        )


class _Stretch:
    """One setting with drift, all draws side by side."""

    def __init__(  # noqa: PLR0917 - what a setting is made of
        self,
        world: World,
        drift: Drift,
        keeper: Keeper,
        alpha: float,
        chance: np.random.Generator,
        late: Late = LATE[0],
    ) -> None:
        self._world, self._drift, self._keeper, self._alpha, self._chance = world, drift, keeper, alpha, chance
        self._late, self._unknown = late, deque[tuple[Floats, NDArray[np.bool_]]](maxlen=late.good + 1)
        self._now = 0
        self._draws = len(keeper.number)
        self._count, self._risk, self._since = np.zeros(self._draws), np.zeros(self._draws), np.zeros(self._draws)
        self._false = np.zeros(self._draws, dtype=bool)

    def step(self, number: int) -> None:
        score = self._world.draw(self._chance, (self._draws,))
        risk = self._world.risk(score, self._alpha)
        worse = self._drift.factor(number)
        odds = worse * risk / np.maximum(1 - risk, 1e-9)
        risk = odds / (1 + odds)
        alone = self._keeper.alone(score)
        self._count += alone
        self._risk += np.where(alone, risk, 0)
        self._since += alone & (number >= self._drift.at) & (self._drift.odds > 1) & (self._keeper.alarms == 0)
        before = self._keeper.alarms.copy()
        self._learn(score, self._chance.random(self._draws) < risk)
        if worse == 1.0 and (number < self._drift.at or self._drift.odds == 1.0):
            self._false |= self._keeper.alarms > before

    def _learn(self, score: Floats, bad: NDArray[np.bool_]) -> None:
        """What becomes known now."""
        self._unknown.appendleft((score, bad))
        self._now += 1
        if self._late.good == self._late.bad == 0:
            self._keeper.learn(score, bad)
            return
        for after, want in ((self._late.bad, True), (self._late.good, False)):
            if after < len(self._unknown):
                score, bad = self._unknown[after]
                # A score below every threshold: for this history nothing becomes known.
                self._keeper.learn(np.where(bad == want, score, -1.0), bad & want, self._now - after, self._now)

    def tally(self) -> Tally:
        rate = self._risk / np.maximum(self._count, 1)
        tally = Tally(self._draws, broken=int((rate > self._alpha).sum()), alone=float(self._count.mean() / LIFE))
        tally.more["false_alarm"] = round(float(self._false.mean()), 4)
        if (met := self._since > 0).any():
            tally.more["alone_before_alarm"] = float(np.median(self._since[met]))
        return tally
