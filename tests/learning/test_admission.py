"""The test that admits a strategy: exact, and seldom wrong, by simulation."""

import random

import pytest

from karkhana.learning.admission import LEVEL, Tally, compared, level, sign_test, split


@pytest.mark.parametrize(
    ("wins", "losses", "expected"), [(0, 0, 1.0), (5, 0, 1 / 32), (5, 1, 7 / 64), (0, 5, 1.0), (1, 1, 0.75)]
)
def test_the_sign_test_is_exact(wins: int, losses: int, expected: float) -> None:
    assert sign_test(wins, losses) == expected


def test_the_levels_of_all_proposals_add_up_to_the_level() -> None:
    assert LEVEL * 0.99 < sum(level(n) for n in range(1, 1000)) < LEVEL


def last(held: list[float], better: float, present: float, chance: random.Random) -> Tally:
    return list(compared(held, lambda _: chance.random() < better, lambda _: chance.random() < present))[-1]


def test_a_useless_strategy_is_admitted_less_often_than_the_level_however_often_one_is_proposed() -> None:
    chance, admitted = random.Random(3), 0
    for _ in range(1000):
        admitted += any(last([0.0] * 30, 0.7, 0.7, chance).p_value <= level(n) for n in (1, 2, 3, 4))
    assert admitted / 1000 <= LEVEL


def test_a_strategy_that_mends_what_fails_is_admitted() -> None:
    chance = random.Random(4)
    won = sum(last([0.0] * 30, 0.98, 0.5, chance).p_value <= level(1) for _ in range(100))
    assert won > 90


def test_what_could_not_be_found_out_says_nothing() -> None:
    tallies = list(compared([1, 2, 3], lambda n: None if n == 1 else True, lambda n: None if n == 2 else False))
    assert tallies[-1] == Tally(tickets=1, wins=1, losses=0, p_value=0.5)


def test_the_held_out_tickets_are_others_and_solved_ones_are_among_them() -> None:
    failed, solved = list(range(12)), list(range(100, 140))
    seen, held = split(failed, solved)
    assert len(seen) == 4
    assert not set(seen) & set(held)
    assert sorted([*seen, *(each for each in held if each < 100)]) == failed
    assert sum(each >= 100 for each in held) == 8
