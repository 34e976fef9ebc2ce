"""The typed form of ``guarantee.toml``. Knows only that the numbers make sense.

>>> load_rules().alpha
0.1
"""

from functools import lru_cache
from importlib import resources

import msgspec


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: an unknown key is an error."""


class DriftRules(_Data, frozen=True, kw_only=True):
    """When to raise the alarm."""

    delta: float
    towards_alpha: float
    odds: tuple[float, ...]


class CalibrationRules(_Data, frozen=True, kw_only=True):
    """How much a scope is pulled towards its parent."""

    intercept: float
    slope: float
    least_slope: float
    newest: int


class ReportRules(_Data, frozen=True, kw_only=True):
    """Of the monthly report."""

    confidence: float


class Rules(_Data, frozen=True, kw_only=True):
    """Everything that the guarantee is made with. Raises ``ValueError`` for numbers that make no sense."""

    alpha: float
    """Share of bad changes, in (0,1), that is allowed among those that go ahead alone."""
    strict_alpha: float
    """The same for those that nobody even watches."""
    delta: float
    """Chance, in (0,1), that the promise is broken."""
    lowest: float
    step: float
    first_share: float
    growth: float
    regain: int
    drift: DriftRules
    calibration: CalibrationRules
    report: ReportRules

    def __post_init__(self) -> None:
        if not all(
            0 < share < 1
            for share in (self.alpha, self.strict_alpha, self.delta, self.drift.delta, self.report.confidence)
        ):
            raise ValueError("alpha, delta, drift.delta and report.confidence must lie between 0 and 1")
        if not 0.70 <= self.lowest < 1 or not 0.001 <= self.step <= 0.30:
            raise ValueError("0.70 <= lowest < 1 and 0.001 <= step <= 0.30 must hold")
        if not (0 <= self.first_share <= 1 and 0 <= self.drift.towards_alpha <= 1 and self.growth > 1 <= self.regain):
            raise ValueError("first_share and drift.towards_alpha lie in [0,1], growth above 1, regain from 1")
        if not self.drift.odds or min(self.drift.odds) <= 1:
            raise ValueError("drift.odds must be above 1")
        shrinkage = self.calibration
        if min(shrinkage.intercept, shrinkage.slope, shrinkage.least_slope) <= 0 or shrinkage.newest < 1:
            raise ValueError("the rules of calibration must be above 0")

    def spent(self, number: int) -> float:
        """The part of delta that calibration ``number`` (1, 2, 3, …) may spend; all of them together spend delta.

        delta * 6 / (pi * number)**2, since the inverse squares sum to pi**2 / 6.
        """
        return self.delta * 0.6079271018540267 / number**2


@lru_cache(maxsize=1)
def load_rules() -> Rules:
    """Those that ship with Karkhana."""
    data = resources.files("karkhana.quality.guarantee").joinpath("guarantee.toml").read_bytes()
    return msgspec.toml.decode(data, type=Rules)
