"""Outcomes count less and less, by their number and by their age, and the prior takes over again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.policy.posteriors import LARGEST, Evidence, Posteriors, Subject
from karkhana.routing.policy.priors import SYMBOLIC, Prior, priors

DAY = 86_400.0
SMALL = Subject("", "bugfix", "cloud/small")
LARGE = Subject("", "bugfix", "cloud/large")
PRIOR = Prior(0.6, 2.0)


def known(discount: float = 0.98, half_life_days: float = 14) -> Posteriors:
    return Posteriors(discount=discount, half_life_s=half_life_days * DAY)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 5 * DAY)), max_size=30),
    st.floats(0.8, 1.0),
    st.floats(0.5, 30),
)
def test_each_outcome_counts_by_those_after_it_and_by_its_age(
    steps: list[tuple[bool, float]], discount: float, half_life: float
) -> None:
    found, at, told = known(discount, half_life), 0.0, []
    for passed, pause in steps:
        at += pause
        found.learn(SMALL, passed, at)
        told.append((passed, at))
    now = at + DAY
    weights = [
        discount ** (len(told) - 1 - number) * 0.5 ** ((now - when) / (half_life * DAY))
        for number, (_, when) in enumerate(told)
    ]
    evidence = found.evidence(SMALL, now)
    assert evidence.passed == pytest.approx(sum(w for w, (ok, _) in zip(weights, told, strict=True) if ok))
    assert evidence.failed == pytest.approx(sum(w for w, (ok, _) in zip(weights, told, strict=True) if not ok))
    assert evidence.outcomes == len(told)


def test_one_that_nobody_asks_becomes_uncertain_again() -> None:
    found = known()
    for _ in range(20):
        found.learn(SMALL, False, 0.0)
    sure = found.posterior(SMALL, PRIOR, 0.0)
    for _ in range(100):
        found.learn(LARGE, True, 0.0)
    unsure = found.posterior(SMALL, PRIOR, 0.0)
    assert sum(unsure) < sum(sure) / 2
    assert unsure.mean > sure.mean
    aged = found.posterior(SMALL, PRIOR, 3650 * DAY)
    assert aged.mean == pytest.approx(PRIOR.passes, abs=0.01)


def test_what_comes_late_counts_by_its_own_age() -> None:
    found = known(discount=1.0, half_life_days=1)
    found.learn(SMALL, True, 2 * DAY)
    found.learn(SMALL, True, 1 * DAY)
    assert found.evidence(SMALL, 2 * DAY).passed == pytest.approx(1.5)


def test_a_type_starts_from_the_record_in_others_and_pools_are_apart() -> None:
    found = known()
    for _ in range(30):
        found.learn(SMALL, True, 0.0)
    other = found.posterior(SMALL._replace(task_type="docs"), PRIOR, 0.0)
    assert other.mean > PRIOR.passes + 0.1
    assert sum(other) == pytest.approx(PRIOR.weight + priors().pooling)
    assert found.posterior(SMALL._replace(pool="web"), PRIOR, 0.0).mean == pytest.approx(PRIOR.passes)


def test_an_outcome_of_a_type_is_not_counted_twice() -> None:
    found = known(discount=1.0)
    found.learn(SMALL, False, 0.0)
    assert found.posterior(SMALL, PRIOR, 0.0) == pytest.approx((1.2, 1.8))


def test_the_symbolic_engineers_record_of_one_type_says_nothing_of_another() -> None:
    found = known()
    for _ in range(30):
        found.learn(Subject("", "bugfix", SYMBOLIC), True, 0.0)
    prior = priors().of(SYMBOLIC, "deps", 0.0)
    assert found.posterior(Subject("", "deps", SYMBOLIC), prior, 0.0).mean == pytest.approx(prior.passes)


def test_made_up_types_do_not_fill_the_memory_nor_push_out_a_record() -> None:
    found = known(discount=1.0)
    for _ in range(10):
        found.learn(SMALL, True, 0.0)
    for number in range(LARGEST + 100):
        found.learn(SMALL._replace(task_type=f"made-up-{number}"), True, 0.0)
    assert len(found.subjects()) <= LARGEST
    assert found.evidence(SMALL, 0.0) == Evidence(10.0, 0.0, 10, 10)


def test_a_draw_is_a_chance() -> None:
    drawn = [known().posterior(SMALL, PRIOR, 0.0).drawn(random.Random(seed)) for seed in range(200)]
    assert all(0 <= each <= 1 for each in drawn)
    assert 0.5 < sum(drawn) / len(drawn) < 0.7


def test_the_prior_is_weaker_and_lower_the_cheaper_the_model() -> None:
    in_order = [priors().of("p/m", "x", dollars) for dollars in (0.0, 0.9, 2.0, 15.0)]
    assert [prior.passes for prior in in_order] == sorted(prior.passes for prior in in_order)
    assert [prior.weight for prior in in_order] == sorted(prior.weight for prior in in_order)
    assert in_order[0].weight < in_order[-1].weight
    assert priors().of("p/m", "x", None) in in_order
