"""Confidence: one number in [0,1], with its parts and the reason for each. Knows nothing of how evidence is weighed.

>>> Calibration().apply(0.8)
0.8
>>> round(Calibration(intercept=-1.0, slope=1.0, outcomes=200).apply(0.8), 3)
0.595
"""

import math

import msgspec

_EDGE = 1e-3
"""Nearer to 0 or 1 than this nothing is known; it also keeps the logarithm finite."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the score."""

    name: str
    value: float
    """In [0,1]; 1 is the best evidence possible."""
    weight: float
    because: str
    """One sentence for a person."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Platt's two numbers: the probability that outcomes say a score stands for.

    Never turns the order of two scores around. Source: J. Platt, "Probabilistic outputs for support vector machines",
    1999, on the log odds of a score that is a probability already.
    """

    intercept: float = 0.0
    slope: float = 1.0
    """At least 0."""
    outcomes: int = 0
    """That it rests on; 0: none, and it changes nothing."""
    scope: str = ""
    """Whose outcomes, for a person, e.g. ``shop, bugfix``."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope >= 0):
            raise ValueError("a calibration needs a finite intercept and a slope of at least 0")

    def apply(self, probability: float) -> float:
        """The calibrated probability, in [0,1]; with no outcomes ``probability`` itself."""
        if not self.outcomes:
            return probability
        return sigmoid(self.intercept + self.slope * log_odds(probability))


class TrackRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How earlier changes of this kind turned out."""

    good: int = 0
    bad: int = 0
    """Settled outcomes of this engineer (and model) on this type of task, wherever."""
    mean: float | None = None
    """The chance, in [0,1], that the next one is good, by what is known of related work; ``None``: nothing is."""
    because: str = ""
    """Where the mean comes from, for a person."""


class Confidence(msgspec.Struct, frozen=True, kw_only=True):
    """The composite score of a change."""

    score: float
    """In [0,1]."""
    components: tuple[Component, ...]
    weights_version: str
    calibration_size: int = 0
    """Outcomes that the calibration rests on; 0 means documented priors."""
    caps: tuple[str, ...] = ()
    """Sentences for each cap that held the score down."""
    raw: float | None = None
    """In [0,1]: before calibration and caps; what a calibration is learned on."""
    calibration: Calibration = Calibration()
    track_record: TrackRecord = TrackRecord()
    missing: tuple[str, ...] = ()
    """What could not be measured, by name; each lowers the score."""


def log_odds(probability: float) -> float:
    """Of a probability in [0,1], which is kept off the ends by 0.001."""
    inside = min(1 - _EDGE, max(_EDGE, probability))
    return math.log(inside / (1 - inside))


def sigmoid(value: float) -> float:
    """The inverse of :func:`log_odds`, for any finite number.

    >>> sigmoid(0.0)
    0.5
    """
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
