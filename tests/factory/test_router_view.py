"""Savings with their interval, and percentiles."""

import math
import random
from decimal import Decimal

import pytest

from karkhana.domain.chat import Usage
from karkhana.factory.router_view import percentile, savings
from karkhana.routing.prices import Change, PriceBook, Rate, Tier
from karkhana.storage.ledger_figures import Call

USAGE = Usage(input=1000, cache_read=0, cache_write=0, cache_write_long=0, output=100, reasoning=0)


def book(**dollars: int) -> PriceBook:
    """Dollars for a million tokens, in and out the same."""
    cards = {}
    for name, each in dollars.items():
        picos = each * 10**12
        tier = Tier(
            start=0,
            input=picos,
            cache_read=picos,
            cache_write=picos,
            cache_write_long=picos,
            output=picos,
            reasoning=picos,
        )
        cards["cloud", name] = (Change(rate=Rate(tiers=(tier,), version="1")),)
    return PriceBook(cards)


def call(model: str, dollars: int, cluster: str = "a", usage: Usage = USAGE) -> Call:
    cost = (usage.input + usage.output) * dollars * 10**6
    return Call(provider="cloud", model=model, seconds=1.0, cost=cost, usage=usage, cluster=cluster)


def test_what_was_paid_is_compared_with_the_dearest_for_the_same_tokens() -> None:
    calls = [call("small", 1, f"t{n}") for n in range(9)] + [call("large", 10, "t9")]
    found = savings(calls, book(small=1, large=10))
    assert found is not None
    assert (found.baseline, found.calls, found.clusters) == ("cloud/large", 10, 10)
    assert found.share == pytest.approx(1 - 19 / 100)
    assert found.paid == pytest.approx(float(Decimal("0.0209")))
    assert found.would == pytest.approx(0.11)
    assert found.low < found.share < found.high <= 1


def test_one_model_or_no_price_says_nothing() -> None:
    assert savings([call("small", 1)] * 5, book(small=1, large=10)) is None
    assert savings([call("small", 1), call("large", 10)], book()) is None
    assert savings([], book(small=1)) is None


def test_the_interval_holds_what_it_promises() -> None:
    draw, inside, rounds = random.Random(3), 0, 300
    prices = book(small=1, large=10)
    for _ in range(rounds):
        calls = []
        for task in range(60):
            model, dollars = ("small", 1) if draw.random() < 0.7 else ("large", 10)
            calls += [call(model, dollars, f"t{task}") for _ in range(draw.randint(1, 5))]
        found = savings(calls, prices)
        assert found is not None
        inside += found.low <= 1 - (0.7 * 1 + 0.3 * 10) / 10 <= found.high
    # 95 % are promised; what sampling alone makes of 300 rounds is far within this
    assert inside / rounds > 0.90


def test_percentiles_lie_between_the_two_nearest() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.95) == 3.0
    assert math.isclose(percentile([float(n) for n in range(101)], 0.95) or 0, 95.0)
