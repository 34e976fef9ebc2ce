"""What may be spent: limits for a key, a team or a task, per day, month or in total. Pure data.

Days and months are those of UTC, and a call belongs to the day on which it was begun, whenever it ends.

>>> start_of("month", "2026-11-21"), next_start("month", "2026-11")
('2026-11', '2026-12-01')
"""

import enum
from datetime import date, timedelta

import msgspec

from karkhana.domain.money import Money, shown


class Period(enum.StrEnum):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


DIGITS = {Period.DAY: 10, Period.MONTH: 7, Period.TOTAL: 0}
"""How much of a day, YYYY-MM-DD, names its period."""

LONGEST_NAME = 200
"""Characters of a key's identifier, a team or a task."""


def start_of(period: Period | str, day: str) -> str:
    """The name of the period that a day is in: the day, its month, or nothing."""
    return day[: DIGITS[Period(period)]]


def next_start(period: Period | str, start: str) -> str:
    """The first day of the next period; empty if there is none."""
    if period == Period.TOTAL:
        return ""
    if period == Period.DAY:
        return (date.fromisoformat(start) + timedelta(days=1)).isoformat()
    return (date.fromisoformat(f"{start}-28") + timedelta(days=4)).replace(day=1).isoformat()


class Account(msgspec.Struct, frozen=True):
    """On whose account a call is; what is empty has no budget. Raises ``ValueError`` for a name that is none."""

    key_id: str = ""
    team: str = ""
    task_id: str = ""
    scopes: tuple[str, ...] = ()
    """``key:ID``, ``team:NAME``, ``task:ID``: what budgets are for. Made from the others."""

    def __post_init__(self) -> None:
        names = (("key", self.key_id), ("team", self.team), ("task", self.task_id))
        for kind, name in names:
            if len(name) > LONGEST_NAME or not (name.isprintable() and name.isascii()):
                raise ValueError(f"the name of a {kind} must be up to {LONGEST_NAME} printable ASCII characters")
        # made once, since every call asks for them
        msgspec.structs.force_setattr(self, "scopes", tuple(f"{kind}:{name}" for kind, name in names if name))


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one scope in one period; at least one of them."""

    scope: str
    period: Period
    soft: Money | None = None
    """Above it calls are made with a warning."""
    hard: Money | None = None
    """What calls may cost together at most; one that might pass it is not made."""

    def __post_init__(self) -> None:
        kind, _, name = self.scope.partition(":")
        if kind not in ("key", "team", "task") or not name:
            raise ValueError(f"{self.scope!r} must be written key:ID, team:NAME or task:ID")
        if self.soft is None and self.hard is None:
            raise ValueError("a budget needs a soft or a hard limit")
        if any(limit is not None and limit < 0 for limit in (self.soft, self.hard)):
            raise ValueError("a limit must not be negative")
        if self.soft is not None and self.hard is not None and self.soft > self.hard:
            raise ValueError("the soft limit must not be above the hard one")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a budget is used in one of its periods."""

    budget: Budget
    start: str
    """See :func:`start_of`."""
    spent: Money
    reserved: Money
    """For calls that are not over."""

    @property
    def used(self) -> Money:
        return Money(self.spent + self.reserved)

    def __str__(self) -> str:
        period = self.budget.period
        when = "in total" if period == Period.TOTAL else f"in the {period} {self.start} (UTC)"
        return f"{self.budget.scope} has used {shown(self.used)} {when}"
