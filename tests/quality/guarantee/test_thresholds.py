"""Learn-then-Test on a grid: what it gives, when it abstains, and that it keeps its level."""

import numpy as np
import pytest

from karkhana.quality.guarantee.thresholds import certified, most_bad, thresholds

ALLOWED = most_bad(0.10, 0.10, 4096)


def found(outcomes: list[int], bad: list[int], first_share: float = 0.25) -> int:
    return int(certified(np.array([outcomes]), np.array([bad]), ALLOWED, first_share)[0])


def test_the_grid_ends_at_the_lowest_threshold() -> None:
    grid = thresholds(0.70, 0.01)
    assert (grid[0], grid[-1], len(grid)) == (0.99, 0.70, 30)
    assert thresholds(0.90, 0.005)[-1] == 0.90


@pytest.mark.parametrize("lowest", [0.70, 0.905, 0.9999, 1.0])
def test_no_threshold_is_below_the_lowest_or_at_one(lowest: float) -> None:
    grid = thresholds(lowest, 0.005)
    assert all(lowest - 1e-9 <= each < 1 or len(grid) == 1 for each in grid)


def test_the_lowest_one_in_an_unbroken_row_is_given() -> None:
    assert found([50, 100, 200, 400], [0, 2, 60, 0]) == 1


def test_one_that_follows_a_refused_one_is_never_given() -> None:
    assert found([100, 200], [30, 30], first_share=0.0) == -1


def test_nothing_is_given_on_thin_data() -> None:
    assert found([10, 21], [0, 0]) == -1
    assert found([10, 22], [0, 0]) == 1
    assert found([10, 22], [0, 1]) == -1
    assert found([0, 0], [0, 0]) == -1


def test_the_sequence_begins_where_there_is_enough_to_go_by() -> None:
    assert found([25, 400], [5, 10], first_share=0.25) == 1
    assert found([25, 400], [5, 10], first_share=0.0) == -1


def test_the_level_is_kept_where_every_threshold_is_just_unsafe() -> None:
    chance = np.random.default_rng(3)
    grid = thresholds(0.70, 0.01)
    scores = chance.beta(8, 1.2, size=(1000, 200))
    bad = chance.random((1000, 200)) < 0.101
    above = [scores > each for each in grid]
    outcomes = np.stack([a.sum(axis=1) for a in above], axis=1)
    wrong = np.stack([(a & bad).sum(axis=1) for a in above], axis=1)
    given = certified(outcomes, wrong, ALLOWED, 0.25) >= 0
    assert 0.02 < given.mean() <= 0.10 + 3 * 0.0095
