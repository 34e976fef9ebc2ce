"""Whom a policy asks: by price and outcomes, by where the session is, and anew when quality drifts."""

import random
from decimal import Decimal

import pytest

from karkhana.routing.configuration import Candidate
from karkhana.routing.policy.capability import Needs
from karkhana.routing.policy.choosing import Ask, Choice, Policy
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.notebook import propensity_of
from karkhana.routing.policy.posteriors import Posteriors, Subject
from karkhana.routing.policy.sessions import Home
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import Change, PriceBook, Rate, Tier, picos_per_million

SMALL, LARGE, MYSTERY = Candidate("cloud", "small"), Candidate("cloud", "large"), Candidate("cloud", "mystery")
BOTH = (LARGE, SMALL)


def rate(input: str, output: str, cached: str) -> Rate:
    plain, read, out = (picos_per_million(price) for price in (input, cached, output))
    return Rate(version="v", tiers=(Tier(0, plain, read, plain, plain, out, out),))


PRICES = PriceBook(
    {
        SMALL: (Change(rate=rate("0.15", "0.60", "0.015")),),
        LARGE: (Change(rate=rate("3", "15", "0.30")),),
    }
)


class House:
    """A policy with what it knows."""

    def __init__(self, *, seed: int = 1, **settings: object) -> None:
        made = PolicySettings(**{"exploration": False, **settings})  # type: ignore[arg-type]
        self.posteriors = Posteriors(discount=made.discount, half_life_s=made.half_life_days * 86_400)
        self.habits = Habits()
        self.policy = Policy(made, PRICES, self.posteriors, self.habits, chance=random.Random(seed))

    def told(self, candidate: Candidate, passed: int, failed: int, now: float = 0.0) -> None:
        for number in range(passed + failed):
            self.posteriors.learn(Subject("", "bugfix", str(candidate)), number < passed, now)

    def choose(self, ask: Ask, now: float = 0.0) -> Choice:
        return self.policy.choose(ask, ask.candidates, now, ())


ASK = Ask("auto", BOTH, Needs(prompt=1000), task_type="bugfix")


def test_the_cheap_one_is_first_until_it_fails_too_often() -> None:
    house = House()
    assert house.choose(ASK).rungs == ("cloud/small", "cloud/large")
    house.told(SMALL, 1, 12)
    assert house.choose(ASK).rungs[0] == "cloud/large"
    assert house.choose(ASK._replace(task_type="other")).offers[0].outcomes == 0


def test_one_that_does_not_pay_only_stands_by() -> None:
    choice = House(value_usd=Decimal("0.008")).choose(ASK)
    assert (choice.rungs, choice.spare) == (("cloud/small", "cloud/large"), 1)


def test_without_anybody_who_asks_again_the_better_one_is_first() -> None:
    assert House(asks_again=0.0, value_usd=Decimal(1)).choose(ASK).rungs[0] == "cloud/large"


def test_an_unknown_price_counts_as_the_dearest() -> None:
    offers = {offer.rung: offer for offer in House().policy.offers(ASK, (*BOTH, MYSTERY), 0.0)}
    assert offers["cloud/mystery"].cost == offers["cloud/large"].cost > offers["cloud/small"].cost > 0
    assert not offers["cloud/mystery"].priced


def test_costs_are_those_of_the_prices() -> None:
    house = House()
    house.habits.seen("cloud/large", seconds=2.0, output=500)
    offer = next(o for o in house.policy.offers(ASK, BOTH, 0.0) if o.rung == "cloud/large")
    assert offer.cost == pytest.approx(1000 * 3e-6 + 500 * 15e-6)
    assert offer.wait == pytest.approx(0.002)
    shorter = house.policy.offers(ASK._replace(needs=Needs(prompt=1000, answer=100)), (LARGE,), 0.0)[0]
    assert shorter.cost == pytest.approx(1000 * 3e-6 + 100 * 15e-6)


def test_a_session_stays_for_its_cache_and_leaves_for_a_big_gain() -> None:
    house = House()
    long = ASK._replace(needs=Needs(prompt=1000), home=Home("cloud/large", cached=1000))
    # little is lost, and the cheap one is much cheaper
    assert house.choose(long).rungs[0] == "cloud/small"
    house.told(SMALL, 10, 8)
    dear = ASK._replace(needs=Needs(prompt=100_000), home=Home("cloud/small", cached=100_000))
    assert house.choose(dear).rungs[0] == "cloud/small"
    # what the better one would bring is less than the cache that is lost with the cheap one
    rich = House(value_usd=Decimal("0.5"), asks_again=0.0)
    rich.told(SMALL, 80, 20)
    rich.told(LARGE, 98, 2)
    stays = rich.choose(ASK._replace(needs=Needs(prompt=100_000), home=Home("cloud/small", cached=100_000)))
    assert stays.rungs[0] == "cloud/small"
    # and with a bigger gain it goes
    worth_it = House(value_usd=Decimal(50), asks_again=0.0)
    worth_it.told(SMALL, 80, 20)
    worth_it.told(LARGE, 98, 2)
    goes = worth_it.choose(ASK._replace(needs=Needs(prompt=100_000), home=Home("cloud/small", cached=100_000)))
    assert goes.rungs[0] == "cloud/large"
    assert goes.offers[0].switch == pytest.approx(100_000 * (3 - 0.30) * 1e-6)


def test_the_lost_cache_alone_keeps_a_session() -> None:
    house = House(value_usd=Decimal("0.3"), asks_again=0.0, discount=1.0)
    house.told(SMALL, 85, 15)
    house.told(LARGE, 98, 2)
    ask = ASK._replace(needs=Needs(prompt=15_000))
    new = house.choose(ask)
    there = house.choose(ask._replace(home=Home("cloud/large", cached=15_000)))
    gone = house.choose(ask._replace(home=Home("cloud/large", cached=0)))
    assert (new.rungs[0], there.rungs[0], gone.rungs[0]) == ("cloud/small", "cloud/large", "cloud/small")


def test_nothing_is_tried_out_within_a_session() -> None:
    house = House(exploration=True)
    ask = ASK._replace(home=Home("cloud/small", cached=900))
    choices = [house.choose(ask) for _ in range(30)]
    assert {choice.rungs[0] for choice in choices} == {"cloud/small"}
    assert not any(choice.drawn for choice in choices)
    assert any(house.choose(ASK).drawn for _ in range(2))


def test_the_propensity_of_a_choice_is_how_often_it_is_made() -> None:
    house = House(exploration=True)
    house.told(SMALL, 3, 4)
    house.told(LARGE, 4, 1)
    choices = [house.choose(ASK) for _ in range(600)]
    share = sum(choice.rungs[0] == "cloud/small" for choice in choices) / len(choices)
    assert 0.1 < share < 0.9
    assert propensity_of(choices[0], "cloud/small") == pytest.approx(share, abs=0.1)
    both = propensity_of(choices[0], "cloud/small") + propensity_of(choices[0], "cloud/large")
    assert both == pytest.approx(1)
    assert propensity_of(House().choose(ASK), "cloud/small") == 1.0


class Drift:
    """Two models of which the cheap one is good, then bad, then good again."""

    LENGTH = 400

    def __init__(self, seed: int) -> None:
        self.house = House(seed=seed, exploration=True, discount=0.97)
        self.chance = random.Random(seed)
        self.regrets: list[float] = []
        self.chosen: list[str] = []

    def run(self) -> None:
        for number in range(3 * self.LENGTH):
            quality = {"cloud/small": (0.85, 0.15, 0.85)[number // self.LENGTH], "cloud/large": 0.9}
            now = number * 60.0
            choice = self.house.choose(ASK, now)
            value = {
                offer.rung: quality[offer.rung] * self.house.policy.stakes.value - offer.price
                for offer in choice.offers
            }
            rung = choice.rungs[0]
            self.chosen.append(rung)
            self.regrets.append(max(value.values()) - value[rung])
            self.house.posteriors.learn(Subject("", "bugfix", rung), self.chance.random() < quality[rung], now)

    def share(self, first: int, last: int) -> float:
        return self.chosen[first:last].count("cloud/small") / (last - first)

    def regret(self, first: int, last: int) -> float:
        return sum(self.regrets[first:last]) / (last - first)


def test_drift_is_noticed_and_regret_falls_again() -> None:
    runs = [Drift(seed) for seed in range(5)]
    for each in runs:
        each.run()
    n = Drift.LENGTH

    def mean(kind: str, first: int, last: int) -> float:
        return sum(getattr(each, kind)(first, last) for each in runs) / len(runs)

    assert mean("share", n - 100, n) > 0.85
    # it got bad: within a hundred calls it is left, and is only looked at now and then
    assert mean("share", n + 100, 2 * n) < 0.25
    assert mean("regret", n, n + 50) > 3 * mean("regret", n + 100, 2 * n)
    # it got good again, and that is found out although hardly anybody asked it
    assert mean("share", 3 * n - 150, 3 * n) > 0.85
