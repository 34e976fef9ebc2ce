"""Exact binomial arithmetic against scipy."""

import pytest
from scipy import stats

from karkhana.quality.guarantee.binomial import interval, most_bad, needed, p_value


@pytest.mark.parametrize(("alpha", "delta", "count"), [(0.1, 0.1, 22), (0.05, 0.1, 45), (0.01, 0.05, 299)])
def test_outcomes_that_are_needed_when_none_is_bad(alpha: float, delta: float, count: int) -> None:
    assert needed(alpha, delta) == count
    table = most_bad(alpha, delta, count)
    assert (table[count - 1], table[count]) == (-1, 0)


@pytest.mark.parametrize(
    ("bad", "outcomes", "alpha"), [(0, 22, 0.1), (3, 60, 0.1), (40, 900, 0.05), (9000, 90_000, 0.1)]
)
def test_p_values_are_the_binomial_distribution(bad: int, outcomes: int, alpha: float) -> None:
    assert p_value(bad, outcomes, alpha) == pytest.approx(stats.binom.cdf(bad, outcomes, alpha), rel=1e-6)


def test_p_values_at_the_ends() -> None:
    assert p_value(5, 5, 0.1) == 1.0
    assert p_value(-1, 5, 0.1) == 0.0
    assert p_value(0, 0, 0.1) == 1.0


@pytest.mark.parametrize(("alpha", "delta"), [(0.1, 0.1), (0.1, 0.0003), (0.02, 0.05)])
def test_few_enough_bad_ones_for_every_number_of_outcomes(alpha: float, delta: float) -> None:
    for outcomes, most in enumerate(most_bad(alpha, delta, 1500).tolist()):
        assert most < 0 or stats.binom.cdf(most, outcomes, alpha) <= delta
        assert stats.binom.cdf(most + 1, outcomes, alpha) > delta


@pytest.mark.parametrize(("bad", "outcomes"), [(0, 30), (1, 12), (7, 7), (20, 200)])
def test_intervals_are_those_of_clopper_and_pearson(bad: int, outcomes: int) -> None:
    exact = stats.binomtest(bad, outcomes).proportion_ci(0.95)
    assert interval(bad, outcomes, 0.95) == pytest.approx((exact.low, exact.high), abs=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_ends_of_an_interval_have_the_chance_of_its_tails(confidence: float) -> None:
    tail = (1 - confidence) / 2
    many = [(1, 90_000), (3_000, 90_000), (89_999, 90_000), (8_239, 20_000)]
    few = [(bad, whole) for whole in range(1, 25) for bad in range(whole + 1)]
    for bad, outcomes in few + many:
        low, high = interval(bad, outcomes, confidence)
        assert 0 <= low < high <= 1
        assert bad == 0 or stats.binom.sf(bad - 1, outcomes, low) == pytest.approx(tail, rel=1e-4)
        assert bad == outcomes or stats.binom.cdf(bad, outcomes, high) == pytest.approx(tail, rel=1e-4)


def test_nothing_is_known_without_outcomes() -> None:
    assert interval(0, 0, 0.95) == (0.0, 1.0)
