"""Change risk: the shipped prior, moved by a repository's own outcomes, and replaced by them as they become many.

Three steps, each only when its data suffice: the prior as it is; the prior with its level and slope fitted to the
repository's outcomes (Platt, around the prior); the repository's own forests, which count the more the more bad
outcomes they saw. The parts are averaged in log odds.

Knows nothing of where features and outcomes come from. Whoever asks for a forecast of the past has to pass only what
was known by then.

>>> bool(0 < RiskModel().risk({"la": [12.0], "lt": [500.0], "nf": [1.0]})[0] < 1)
True
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from karkhana.domain.confidence import Calibration
from karkhana.quality.guarantee.calibration import fit as fit_calibration
from karkhana.quality.guarantee.rules import CalibrationRules
from karkhana.quality.risk.columns import columns
from karkhana.quality.risk.prior import load_prior
from karkhana.quality.risk.settings import RiskSettings, load_settings

Floats = NDArray[np.float64]
Features = Mapping[str, Sequence[float] | Floats]
"""Name → a value for each commit."""


class Learned(Protocol):
    """What was learned from the repository alone."""

    def risk(self, table: Floats) -> Floats:
        """The probability of the bad outcome for each row of columns."""


class RiskModel:
    """How likely changes are to turn out bad; without outcomes the prior, else made by :meth:`fit`."""

    def __init__(
        self,
        *,
        calibration: Calibration | None = None,
        own: Learned | None = None,
        share_of_own: float = 0.0,
        outcomes: int = 0,
        bad: int = 0,
    ) -> None:
        self.calibration = calibration or Calibration()
        """What the repository's outcomes made of the prior."""
        self._own = own
        self.share_of_own = share_of_own
        """How much the repository's own forests count, in [0,1]."""
        self.outcomes = outcomes
        self.bad = bad

    @classmethod
    def fit(cls, features: Features, bad: Sequence[bool], settings: RiskSettings | None = None) -> Self:
        """Learn from outcomes, the oldest first: a value of each feature and whether it was bad for each commit."""
        settings = settings or load_settings()
        outcome = np.asarray(bad, dtype=bool)
        if not len(outcome):
            return cls()
        local = settings.local
        rules = CalibrationRules(intercept=local.intercept, slope=local.slope, least_slope=0.05, newest=len(outcome))
        prior = load_prior().risk(features)
        calibration = fit_calibration((1 - prior).tolist(), (~outcome).tolist(), Calibration(), rules, "repository")
        own, share, count = None, 0.0, int(outcome.sum())
        if len(outcome) >= local.least_outcomes and local.least_bad <= count <= len(outcome) - local.least_bad:
            # scikit-learn takes a second to import; most repositories that ask have too few outcomes for it
            from karkhana.quality.risk.ensemble import Forests

            own = Forests.fit(_table(features, calibration), outcome, settings.forests)
            share = count / (count + local.even_at)
        return cls(calibration=calibration, own=own, share_of_own=share, outcomes=len(outcome), bad=count)

    def risk(self, features: Features) -> Floats:
        """The probability that each change turns out bad."""
        prior = _calibrated(features, self.calibration)
        if self._own is None:
            return prior
        own = self._own.risk(_table(features, self.calibration))
        return _sigmoid((1 - self.share_of_own) * _log_odds(prior) + self.share_of_own * _log_odds(own))


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a forecast rests on, for a report."""

    outcomes: int
    bad: int
    share_of_own: float


def known(model: RiskModel) -> Known:
    """What ``model`` rests on."""
    return Known(outcomes=model.outcomes, bad=model.bad, share_of_own=round(model.share_of_own, 4))


def _table(features: Features, calibration: Calibration) -> Floats:
    """The columns, and what the prior makes of them."""
    return np.column_stack([columns(features)[1], _log_odds(_calibrated(features, calibration))])


def _calibrated(features: Features, calibration: Calibration) -> Floats:
    prior = load_prior().risk(features)
    return np.array([1 - calibration.apply(1 - one) for one in prior.tolist()])


def _log_odds(risk: Floats) -> Floats:
    held = np.clip(risk, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(held / (1 - held)))


def _sigmoid(line: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-line)))
