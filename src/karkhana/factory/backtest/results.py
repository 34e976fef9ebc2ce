"""What a back-test found. Frozen and plain, so that a page, a terminal and a program can all show it."""

import msgspec

from karkhana.quality.risk.measuring import AtThreshold, Bin, Measures

SCHEMA = 1
"""Version of the JSON object."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Commits that were forecast by the same model."""

    start: int
    end: int
    """Seconds since 1970 of its first and last commit."""
    count: int
    bad: int
    forecast: float
    """Mean forecast risk."""
    outcomes_known: int
    """That the model could learn from, since they were known when the block began."""
    share_of_own: float
    """How much the repository's own outcomes counted against the shipped prior, in [0,1]."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One commit, what was forecast, and what became of it."""

    commit: str
    title: str
    risk: float
    bad: bool
    because: str | None = None
    """``fixed`` or ``reverted``; ``None`` for a good one."""
    by: str | None = None
    """The commit that repaired it or took it back."""
    reasons: tuple[str, ...] = ()


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """What policy would have done with scores of one band."""

    decision: str
    """``deploy``, ``canary`` or ``review``."""
    count: int
    share: float
    bad: int
    bad_share: float | None
    low: float | None
    high: float | None
    """Exact 95 % interval of ``bad_share``."""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; the JSON object of ``karkhana backtest --json``."""

    schema: int = SCHEMA
    repository: str
    head: str
    commits: int
    """In the whole history, without merges."""
    young: int
    """Too young to be judged."""
    without_source: int
    warm_up: int
    """Judged commits before the first one that was forecast."""
    forecast: int
    """Commits that were forecast and compared."""
    bad: int
    within_days: int
    fixes: int
    reverts: int
    first: int
    last: int
    """Seconds since 1970 of the first and last forecast commit."""
    measures: Measures
    prior_alone: Measures
    """The same for the shipped prior, which never learns."""
    lines_added_auc: float | None
    """AUC of the number of added lines alone, the simplest rival."""
    calibration: tuple[Bin, ...]
    curve: tuple[tuple[float, float], ...]
    """(false alarm rate, hit rate)."""
    thresholds: tuple[AtThreshold, ...]
    policy: tuple[Band, ...]
    guarantee: str
    """What Learn-then-Test would promise on these outcomes, in a sentence."""
    blocks: tuple[Block, ...]
    riskiest: tuple[Example, ...]
    missed: tuple[Example, ...]
    """Bad commits with the lowest forecast risk."""
    notes: tuple[str, ...]
    """What the figures rest on and do not show."""
    seconds: float
