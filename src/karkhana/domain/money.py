"""Amounts of money: US dollars as exact decimals, down to a trillionth. Knows nothing of prices or budgets.

A price of a million tokens is given with up to six places, so one token costs a whole number of trillionths: sums of
what calls cost are exact. Databases keep the count of trillionths, JSON keeps text; no float is ever involved.

>>> usd("0.0000025") * 3
Decimal('0.0000075')
>>> picos(usd("0.0000025"))
2500000
>>> written(money(picos(usd("12.50"))))
'12.5'
"""

from decimal import Decimal
from typing import Final, NewType

import msgspec

Money = NewType("Money", Decimal)
"""US dollars, never finer than :data:`PICO`."""

PICO: Final = Decimal("0.000000000001")
PICOS: Final = 10**12
"""Trillionths in a dollar."""
LARGEST: Final = Decimal(9_000_000)
"""Dollars. More trillionths than that do not fit into a database's whole numbers."""
ZERO: Final = Money(Decimal(0))


class Unpriced(msgspec.Struct, frozen=True):
    """What a call costs whose price is not known. It is not nothing."""

    model: str
    """``PROVIDER/MODEL``."""


def usd(amount: str | int | Decimal) -> Money:
    """An amount as people and files write it. Raises ``ValueError`` for what is no amount, or one too fine or large."""
    try:
        value = Decimal(amount)
        exact = value.is_finite() and abs(value) <= LARGEST and value == value.quantize(PICO)
    except ArithmeticError as error:
        raise ValueError(f"{amount!r} is no amount of dollars") from error
    if not exact:
        raise ValueError(f"{amount!r} is no amount of dollars up to {LARGEST}, in steps of a trillionth")
    return Money(value)


def money(picos: int) -> Money:
    """The amount of so many trillionths."""
    return Money(PICO * picos)


def picos(amount: Money) -> int:
    """The trillionths of an amount."""
    return int(amount.scaleb(12))


def written(amount: Money) -> str:
    """Plain digits without a currency sign, exact, never with an exponent."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(amount: Money) -> str:
    """For people: cents, or two digits that say something when it is less than a cent.

    >>> shown(usd("12.5")), shown(usd("0.000123456"))
    ('$12.50', '$0.00012')
    """
    if amount == 0 or abs(amount) >= Decimal("0.01"):
        return f"${amount:.2f}"
    return f"${amount:.{1 - amount.adjusted()}f}"
