"""Autonomy as it stands for a repository and type of task: what is promised, who granted it, and why.

Knows nothing of how a guarantee is found.

>>> lowest_of(Autonomy.OUT_OF_THE_LOOP, Autonomy.ON_THE_LOOP).value
'human_on_the_loop'
"""

import enum

import msgspec

from karkhana.domain.policy import Autonomy, Guarantee

LEVELS = tuple(Autonomy)
"""From the strictest to the freest."""


class Cause(enum.StrEnum):
    """Why a level changed."""

    GUARANTEE = "guarantee"
    """Outcomes showed that it may be higher."""
    BAD_OUTCOME = "bad_outcome"
    DRIFT = "drift"
    """The alarm: the rate of bad outcomes has risen."""
    GUARANTEE_LOST = "guarantee_lost"
    """The newest calibration could no longer show a threshold."""
    SETTINGS = "settings"
    """They grant or allow something else than at the last look."""
    PERSON = "person"


class LevelChange(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the history of a repository and type of task."""

    repository: str
    task_type: str
    at: float
    """Seconds since the epoch."""
    level: Autonomy
    previous: Autonomy
    cause: Cause
    by: str = ""
    """The person; empty: the factory."""
    because: str = ""
    run_id: str = ""
    """The run whose outcome moved the level; empty: a person, the settings, or time did."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now."""

    repository: str
    task_type: str
    level: Autonomy
    earned: Autonomy
    """What the outcomes alone would allow."""
    guarantee: Guarantee
    because: str
    """One sentence for a person."""


def lowest_of(*levels: Autonomy) -> Autonomy:
    """The strictest of some levels."""
    return min(levels, key=LEVELS.index)


def above(level: Autonomy, other: Autonomy) -> bool:
    """Whether ``level`` is freer than ``other``."""
    return LEVELS.index(level) > LEVELS.index(other)
