"""How the search spends its budget."""

import pytest

from karkhana.engineers.symbolic.search import horizons


@pytest.mark.parametrize(
    ("scores", "first", "last"),
    [
        ([1.0] + [0.5] * 300 + [0.02] * 300, 300, 100),
        ([1.0] + [0.01] * 600, 100, 100),
        ([1.0] * 3000, 1500, 100),
        ([0.5], 100, 100),
    ],
)
def test_rivals_are_those_that_seemed_nearly_as_likely(scores: list[float], first: int, last: int) -> None:
    found = horizons(scores, most=1500)
    assert found[0] == first
    assert found[-1] == last
    assert len(found) == len(scores)


def test_an_unlikely_first_hit_has_all_others_for_rivals() -> None:
    assert horizons([1.0] * 10 + [0.02] + [0.005] * 900, most=1500)[10] == 900


def test_nothing_to_try() -> None:
    assert horizons([], most=10) == []
