"""The order is the best of all orders, and no price is ever preferred for being higher."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.routing.policy.cascade import Offer, Stakes, gain, ordered, paying, propensities, worth
from karkhana.routing.policy.posteriors import Beta

DOLLARS = st.floats(0, 0.1, allow_subnormal=False)
COUNTS = st.floats(0.1, 50)
OFFERS = st.lists(st.builds(Beta, COUNTS, COUNTS).flatmap(lambda b: st.tuples(st.just(b), DOLLARS)), max_size=4).map(
    lambda rows: [Offer(f"r{number}", beta, cost=cost) for number, (beta, cost) in enumerate(rows)]
)
STAKES = st.builds(Stakes, st.floats(0, 0.2), st.sampled_from([0.0, 0.5, 0.8, 1.0]))


@settings(deadline=None)
@given(OFFERS, STAKES)
def test_no_order_and_no_choice_of_rungs_is_worth_more(offers: list[Offer], stakes: Stakes) -> None:
    plan = paying(ordered(offers, stakes), stakes)
    others = (order for size in range(len(offers) + 1) for order in itertools.permutations(offers, size))
    assert worth(plan, stakes) >= max(worth(order, stakes) for order in others) - 1e-12


@given(OFFERS.filter(bool), STAKES, DOLLARS)
def test_a_higher_price_is_never_preferred(offers: list[Offer], stakes: Stakes, more: float) -> None:
    first = offers[0]
    dearer = msgspec.structs.replace(first, rung="dearer", cost=first.cost + more)
    order = [offer.rung for offer in ordered([*offers, dearer], stakes)]
    assert order.index(first.rung) < order.index("dearer")
    assert gain(dearer, dearer.chance, stakes) <= gain(first, first.chance, stakes)
    raised = [dearer, *offers[1:]]
    assert worth(paying(ordered(raised, stakes), stakes), stakes) <= worth(
        paying(ordered(offers, stakes), stakes), stakes
    )


@given(OFFERS.filter(bool), STAKES, st.integers(0, 99))
def test_propensities_sum_to_one_and_none_is_nothing(offers: list[Offer], stakes: Stakes, seed: int) -> None:
    found = propensities(offers, stakes, random.Random(seed), draws=20)
    assert set(found) == {offer.rung for offer in offers}
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) > 0


def test_a_surer_and_cheaper_rung_is_nearly_always_first() -> None:
    good, bad = Offer("good", Beta(90, 10), cost=0.001), Offer("bad", Beta(10, 90), cost=0.001)
    found = propensities([bad, good], Stakes(0.05), random.Random(1))
    assert found["good"] > 0.95


def test_a_rung_that_costs_nothing_comes_first_however_rarely_it_passes() -> None:
    free, cheap = Offer("symbolic", Beta(1, 9)), Offer("cheap", Beta(9, 1), cost=0.0001)
    assert [offer.rung for offer in ordered([cheap, free], Stakes(0.05))] == ["symbolic", "cheap"]


def test_waiting_switching_and_checking_are_part_of_the_price() -> None:
    plain = Offer("plain", Beta(1, 1), cost=0.01)
    for field in ("switch", "wait", "verify"):
        dearer = msgspec.structs.replace(plain, rung=field, **{field: 0.001})
        assert ordered([dearer, plain], Stakes(0.05))[0] is plain
        assert dearer.price == pytest.approx(0.011)


def test_the_wording_moves_the_chance_but_never_to_certainty() -> None:
    assert Offer("r", Beta(5, 5), correction=0.2).chance == pytest.approx(0.7)
    assert Offer("r", Beta(9, 1), correction=0.5).chance == 0.99
    assert Offer("r", Beta(1, 9), correction=-0.5).chance == 0.01
