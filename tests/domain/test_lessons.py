"""The arithmetic of learning, by hand."""

import pytest

from karkhana.domain.lessons import SUCCESSES, WEAK, Credit, Lesson, Role, Verdict, multiplier, posterior, taught

KEY = "KeyError"


def credit(subject: str, role: Role = Role.USED, trials: float = 1.0) -> Credit:
    return Credit(subject=subject, circumstance=KEY, role=role, trials=trials)


def lesson(good: float = 0.0, bad: float = 0.0, *, subject: str = "t", circumstance: str = KEY, here: bool = True):
    return Lesson(subject=subject, circumstance=circumstance, good=good, bad=bad, here=here)


CREDITS = (credit("guard"), credit("sign", Role.IN_VAIN), credit("sign", Role.IN_VAIN, 0.5))


def test_a_good_change_speaks_for_its_origin_and_against_what_was_tried_in_vain() -> None:
    assert taught(CREDITS, Verdict.GOOD) == (lesson(good=1.0, subject="guard"), lesson(bad=1.5, subject="sign"))


def test_a_bad_change_speaks_against_its_origin_only() -> None:
    assert taught(CREDITS, Verdict.BAD) == (lesson(bad=1.0, subject="guard"),)


def test_a_bad_change_costs_its_stake() -> None:
    dear = Credit(subject="guard", circumstance=KEY, role=Role.USED, trials=0.5, stake=300.0)
    free = Credit(subject="words", circumstance=KEY, role=Role.USED, stake=0.0)
    assert taught((dear, free), Verdict.BAD) == (lesson(bad=300.0, subject="guard"),)
    assert taught((dear,), Verdict.GOOD) == (lesson(good=0.5, subject="guard"),)


def test_an_abstention_is_weak_evidence() -> None:
    assert taught(CREDITS, Verdict.ABSTAINED) == (lesson(bad=round(1.5 * WEAK, 4), subject="sign"),)


def test_one_subject_may_be_used_and_tried_in_vain() -> None:
    both = (credit("ochiai", trials=0.25), credit("ochiai", Role.IN_VAIN, 0.75))
    assert taught(both, Verdict.GOOD) == (lesson(good=0.25, bad=0.75, subject="ochiai"),)


def test_nothing_learned_changes_nothing() -> None:
    assert multiplier((), "t", KEY, 0.02) == 1.0
    assert multiplier([lesson(good=5.0, subject="other")], "t", KEY, 0.02) == 1.0


def test_the_posterior_is_that_of_a_beta_distribution() -> None:
    mean = posterior([lesson(good=3.0, bad=2.0)], "t", KEY, 0.1)
    assert mean == pytest.approx((SUCCESSES + 3) / (SUCCESSES / 0.1 + 5))


def test_what_needs_many_trials_per_success_is_worth_less() -> None:
    few, many = (multiplier([lesson(good=1.0, bad=bad)], "t", KEY, 0.001) for bad in (10.0, 5000.0))
    assert few > 1.9
    assert many < 0.4


def test_near_evidence_outweighs_far_evidence() -> None:
    here = [lesson(good=2.0, bad=8.0), lesson(good=8.0, bad=2.0, circumstance="TypeError")]
    elsewhere = [lesson(good=2.0, bad=8.0), lesson(good=8.0, bad=2.0, here=False)]
    alone = posterior([lesson(good=2.0, bad=8.0)], "t", KEY, 0.2)
    assert alone < posterior(elsewhere, "t", KEY, 0.2) < posterior(here, "t", KEY, 0.2)


def test_more_evidence_moves_more_and_always_stays_a_chance() -> None:
    steps = [multiplier([lesson(bad=float(n))], "t", KEY, 0.05) for n in (0, 1, 10, 10000)]
    assert steps == sorted(steps, reverse=True)
    assert 0.0 < steps[-1] < 0.02
    assert posterior([lesson(good=1e6)], "t", KEY, 0.05) < 1.0
