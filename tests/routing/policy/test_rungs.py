"""Models as rungs, through the real caller to a fake provider: cheap first, verified, counted to the cent."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest

from karkhana.domain.chat import ChatAnswer, ChatRequest, Message, Role, Text
from karkhana.domain.money import ZERO, Money, Unpriced, usd
from karkhana.domain.routes import RouteOutcome
from karkhana.http.pool import Pool
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.policy.choosing import Policy
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.posteriors import Posteriors
from karkhana.routing.policy.purse import Purses
from karkhana.routing.policy.router import BudgetEnded, Ended, Job, Router, Solved
from karkhana.routing.policy.rungs import FreeRung, ModelRung, Verdict
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import Change, PriceBook, Rate, Tier, picos_per_million
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES

SCRIPT = """
[price.small]
input = "1"
output = "2"
[price.large]
input = "10"
output = "20"
[[fault]]
kind = "server_error"
model = "large"
at = [1]
[[answer]]
model = "small"
text = "five"
usage = {input = 100, output = 10}
[[answer]]
model = "large"
text = "four"
usage = {input = 100, output = 10}
"""


def rate(input: str, output: str) -> tuple[Change]:
    plain, out = picos_per_million(input), picos_per_million(output)
    return (Change(rate=Rate(version="v", tiers=(Tier(0, plain, plain, plain, plain, out, out),))),)


PRICES = PriceBook({("p", "small"): rate("1", "2"), ("p", "large"): rate("10", "20")})
REQUEST = ChatRequest(
    model="", messages=(Message(role=Role.USER, parts=(Text(text="What is 2 + 2?"),)),), max_tokens=100
)


class Four:
    most = ZERO

    async def verify(self, task: ChatRequest, answer: ChatAnswer) -> Verdict:
        del task
        return Verdict(answer.text == "four")


class Kept:
    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    async def record(self, outcome: RouteOutcome) -> None:
        self.told.append((outcome.rung, outcome.passed))


async def solved(budget: Money, kept: Kept) -> tuple[Solved[ChatAnswer], str]:
    """The answer, and what the provider counted."""
    async with fake_provider(read_script(SCRIPT)) as (address, program), Pool() as pool:
        purses, habits = Purses(PRICES), Habits()
        provider = Provider("p", WIRES["openai"], f"{address}/v1", ("k",), pool)
        caller = Caller({"p": provider}, observer=purses)
        settings = PolicySettings(exploration=False, value_usd=Decimal(1))
        policy = Policy(settings, PRICES, Posteriors(discount=1.0, half_life_s=1e9), habits)

        async def abstains(task: ChatRequest) -> ChatAnswer | None:
            assert task is REQUEST
            return None

        models = [ModelRung(Candidate("p", name), caller, PRICES, purses, habits) for name in ("large", "small")]
        rungs: list[Any] = [*models, FreeRung(abstains)]
        router = Router(policy, kept, habits)
        found = await router.solve(Job("sums", REQUEST), rungs, Four(), budget)
        pool.close()
        return found, str(program.account.told()["usd"])


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_the_cheap_one_fails_the_check_and_the_dear_one_is_repeated_and_passes() -> None:
    kept = Kept()
    found, counted = run(solved(usd("1"), kept))
    assert (found.answer.text, found.rung) == ("four", "p/large")
    assert [(step.rung, step.ended) for step in found.trail] == [
        ("symbolic", Ended.ABSTAINED),
        ("p/small", Ended.FAILED),
        ("p/large", Ended.PASSED),
    ]
    assert kept.told == [("symbolic", False), ("p/small", False), ("p/large", True)]
    # 100 tokens at $1 and 10 at $2 for a million, then ten times that; the refusal was free
    assert found.cost == usd("0.00132") == usd(counted)


def test_a_budget_that_does_not_hold_the_dear_one_ends_there() -> None:
    with pytest.raises(BudgetEnded, match="p/small failed, p/large too_dear") as raised:
        run(solved(usd("0.001"), Kept()))
    assert raised.value.cost == usd("0.00012")


def test_estimates_are_expected_and_bounds_are_higher() -> None:
    habits = Habits()
    rung = ModelRung(Candidate("p", "small"), Caller({}), PRICES, Purses(PRICES), habits)
    estimate, most = rung.estimate(REQUEST), rung.most(REQUEST)
    assert estimate.cost is not None
    assert not isinstance(most, Unpriced)
    assert 0 < estimate.cost < float(most)
    unknown = ModelRung(Candidate("p", "new"), Caller({}), PRICES, Purses(PRICES), habits)
    assert unknown.estimate(REQUEST).cost is None
    assert unknown.most(REQUEST) == Unpriced("p/new")
