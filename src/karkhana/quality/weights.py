"""The typed form of ``weights.toml``: how evidence becomes confidence.

Knows nothing of evidence; it only guarantees that the numbers make sense.

>>> round(sum(c.weight for c in load_weights().components.values()), 9)
1.0
"""

import math
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.domain.evidence import GateStatus

COMPONENTS = ("coverage", "static_analysis", "behaviour", "performance", "change_risk", "track_record")


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: an unknown key is an error, since a misspelt weight must not be silently ignored."""


class ComponentWeight(_Data, frozen=True, kw_only=True):
    weight: float
    raise_: str = msgspec.field(name="raise")
    """What a person can do to raise this component."""


class Graded(_Data, frozen=True, kw_only=True):
    """A gate whose measures say how bad it is: the factor falls with the share of ``worse`` in ``of``."""

    worse: str
    of: str
    """How much was measured; with none the factor is 1."""
    share: bool = False
    """``worse`` is the share itself."""
    least: float
    """The factor when all are bad."""
    prior: float = 0.0
    """Imagined good ones, so that one bad one of two is not read as half."""
    power: float = 1.0

    def of_measures(self, measures: dict[str, float]) -> float:
        """In [least, 1]; 1 where there was nothing to measure."""
        total = measures.get(self.of, 0.0)
        if total <= 0:
            return 1.0
        share = max(0.0, measures.get(self.worse, 0.0))
        share = min(1.0, share if self.share else share / (total + self.prior))
        return self.least + (1 - self.least) * float((1 - share) ** self.power)


class GateFactors(_Data, frozen=True, kw_only=True):
    """What the status of a gate does to its component."""

    component: str
    passed: float
    unknown: float
    failed: float
    graded: tuple[Graded, ...] = ()
    raise_: str = msgspec.field(name="raise", default="")
    """What a person can do about it, in a few words after "with"; empty: its own name says it."""

    def of(self, status: GateStatus, measures: dict[str, float] | None = None) -> float:
        """In [0,1]."""
        factor = {GateStatus.PASSED: self.passed, GateStatus.UNKNOWN: self.unknown, GateStatus.FAILED: self.failed}
        if status is GateStatus.UNKNOWN:
            return factor[status]
        return factor[status] * math.prod(graded.of_measures(measures or {}) for graded in self.graded)

    def measured(self, measures: dict[str, float]) -> bool:
        """Whether there was something to measure."""
        return not self.graded or any(measures.get(graded.of, 0.0) > 0 for graded in self.graded)


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


class RiskRule(_Data, frozen=True, kw_only=True):
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
    gates: tuple[str, ...] = ()
    measure: str = ""
    from_: float = msgspec.field(name="from", default=0.0)
    or_unknown: bool = False
    """It holds as well where one of its gates could not measure."""
    unless: tuple[str, ...] = ()
    """It does not hold where one of these gates passed and had something to measure."""
    raise_: str = msgspec.field(name="raise", default="")
    """What would lift it, in a few words after "with"."""


class Link(_Data, frozen=True, kw_only=True):
    """From the weighted sum to a probability, where outcomes were enough to learn it: logistic, and rising."""

    intercept: float
    slope: float
    outcomes: int
    bad: int

    def of(self, index: float) -> float:
        """In [0,1], for a weighted sum in [0,1]."""
        exponent = min(60.0, max(-60.0, self.intercept + self.slope * index))
        return 1 / (1 + math.exp(-exponent))


class Weights(_Data, frozen=True, kw_only=True):
    """Everything that turns evidence into a score."""

    version: str
    components: dict[str, ComponentWeight]
    gates: dict[str, GateFactors]
    coverage: CoverageRule
    static_analysis: StaticRule
    disagreement: DisagreementRule
    performance: PerformanceRule
    change_risk: RiskRule
    track_record: TrackRecordRule
    findings: FindingsRule
    review: dict[str, ReviewFactor]
    caps: tuple[Cap, ...]
    link: Link | None = None
    """``None``: the weighted sum itself is the probability that is believed before there are outcomes."""

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ValueError(problem)


class Learned(_Data, frozen=True, kw_only=True):
    """What outcomes taught: it takes the place of the weights of the components that it was learned from."""

    base: str
    """Version of the weights that it is for; of no use with others."""
    components: dict[str, float]
    link: Link

    def over(self, shipped: Weights) -> Weights:
        """The shipped weights with what was learned; as they are when it was learned from others."""
        if self.base != shipped.version:
            return shipped
        components = {
            name: msgspec.structs.replace(known, weight=self.components[name])
            for name, known in shipped.components.items()
        }
        version = f"{shipped.version}+{self.link.outcomes}"
        return msgspec.structs.replace(shipped, version=version, components=components, link=self.link)


def _problems(weights: Weights) -> list[str]:
    found = []
    if set(weights.components) != set(COMPONENTS):
        found.append(f"the components must be {', '.join(COMPONENTS)}")
    if abs(sum(c.weight for c in weights.components.values()) - 1) > 1e-9:
        found.append("the weights must sum to 1")
    for name, gate in weights.gates.items():
        if not 1 >= gate.passed >= gate.unknown >= gate.failed >= 0:
            found.append(f"gate {name}: 1 >= passed >= unknown >= failed >= 0 must hold")
        if not all(0 <= graded.least <= 1 and graded.prior >= 0 and graded.power > 0 for graded in gate.graded):
            found.append(f"gate {name}: least in [0,1], prior >= 0 and power > 0 must hold")
    shares: list[float] = [r.factor for r in weights.review.values()] + [c.ceiling for c in weights.caps]
    shares += [c.weight for c in weights.components.values()]
    shares += [weights.static_analysis.unknown, weights.performance.unknown, weights.change_risk.unknown]
    if not all(0 <= share <= 1 for share in shares):
        found.append("weights, factors and ceilings must lie in [0,1]")
    if "other" not in weights.review:
        found.append("review.other must say what an unlisted rule counts")
    if weights.link is not None and not (math.isfinite(weights.link.intercept) and 0 <= weights.link.slope < math.inf):
        found.append("the link must rise, or be flat")
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
