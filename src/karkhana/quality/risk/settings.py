"""The typed form of ``risk.toml``. Knows nothing of data.

>>> load_settings().forests.members > 1
True
"""

from functools import lru_cache
from importlib import resources

import msgspec


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: a misspelt setting is an error."""


class ForestSettings(_Data, frozen=True, kw_only=True):
    """How the repository's own outcomes are learned; see the comments of the file."""

    members: int
    rounds: int
    rate: float
    leaves: int
    leaf: int
    leaves_of_all: int
    least_leaf: int
    penalty: float
    columns: float
    trees: int
    trees_leaf: int
    trees_columns: float
    seed: int
    many: int
    calibration_share: float
    calibration_intercept: float
    calibration_slope: float


class LocalSettings(_Data, frozen=True, kw_only=True):
    """When and how much the repository's own outcomes count."""

    least_outcomes: int
    least_bad: int
    even_at: float
    intercept: float
    slope: float


class RiskSettings(_Data, frozen=True, kw_only=True):
    """All of the file."""

    forests: ForestSettings
    local: LocalSettings


@lru_cache(maxsize=1)
def load_settings() -> RiskSettings:
    """The settings that ship with Karkhana."""
    raw = resources.files("karkhana.quality.risk").joinpath("risk.toml").read_bytes()
    return msgspec.toml.decode(raw, type=RiskSettings)
