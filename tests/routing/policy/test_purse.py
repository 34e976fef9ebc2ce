"""A purse is charged for every attempt, also for those that nobody could count, and forbids what it cannot bear."""

import asyncio

import pytest

from karkhana.domain.chat import Usage
from karkhana.domain.money import ZERO, Unpriced, usd
from karkhana.routing.attempt import Attempt, Ending, Outcome, Place
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.policy.purse import Purse, PurseEmpty, Purses
from karkhana.routing.prices import Change, PriceBook, Rate, Tier, picos_per_million

ONE = picos_per_million(1)
PRICES = PriceBook({("p", "m"): (Change(rate=Rate(version="v", tiers=(Tier(0, ONE, ONE, ONE, ONE, ONE, ONE),))),)})


def attempt(number: int, call: str = "c") -> Attempt:
    return Attempt(call=call, number=number, place=Place("p", "m", "1"), streamed=False)


def begins(purses: Purses, number: int, call: str = "c") -> None:
    asyncio.run(purses.begins(attempt(number, call)))


def test_each_attempt_is_reserved_and_then_charged() -> None:
    purses, purse = Purses(PRICES), Purse(usd("1"))
    purses.open("c", purse, usd("0.3"))
    for number in (1, 2, 3):
        begins(purses, number)
    assert purse.left == usd("0.1")
    with pytest.raises(PurseEmpty, match=r"may cost \$0.30, and \$0.10 of \$1.00 are left"):
        begins(purses, 4)
    purses.ends(attempt(1), Ending(outcome=Outcome.ANSWERED, usage=Usage(input=100_000)))
    assert purse.spent == usd("0.1")
    refused = ProviderFault(Fault.RATE_LIMITED, "later", status=429)
    purses.ends(attempt(2), Ending(outcome=Outcome.FAILED, fault=refused, charged=False))
    assert purse.spent == usd("0.1")
    purses.close("c")
    # the call is over, but this one still runs, and nobody will know what it did cost
    purses.ends(attempt(3), Ending(outcome=Outcome.LEFT))
    assert (purse.spent, purse.reserved, purse.left) == (usd("0.4"), ZERO, usd("0.6"))


class Forbidding:
    async def begins(self, attempt: Attempt) -> None:
        raise PurseEmpty(f"{attempt.call} is not to be")

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        raise AssertionError((attempt, ending))


def test_what_another_observer_forbids_is_given_back() -> None:
    purses, purse = Purses(PRICES, Forbidding()), Purse(usd("1"))
    purses.open("c", purse, usd("0.3"))
    with pytest.raises(PurseEmpty, match="c is not to be"):
        begins(purses, 1)
    assert (purse.reserved, purse.spent) == (ZERO, ZERO)


def test_calls_without_a_purse_are_passed_on_and_prices_must_be_known() -> None:
    purses, purse = Purses(PRICES), Purse(usd("1"))
    begins(purses, 1, "other")
    purses.ends(attempt(1, "other"), Ending(outcome=Outcome.ANSWERED, usage=Usage(input=100)))
    purses.open("c", purse, Unpriced("p/m"))
    with pytest.raises(PurseEmpty, match="the price of p/m is not known"):
        begins(purses, 1)
    assert purse.left == usd("1")
