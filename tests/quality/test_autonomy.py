"""The ladder: earned by outcomes, lost with a bad one, granted and held by persons; protected places."""

import pytest

from karkhana.domain.autonomy import Cause, LevelChange
from karkhana.domain.policy import Autonomy, Policy
from karkhana.quality.autonomy import Known, climb, level_in_force, protected_because

IN, ON, OUT = Autonomy
OPEN = Policy(autonomy_limit=OUT)


def known(*good: bool, score: float = 0.95) -> list[Known]:
    return [Known(score=score, good=each, at=float(number)) for number, each in enumerate(good)]


def word(level: Autonomy, at: float) -> LevelChange:
    return LevelChange(
        repository="/shop", task_type="bugfix", at=at, level=level, previous=IN, cause=Cause.PERSON, by="asha"
    )


@pytest.mark.parametrize(("count", "level"), [(0, IN), (26, IN), (27, ON), (54, ON), (120, OUT)])
def test_good_outcomes_earn_levels(count: int, level: Autonomy) -> None:
    assert climb(known(*[True] * count)).earned is level


def test_outcomes_of_low_scores_earn_nothing() -> None:
    assert climb(known(*[True] * 300, score=0.85)).earned is IN


def test_a_bad_outcome_takes_it_away_at_once_and_ten_good_ones_give_it_back() -> None:
    fallen = climb(known(*[True] * 120, False))
    assert (fallen.earned, fallen.cause) == (IN, Cause.BAD_OUTCOME)
    assert fallen.guarantee.deploy_above is None
    assert fallen.guarantee.paused
    assert "10 more good ones" in fallen.guarantee.says
    assert climb(known(*[True] * 120, False, *[True] * 10)).earned is not IN


def test_the_drift_alarm_takes_it_away() -> None:
    fallen = climb(known(*[True] * 30, *[False] * 3))
    assert (fallen.earned, fallen.guarantee.alarms) == (IN, 1)
    assert "drift" in fallen.guarantee.says


def test_the_order_of_outcomes_is_the_one_in_which_they_became_known() -> None:
    outcomes = known(*[True] * 40, False)
    assert climb(outcomes[::-1]) == climb(outcomes)


def test_the_guarantee_is_told_with_its_figures() -> None:
    found = climb(known(*[True] * 60)).guarantee
    for word_ in ("10%", "90%", "0.900", "of 41", "assumed"):
        assert word_ in found.says
    thin = climb(known(*[True] * 5)).guarantee.says
    assert "abstains" in thin
    assert "5 outcomes" in thin
    assert "due at 27" in thin
    assert "below 22" in thin


def test_the_settings_limit_what_is_earned() -> None:
    ladder = climb(known(*[True] * 120))
    assert level_in_force(ladder, Policy(), ())[0] is ON
    assert level_in_force(ladder, OPEN, ())[0] is OUT
    assert level_in_force(ladder, Policy(autonomy_limit=IN), ())[0] is IN


def test_what_the_settings_grant_is_lost_with_a_bad_outcome() -> None:
    granted = Policy(autonomy=ON)
    assert level_in_force(climb([]), granted, ())[0] is ON
    assert level_in_force(climb(known(True, False)), granted, ())[0] is IN


def test_what_a_person_grants_holds_until_a_bad_outcome_after_it() -> None:
    ladder = climb(known(True, False))
    assert level_in_force(ladder, Policy(), [word(ON, at=5.0)])[0] is ON
    assert level_in_force(ladder, Policy(), [word(ON, at=0.5)])[0] is IN
    assert level_in_force(ladder, Policy(), [word(OUT, at=5.0)])[0] is ON


def test_a_person_can_hold_it_down() -> None:
    ladder = climb(known(*[True] * 120))
    level, because = level_in_force(ladder, OPEN, [word(OUT, at=1.0), word(IN, at=500.0)])
    assert level is IN
    assert "asha" in because


@pytest.mark.parametrize(
    "path",
    [
        "shop/auth/tokens.py",
        "shop/payments/refund.py",
        "shop/migrations/0007_more.py",
        ".github/workflows/ci.yml",
        "karkhana.toml",
        "SHOP/Auth/Tokens.py",
    ],
)
def test_some_places_always_need_a_person(path: str) -> None:
    found = protected_because(["shop/cart.py", path], Policy())
    assert len(found) == 1
    assert found[0].startswith(path)


def test_the_settings_add_places() -> None:
    assert protected_because(["shop/cart.py", "README.md"], Policy()) == ()
    found = protected_because(["shop/cart.py", "shop/tax.py"], Policy(protected_paths=("shop/c*.py",)))
    assert found == ("shop/cart.py: the settings protect it",)


def late(good: bool, at: float, decided: float) -> Known:
    return Known(score=0.95, good=good, at=at, decided=decided)


def test_after_two_bad_outcomes_only_changes_that_were_decided_since_give_it_back() -> None:
    good = [late(True, 100.0 + n, 70.0 + n) for n in range(120)]
    bad = [late(False, 220.0, 190.0), late(False, 221.0, 191.0)]
    # Known later, and decided before: they tell of the world before.
    before = [late(True, 230.0 + n, 200.0 + n) for n in range(10)]
    since = [late(True, 260.0 + n, 230.0 + n) for n in range(10)]
    assert climb([*good, bad[0], *before]).earned is not IN
    fallen = climb([*good, *bad, *before])
    assert fallen.earned is IN
    assert "decided since" in fallen.guarantee.says
    assert climb([*good, *bad, *before, *since]).earned is not IN
