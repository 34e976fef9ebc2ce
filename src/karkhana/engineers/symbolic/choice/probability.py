"""How probable is it that a passing change is right? A calibrated logistic model over the evidence.

The model is data (``probability.toml``, written by ``benchmarks/train_probability.py``, which tells what it was trained
on): a weight per standardised feature, then Platt's calibration. Knows numbers and their names; knows nothing of
code.

>>> 0.0 < probability({}) < 1.0
True
"""

import functools
import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from karkhana.domain.errors import InvalidSetting

T = TypeVar("T")
_WORTH_TELLING = 0.15
"""Least contribution to the log odds that is told as a reason."""
_FAR = 4.0
"""Standard deviations from the mean beyond which a feature says no more: the model never saw such values."""


class Weight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one feature says."""

    mean: float
    scale: float
    weight: float
    """Log odds per standard deviation."""


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model was made from, and how well it did on what it was not made from."""

    date: str
    rows: int
    tickets: int
    right: int
    """Rows that are right."""
    sources: dict[str, int]
    """Tickets by source."""
    brier: float
    log_loss: float
    precision: float
    """Share of right ones among the mined tickets that the threshold lets through, cross-validated."""
    delivered: int
    """Mined tickets that it lets through, of those with a passing change."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``probability.toml``."""

    version: str
    intercept: float
    slope: float
    """Platt's calibration of the log odds: ``slope * odds + shift``."""
    shift: float
    threshold: float
    """Below it the engineer abstains."""
    training: Training
    features: dict[str, Weight]


class Saying(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feature's high and low values mean to a person."""

    high: str
    low: str
    belief: float = 0.0
    """Its weight for lack of data, in log odds per standard deviation."""


@functools.lru_cache(maxsize=4)
def load_model(path: Path | None = None) -> Model:
    """The model that ships, or that of a file. Raises ``InvalidSetting``."""
    return _load("probability.toml", path, Model)


@functools.cache
def sayings() -> Mapping[str, Saying]:
    """Feature → words."""
    return _load("features.toml", None, dict[str, Saying])


def _load(name: str, path: Path | None, kind: type[T]) -> T:
    where = path or resources.files(__package__).joinpath(name)
    try:
        return msgspec.convert(tomllib.loads(where.read_text(encoding="utf-8")), kind)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise InvalidSetting(f"{where}: {error}", f"compare it with the {name} that ships with karkhana") from error


def contributions(features: Mapping[str, float], model: Model | None = None) -> dict[str, float]:
    """Feature → what it adds to the log odds. A feature that is missing counts as average."""
    found: dict[str, float] = {}
    for name, known in (model or load_model()).features.items():
        value = features.get(name)
        if value is not None and math.isfinite(value):
            deviation = (value - known.mean) / known.scale
            found[name] = known.weight * max(-_FAR, min(_FAR, deviation))
    return found


def probability(features: Mapping[str, float], model: Model | None = None) -> float:
    """In (0,1)."""
    used = model or load_model()
    odds = used.intercept + sum(contributions(features, used).values())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, used.slope * odds + used.shift))))


def reasons(features: Mapping[str, float], model: Model | None = None, limit: int = 5) -> tuple[str, ...]:
    """The weightiest evidence in words, each with the direction that it pulls to.

    A feature that pulls against common sense in this model (its sign came from the others) is still told as it is.
    """
    used = model or load_model()
    found = sorted(contributions(features, used).items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    told: list[str] = []
    for name, gain in found[:limit]:
        if abs(gain) < _WORTH_TELLING:
            break
        saying = sayings()[name]
        words = saying.high if features[name] > used.features[name].mean else saying.low
        told.append(f"{'for' if gain > 0 else 'against'} it: {words}")
    return tuple(told)
