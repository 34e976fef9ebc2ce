"""A model of a repository's own outcomes: up to three kinds of forests, averaged in log odds and calibrated.

Gradient-boosted forests of all outcomes; where there are many outcomes also the same of the newer half only (what makes
changes bad drifts), and extremely randomised trees (Geurts et al., Machine Learning 63, 2006), which err elsewhere than
boosted ones. Boosted ones see a random part of the columns at every split, which is what keeps few outcomes from being
learned by heart. The newest part of the outcomes calibrates: forests of the older part forecast it, and Platt's two
numbers that fit are then applied to forests of everything (Platt 1999; Niculescu-Mizil and Caruana, ICML 2005).
Settings are in ``risk.toml``; seeds are fixed.

Knows nothing of what the columns mean; :mod:`karkhana.quality.risk.model` decides whether there are outcomes enough.

    forests = Forests.fit(table, bad, load_settings().forests)
    forests.risk(other_table)  ->  array([0.07, 0.31])
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from karkhana.domain.confidence import Calibration
from karkhana.quality.guarantee.calibration import fit as fit_calibration
from karkhana.quality.guarantee.rules import CalibrationRules
from karkhana.quality.risk.settings import ForestSettings

Floats = NDArray[np.float64]
Group = Sequence[HistGradientBoostingClassifier | ExtraTreesClassifier]
"""Forests of one kind, averaged as they are."""


class Forests:
    """Fitted forests and their calibration; :meth:`fit` makes one."""

    def __init__(self, groups: Sequence[Group], calibration: Calibration) -> None:
        self._groups = groups
        self.calibration = calibration

    @classmethod
    def fit(cls, table: Floats, bad: NDArray[np.bool_], settings: ForestSettings) -> Self:
        """Learn from a row of ``table`` for each outcome, the oldest first. Raises ``ValueError`` for one class."""
        if len(np.unique(bad)) < 2:
            raise ValueError("outcomes of both classes are needed")
        held = int(len(bad) * (1 - settings.calibration_share))
        calibration = Calibration()
        if settings.calibration_share and len(np.unique(bad[:held])) == 2 and held < len(bad):
            older = _average(_groups(table[:held], bad[:held], settings), table[held:])
            rules = CalibrationRules(
                intercept=settings.calibration_intercept,
                slope=settings.calibration_slope,
                least_slope=0.05,
                newest=len(bad),
            )
            good = (~bad[held:]).tolist()
            calibration = fit_calibration((1 - older).tolist(), good, Calibration(), rules, "newest outcomes")
        return cls(_groups(table, bad, settings), calibration)

    def risk(self, table: Floats) -> Floats:
        """The probability of the bad outcome for each row."""
        raw = _average(self._groups, table)
        return np.array([1 - self.calibration.apply(1 - one) for one in raw.tolist()])


def _groups(table: Floats, bad: NDArray[np.bool_], settings: ForestSettings) -> list[Group]:
    # Several threads wait for each other at every split: on a busy machine that costs more than it saves
    with threadpool_limits(limits=1, user_api="openmp"):
        groups: list[Group] = [_boosted(table, bad, settings, settings.seed)]
        newer = slice(len(bad) // 2, None)
        if len(np.unique(bad[newer])) == 2 and len(bad) >= settings.many:
            groups.append(_boosted(table[newer], bad[newer], settings, settings.seed + settings.members))
            groups.append(_randomised(table, bad, settings))
    return groups


def _boosted(
    table: Floats, bad: NDArray[np.bool_], settings: ForestSettings, seed: int
) -> list[HistGradientBoostingClassifier]:
    return [
        HistGradientBoostingClassifier(
            max_iter=settings.rounds,
            learning_rate=settings.rate,
            max_leaf_nodes=settings.leaves,
            min_samples_leaf=max(settings.least_leaf, min(settings.leaf, len(bad) // settings.leaves_of_all)),
            l2_regularization=settings.penalty,
            max_features=settings.columns,
            early_stopping=False,
            random_state=seed + number,
        ).fit(table, bad)
        for number in range(settings.members)
    ]


def _randomised(table: Floats, bad: NDArray[np.bool_], settings: ForestSettings) -> list[ExtraTreesClassifier]:
    trees = ExtraTreesClassifier(
        settings.trees,
        min_samples_leaf=settings.trees_leaf,
        max_features=settings.trees_columns,
        random_state=settings.seed,
    )
    return [trees.fit(table, bad)]


def _average(groups: Sequence[Group], table: Floats) -> Floats:
    with threadpool_limits(limits=1, user_api="openmp"):
        each = [np.mean([member.predict_proba(table)[:, 1] for member in group], axis=0) for group in groups]
    held = np.clip(np.asarray(each), 1e-4, 1 - 1e-4)
    return np.asarray(1 / (1 + np.exp(-np.mean(np.log(held / (1 - held)), axis=0))))
