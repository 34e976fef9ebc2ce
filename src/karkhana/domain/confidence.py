"""Confidence: one number in [0,1], with its parts and the reason for each."""

import msgspec


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the score."""

    name: str
    value: float
    """In [0,1]; 1 is the best evidence possible."""
    weight: float
    because: str
    """One sentence for a person."""


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
