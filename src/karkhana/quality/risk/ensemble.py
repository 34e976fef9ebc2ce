"""A model of a repository's own outcomes: several small gradient-boosted forests, averaged and calibrated.

Each forest sees the features through another seed and a random part of the columns at every split, which is what keeps
few outcomes from being learned by heart. Half of them learn from the newer half of the outcomes only, since what makes
changes bad drifts. The newest part of the outcomes calibrates: forests of the older part forecast
it, and Platt's two numbers that fit are then applied to forests of everything (Platt 1999; Niculescu-Mizil and Caruana,
ICML 2005). Settings are in ``risk.toml``; seeds are fixed.

Knows nothing of what the columns mean; :mod:`karkhana.quality.risk.model` decides whether there are outcomes enough.

    forests = Forests.fit(table, bad, load_settings().forests)
    forests.risk(other_table)  ->  array([0.07, 0.31])
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from karkhana.domain.confidence import Calibration
from karkhana.quality.guarantee.calibration import fit as fit_calibration
from karkhana.quality.guarantee.rules import CalibrationRules
from karkhana.quality.risk.settings import ForestSettings

Floats = NDArray[np.float64]


class Forests:
    """Fitted forests and their calibration; :meth:`fit` makes one."""

    def __init__(self, members: list[HistGradientBoostingClassifier], calibration: Calibration) -> None:
        self._members = members
        self.calibration = calibration

    @classmethod
    def fit(cls, table: Floats, bad: NDArray[np.bool_], settings: ForestSettings) -> Self:
        """Learn from a row of ``table`` for each outcome, the oldest first. Raises ``ValueError`` for one class."""
        held = int(len(bad) * (1 - settings.calibration_share))
        calibration = Calibration()
        if settings.calibration_share and len(np.unique(bad[:held])) == 2 and held < len(bad):
            older = _average(_members(table[:held], bad[:held], settings), table[held:])
            rules = CalibrationRules(
                intercept=settings.calibration_intercept,
                slope=settings.calibration_slope,
                least_slope=0.05,
                newest=len(bad),
            )
            good = (~bad[held:]).tolist()
            calibration = fit_calibration((1 - older).tolist(), good, Calibration(), rules, "newest outcomes")
        return cls(_members(table, bad, settings), calibration)

    def risk(self, table: Floats) -> Floats:
        """The probability of the bad outcome for each row."""
        raw = _average(self._members, table)
        return np.array([1 - self.calibration.apply(1 - one) for one in raw.tolist()])


def _members(table: Floats, bad: NDArray[np.bool_], settings: ForestSettings) -> list[HistGradientBoostingClassifier]:
    newer = slice(len(bad) // 2, None)
    drifting = len(np.unique(bad[newer])) == 2 and len(bad) >= settings.least_to_halve
    return [
        _fitted(table[newer], bad[newer], settings, number)
        if drifting and number % 2
        else _fitted(table, bad, settings, number)
        for number in range(settings.members)
    ]


def _fitted(
    table: Floats, bad: NDArray[np.bool_], settings: ForestSettings, number: int
) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(
        max_iter=settings.rounds,
        learning_rate=settings.rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=max(settings.least_leaf, min(settings.leaf, len(bad) // settings.leaves_of_all)),
        l2_regularization=settings.penalty,
        max_features=settings.columns,
        early_stopping=False,
        random_state=settings.seed + number,
    )
    # Several threads wait for each other at every split: on a busy machine that costs more than it saves
    with threadpool_limits(limits=1, user_api="openmp"):
        return model.fit(table, bad)


def _average(members: list[HistGradientBoostingClassifier], table: Floats) -> Floats:
    with threadpool_limits(limits=1, user_api="openmp"):
        return np.asarray(np.mean([member.predict_proba(table)[:, 1] for member in members], axis=0))
