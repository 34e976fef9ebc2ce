"""What the configuration may say about the choice of models. Knows nothing of how a choice is made.

>>> PolicySettings().discount
0.98
"""

import re
from decimal import Decimal

import msgspec

IN_ORDER = "in_order"
CHEAP_FIRST = "cheap_first"
POLICIES = (IN_ORDER, CHEAP_FIRST)
"""``in_order``: as the configuration lists them. ``cheap_first``: by the value of asking them one after the other."""
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
"""What a task type and a residency label may be."""


class Capability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[capability."PROVIDER/MODEL"]``: what a model can do. What is not said is no restriction, but for residency."""

    context: int | None = None
    """Tokens of prompt and answer together; without it the one that ships with the prices, if any."""
    tools: bool = True
    json: bool = True
    """Structured output: JSON, with a schema or without."""
    images: bool = True
    residency: tuple[str, ...] = ()
    """Labels that it fulfils, e.g. ``eu``. One that is not listed is not fulfilled."""

    def __post_init__(self) -> None:
        if self.context is not None and self.context < 1:
            raise ValueError("context must be above 0")
        check_labels("residency", self.residency)


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy]``: what an answer and a second are worth, and how fast the past is forgotten."""

    value_usd: Decimal = Decimal("0.05")
    """What an answer that passes is worth, in dollars."""
    second_usd: Decimal = Decimal("0.001")
    """What a second of waiting costs, in dollars."""
    verifier_usd: Decimal = Decimal(0)
    """What it costs to check one answer, in dollars."""
    asks_again: float = 0.8
    """The share of failed answers after which the client asks the next model; 1: always, 0: never."""
    discount: float = 0.98
    """What an outcome counts after the next one of its task type; 0.98: the newest 50 or so count."""
    half_life_days: float = 14.0
    """Days after which an outcome counts half."""
    exploration: bool = True
    """Draw from what is known of the models (Thompson sampling) instead of taking the mean."""
    pool: str = "all"
    """Whose outcomes count for whom: ``all`` together, or each ``team`` for itself."""
    sessions: int = 10_000
    """How many sessions are remembered."""
    remember_days: float = 30.0
    """Days that a choice is kept, and may be reported on."""
    wording: str = ""
    """A file with a model of the request's wording; none if empty."""

    def __post_init__(self) -> None:
        for name in ("value_usd", "second_usd", "verifier_usd"):
            amount: Decimal = getattr(self, name)
            if not (amount.is_finite() and 0 <= amount <= 1_000_000):
                raise ValueError(f"{name} must be an amount of dollars that is not negative")
        if not 0 <= self.asks_again <= 1:
            raise ValueError("asks_again must be from 0 to 1")
        if not 0.5 <= self.discount <= 1:
            raise ValueError("discount must be from 0.5 to 1")
        if not 0.01 <= self.half_life_days <= 36_500:
            raise ValueError("half_life_days must be from 0.01 to 36500")
        if not 0 < self.remember_days <= 36_500:
            raise ValueError("remember_days must be above 0 and at most 36500")
        if not 1 <= self.sessions <= 1_000_000:
            raise ValueError("sessions must be from 1 to 1000000")
        if self.pool not in ("all", "team"):
            raise ValueError("pool must be all or team")


def check_labels(field: str, labels: tuple[str, ...]) -> None:
    """Raises ``ValueError`` for a label that no client could name."""
    for label in labels:
        if not LABEL.fullmatch(label):
            raise ValueError(f"{field} must hold labels of up to 64 letters, digits, . _ : and -, not {label[:80]!r}")
