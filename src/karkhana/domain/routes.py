"""Which model was asked for a call, and whether its answer passed. Pure data, without prompts and answers.

>>> outcome = RouteOutcome(reference="c1", at=0.0, pool="", task_type="bugfix", rung="cloud/small", passed=True)
>>> outcome.rung
'cloud/small'
"""

import enum

import msgspec


class RouteChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A call for which somebody had to be chosen."""

    call: str
    at: float
    """Seconds since the epoch."""
    key_id: str
    """Whose call it was."""
    pool: str
    """Whose outcomes count together."""
    entry: str
    """The model's name in the configuration."""
    task_type: str
    chosen: str
    """The rung that was to be asked first."""
    propensity: float
    """How likely that choice was, above 0."""
    answered: str
    """The rung that did answer; empty: none did."""
    seconds: float | None = None
    """Until the answer was whole; ``None`` if it was not seen to its end."""
    output: int | None = None
    """Tokens of the answer."""
    reasons: str = ""
    """What each candidate was expected to bring, as JSON."""


class RouteOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody who checked it found an answer good."""

    reference: str
    """The call, or ``run:RUN``; there is one outcome of each."""
    at: float
    pool: str
    task_type: str
    rung: str
    passed: bool


class Report(enum.StrEnum):
    """What became of a client's word on a call."""

    RECORDED = "recorded"
    UNKNOWN = "unknown"
    """No call of this name, or not the client's, or it was not answered."""
    TWICE = "twice"
    """It was told before."""
