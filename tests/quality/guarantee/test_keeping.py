"""The promise over time: abstains, gives, takes away, begins again."""

import numpy as np
import pytest

from karkhana.quality.guarantee.keeping import NONE, Keeper
from karkhana.quality.guarantee.rules import Rules, load_rules

RULES = load_rules()


def fed(*outcomes: tuple[float, bool], lowest: float = 0.90, **switches: bool) -> Keeper:
    keeper = Keeper(RULES, lowest, **switches)
    for score, bad in outcomes:
        keeper.learn(np.array([score]), np.array([bad]))
    return keeper


GOOD, BAD = (0.95, False), (0.95, True)


def test_nothing_goes_ahead_before_there_is_enough() -> None:
    keeper = fed(*[GOOD] * 26)
    assert keeper.deploy_above[0] == NONE
    assert not keeper.alone(np.array([1.0]))[0]
    assert fed(*[GOOD] * 27).deploy_above[0] == 0.90


def test_outcomes_below_the_lowest_threshold_do_not_count() -> None:
    assert fed(*[(0.85, False)] * 200).number[0] == 0


def test_one_bad_among_the_first_waits_for_more() -> None:
    assert fed(BAD, *[GOOD] * 26).deploy_above[0] == NONE
    assert fed(BAD, *[GOOD] * 120).deploy_above[0] == 0.90


def test_after_a_bad_one_ten_good_ones_are_needed() -> None:
    sure = [GOOD] * 27
    assert fed(*sure, BAD).paused[0]
    assert not fed(*sure, BAD).alone(np.array([0.99]))[0]
    assert fed(*sure, BAD, *[GOOD] * 9).paused[0]
    assert not fed(*sure, BAD, *[GOOD] * 10).paused[0]
    assert not fed(*sure, BAD, demote=False).paused[0]


def test_the_alarm_forgets_everything_and_spends_on() -> None:
    keeper = fed(*[GOOD] * 27, *[BAD] * 3)
    assert keeper.alarms[0] == 1
    assert keeper.deploy_above[0] == NONE
    assert keeper.due[0] > 27
    assert fed(*[GOOD] * 27, *[BAD] * 3, *[GOOD] * 27).deploy_above[0] == NONE
    assert fed(*[GOOD] * 27, *[BAD] * 3, *[GOOD] * 60).deploy_above[0] == 0.90


def test_the_parts_of_delta_sum_to_delta() -> None:
    assert sum(RULES.spent(number) for number in range(1, 200_000)) == pytest.approx(RULES.delta, rel=1e-4)


def test_many_histories_are_the_same_as_each_alone() -> None:
    chance = np.random.default_rng(8)
    scores = chance.uniform(0.6, 1.0, size=(600, 5))
    bad = chance.random((600, 5)) < np.where(np.arange(600)[:, None] < 400, 0.02, 0.5)
    together = Keeper(RULES, histories=5)
    for row, wrong in zip(scores, bad, strict=True):
        together.learn(row, wrong)
    for number in range(5):
        alone = Keeper(RULES)
        for score, wrong in zip(scores[:, number], bad[:, number], strict=True):
            alone.learn(np.array([score]), np.array([wrong]))
        assert alone.deploy_above[0] == together.deploy_above[number]
        assert (alone.number[0], alone.alarms[0]) == (together.number[number], together.alarms[number])
        assert alone.wealth[0] == pytest.approx(together.wealth[number])
    assert together.alarms.sum() > 0


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"lowest": 0.5}, {"growth": 1.0}, {"regain": 0}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    values = {name: getattr(RULES, name) for name in RULES.__struct_fields__}
    with pytest.raises(ValueError, match=r"must|lie"):
        Rules(**(values | wrong))
