"""What one task may spend: every request reserves the most that it may cost, so that the sum never passes the limit.

Knows nothing of accounts and databases: the ledger keeps the books, this only says no.

>>> from karkhana.domain.money import usd
>>> purse = Purse(usd("0.10"))
>>> purse.take(usd("0.06"))
>>> purse.pay(usd("0.06"), usd("0.01"))
>>> purse.left, purse.holds(usd("0.10"))
(Decimal('0.09'), False)
"""

from typing import NamedTuple

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.money import ZERO, Money, Unpriced, shown
from karkhana.routing.attempt import Attempt, Ending, Observer, Unobserved
from karkhana.routing.prices import PriceBook, cost


class PurseEmpty(KarkhanaError):
    """A request may cost more than is left. Nothing was sent."""


class Purse:
    """The money of one task."""

    def __init__(self, limit: Money) -> None:
        self.limit = limit
        self.spent = ZERO
        self.reserved = ZERO

    @property
    def left(self) -> Money:
        """What nobody spent or reserved."""
        return Money(self.limit - self.spent - self.reserved)

    def holds(self, most: Money | Unpriced) -> bool:
        """Whether a request that may cost so much may be made."""
        return not isinstance(most, Unpriced) and most <= self.left

    def take(self, most: Money | Unpriced) -> None:
        """Reserve. Raises :class:`PurseEmpty`, also for a price that nobody knows."""
        if isinstance(most, Unpriced):
            raise PurseEmpty(f"the price of {most.model} is not known", "add it to the configuration")
        if not self.holds(most):
            raise PurseEmpty(
                f"a request may cost {shown(most)}, and {shown(self.left)} of {shown(self.limit)} are left",
                "raise the budget",
            )
        self.reserved = Money(self.reserved + most)

    def pay(self, most: Money, spent: Money) -> None:
        """Give back what was reserved, and pay what it did cost."""
        self.reserved = Money(self.reserved - most)
        self.spent = Money(self.spent + spent)


class _Open(NamedTuple):
    purse: Purse
    most: Money | Unpriced


class Purses:
    """An observer of attempts that charges each to the purse of its call, and forbids what that cannot bear.

    Calls without a purse are only passed on to ``inner``.
    """

    def __init__(self, prices: PriceBook, inner: Observer | None = None) -> None:
        self._prices = prices
        self._inner = inner or Unobserved()
        self._open: dict[str, _Open] = {}
        self._charged: dict[tuple[str, int], _Open] = {}

    def open(self, call: str, purse: Purse, most: Money | Unpriced) -> None:
        """Before a call, each of whose attempts may cost ``most``; :meth:`close` it afterwards."""
        self._open[call] = _Open(purse, most)

    def close(self, call: str) -> None:
        """Attempts of the call that are still under way are charged when they end."""
        del self._open[call]

    async def begins(self, attempt: Attempt) -> None:
        """Raises :class:`PurseEmpty`, and what ``inner`` raises."""
        found = self._open.get(attempt.call)
        if found is not None:
            found.purse.take(found.most)
        try:
            await self._inner.begins(attempt)
        except BaseException:  # whoever forbade or cancelled it, nothing is sent
            if found is not None and not isinstance(found.most, Unpriced):
                found.purse.pay(found.most, ZERO)
            raise
        if found is not None:
            self._charged[attempt.call, attempt.number] = found

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        self._inner.ends(attempt, ending)
        found = self._charged.pop((attempt.call, attempt.number), None)
        if found is not None and not isinstance(found.most, Unpriced):
            found.purse.pay(found.most, self._spent(attempt, ending, found.most))

    def _spent(self, attempt: Attempt, ending: Ending, most: Money) -> Money:
        if not ending.charged:
            return ZERO
        if ending.usage is None:
            # nobody knows what it did cost, so it is what it might have
            return most
        spent = cost(ending.usage, self._prices.rate((attempt.place.provider, attempt.place.model)))
        return most if isinstance(spent, Unpriced) else spent
