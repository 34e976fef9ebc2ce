"""Whether a call may be made on an account. Knows nothing of databases.

A *soft* limit warns; a *hard* one pauses: the caller gets :class:`BudgetReached`, which says what would let it go on,
and may wait for that (:func:`karkhana.routing.ledger.room`) instead of giving up.

>>> admit([Lock(1, "key:a", "total", "", None, 100, spent=40, reserved=50)], 10, "p/m")
[]
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from karkhana.domain.errors import ConfigurationError, KarkhanaError
from karkhana.domain.money import ZERO, Money, money, shown, written
from karkhana.domain.spending import Budget, Period, Standing, next_start


class BudgetReached(KarkhanaError):
    """A hard limit leaves no room for a call. Nothing was spent; asking again helps when the limit was raised."""

    exit_code: ClassVar[int] = 3

    def __init__(self, standing: Standing, wanted: Money) -> None:
        self.standing = standing
        self.wanted = wanted
        """What the call may cost at most."""
        budget, hard = standing.budget, standing.budget.hard or ZERO
        self.needed = Money(standing.used + wanted)
        """The limit that would let it go on now."""
        self.resets = next_start(budget.period, standing.start) if wanted <= hard else ""
        """The day, from 00:00 UTC, from which it could go on without a higher limit; empty: never."""
        super().__init__(
            f"budget reached: {standing} of {shown(hard)}, and this call may cost up to {shown(wanted)}",
            f"raise the limit of {budget.scope} per {budget.period} to ${written(self.needed)} or more"
            + (f", or wait until {self.resets} 00:00 UTC" if self.resets else ""),
        )


class PriceUnknown(ConfigurationError):
    """A hard limit cannot be kept for a model whose price is not known."""


class Lock(msgspec.Struct):
    """A budget's balance while nobody else can change it, in trillionths of a dollar."""

    budget: int
    scope: str
    period: str
    start: str
    soft: int | None
    hard: int | None
    spent: int
    reserved: int

    def standing(self) -> Standing:
        budget = Budget(
            scope=self.scope,
            period=Period(self.period),
            soft=None if self.soft is None else money(self.soft),
            hard=None if self.hard is None else money(self.hard),
        )
        return Standing(budget=budget, start=self.start, spent=money(self.spent), reserved=money(self.reserved))


def admit(locks: Sequence[Lock], wanted: int | None, named: str) -> list[Standing]:
    """Reserve ``wanted`` trillionths in all of ``locks``, or in none.

    Returns the budgets whose soft limit is passed. Raises :class:`BudgetReached`, and :class:`PriceUnknown` if the
    price of ``named`` is not known (``wanted`` is ``None``) and one of the budgets has a hard limit.
    """
    amount = wanted or 0
    for lock in locks:
        if lock.hard is None:
            continue
        if wanted is None:
            raise PriceUnknown(
                f"the price of {named} is not known, so the hard limit of {lock.scope} cannot be kept",
                f'add [price."{named}"] with input and output to the configuration',
            )
        if lock.spent + lock.reserved + wanted > lock.hard:
            raise BudgetReached(lock.standing(), money(wanted))
    passed = []
    for lock in locks:
        lock.reserved += amount
        if lock.soft is not None and lock.spent + lock.reserved > lock.soft:
            passed.append(lock.standing())
    return passed
