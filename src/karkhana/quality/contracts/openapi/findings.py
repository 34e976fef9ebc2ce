"""What a comparison of two descriptions finds, and the list of all that it can find (``changes.toml``).

Knows nothing of how changes are found.

>>> catalogue()["path_removed"].severity
<Weight.BREAKING: 'breaking'>
"""

import enum
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

import msgspec


class Weight(enum.StrEnum):
    """What a change means for a client that was written against the old description."""

    BREAKING = "breaking"
    """A client that kept to the old description can fail."""
    RISKY = "risky"
    """The wire stays compatible; a client, or the code generated for it, can still behave otherwise."""
    COMPATIBLE = "compatible"


class Direction(enum.StrEnum):
    """Who writes the data: what a client sends may only be accepted more widely, what it gets only less."""

    REQUEST = "request"
    RESPONSE = "response"

    @property
    def other(self) -> "Direction":
        return Direction.RESPONSE if self is Direction.REQUEST else Direction.REQUEST


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class of changes. ``sentence`` names ``{name}``, ``{was}`` and ``{now}``."""

    severity: Weight
    sentence: str


class ContractChange(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the descriptions."""

    code: str
    severity: Weight
    direction: Direction | None
    operation: str
    """E.g. ``GET /pets/{id}``; the first one that is affected, empty for the whole interface."""
    old: str
    """JSON pointer into the old description; of what is new: the nearest thing that was there."""
    new: str
    message: str
    name: str = ""
    """What changed, as the description calls it."""


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Kind]:
    """Every class of changes by its code."""
    text = resources.files("karkhana.quality.contracts.openapi").joinpath("changes.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, Kind])
