"""The typed form of ``weights.toml``: how evidence becomes confidence.

Knows nothing of evidence; it only guarantees that the numbers make sense.

>>> round(sum(c.weight for c in load_weights().components.values()), 9)
1.0
"""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.domain.evidence import GateStatus

COMPONENTS = ("coverage", "static_analysis", "behaviour", "performance", "track_record")


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: an unknown key is an error, since a misspelt weight must not be silently ignored."""


class ComponentWeight(_Data, frozen=True, kw_only=True):
    weight: float
    raise_: str = msgspec.field(name="raise")
    """What a person can do to raise this component."""


class GateFactors(_Data, frozen=True, kw_only=True):
    """What the status of a gate does to its component."""

    component: str
    passed: float
    unknown: float
    failed: float

    def of(self, status: GateStatus) -> float:
        return {GateStatus.PASSED: self.passed, GateStatus.UNKNOWN: self.unknown, GateStatus.FAILED: self.failed}[
            status
        ]


class CoverageRule(_Data, frozen=True, kw_only=True):
    per_point_lost: float
    most_lost: float


class StaticRule(_Data, frozen=True, kw_only=True):
    unknown: float
    per_warning: float
    per_security_warning: float


class DisagreementRule(_Data, frozen=True, kw_only=True):
    power: float


class PerformanceRule(_Data, frozen=True, kw_only=True):
    unknown: float


class TrackRecordRule(_Data, frozen=True, kw_only=True):
    prior_successes: float
    prior_failures: float
    bad_rate: float
    error: float


class ReviewFactor(_Data, frozen=True, kw_only=True):
    component: str
    factor: float


class FindingsRule(_Data, frozen=True, kw_only=True):
    most_counted: int


class Cap(_Data, frozen=True, kw_only=True):
    """A ceiling for the score; ``when`` names the condition."""

    when: str
    ceiling: float
    because: str
    rules: tuple[str, ...] = ()
    from_: float = msgspec.field(name="from", default=0.0)


class Weights(_Data, frozen=True, kw_only=True):
    """Everything that turns evidence into a score."""

    version: str
    components: dict[str, ComponentWeight]
    gates: dict[str, GateFactors]
    coverage: CoverageRule
    static_analysis: StaticRule
    disagreement: DisagreementRule
    performance: PerformanceRule
    track_record: TrackRecordRule
    findings: FindingsRule
    review: dict[str, ReviewFactor]
    caps: tuple[Cap, ...]

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ValueError(problem)


def _problems(weights: Weights) -> list[str]:
    found = []
    if set(weights.components) != set(COMPONENTS):
        found.append(f"the components must be {', '.join(COMPONENTS)}")
    if abs(sum(c.weight for c in weights.components.values()) - 1) > 1e-9:
        found.append("the weights must sum to 1")
    for name, gate in weights.gates.items():
        if not 1 >= gate.passed >= gate.unknown >= gate.failed >= 0:
            found.append(f"gate {name}: 1 >= passed >= unknown >= failed >= 0 must hold")
    shares: list[float] = [r.factor for r in weights.review.values()] + [c.ceiling for c in weights.caps]
    shares += [c.weight for c in weights.components.values()]
    if not all(0 <= share <= 1 for share in shares):
        found.append("weights, factors and ceilings must lie in [0,1]")
    if "other" not in weights.review:
        found.append("review.other must say what an unlisted rule counts")
    return found


@lru_cache(maxsize=4)
def load_weights(path: Path | None = None) -> Weights:
    """The weights that ship with Karkhana, or those of a file. Raises ``InvalidSetting``."""
    where = path or resources.files("karkhana.quality").joinpath("weights.toml")
    try:
        data: Any = where.read_bytes()
        return msgspec.toml.decode(data, type=Weights)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidSetting(
            f"{where}: {error}", "compare it with the weights.toml that ships with karkhana"
        ) from error
