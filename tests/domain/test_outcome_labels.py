"""When a change is good, bad or pending."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.outcomes import Label, Rules, ScoredChange, Sign, SignKind, settle

DAY = 86_400.0
RULES = Rules(window_s=30 * DAY, weights={"reverted": 1.0, "rejected": 1.0, "edited": 0.4, "hot_fixed": 0.4})
CHANGE = ScoredChange(run_id="run_1", repository="/shop", type="bugfix", engineer="symbolic", score=0.9, at=0.0)
WATCHED = msgspec.structs.replace(CHANGE, landed_at=DAY, landed_as="d" * 40, watched_at=31 * DAY)


def sign(kind: SignKind, reference: str = "x", at: float = 2 * DAY, cause: str = "") -> Sign:
    return Sign.make("run_1", kind, reference, at=at, cause=cause)


def test_good_only_when_somebody_looked_until_the_window_was_over() -> None:
    assert settle(WATCHED, (), RULES).label is Label.GOOD
    assert settle(WATCHED, (), RULES).known_at == 31 * DAY
    early = msgspec.structs.replace(WATCHED, watched_at=31 * DAY - 1)
    assert settle(early, (), RULES).label is Label.PENDING


def test_what_never_came_into_the_main_line_stays_pending() -> None:
    waiting = msgspec.structs.replace(CHANGE, watched_at=900 * DAY)
    assert settle(waiting, (), RULES).label is Label.PENDING


def test_a_bad_sign_counts_at_once_and_late() -> None:
    found = settle(CHANGE, (sign(SignKind.REJECTED, cause="scope"),), RULES)
    assert (found.label, found.known_at, found.cause, found.good) == (Label.BAD, 2 * DAY, "scope", False)
    late = settle(WATCHED, (sign(SignKind.REVERTED, at=90 * DAY),), RULES)
    assert (late.label, late.known_at) == (Label.BAD, 90 * DAY)


def test_weak_signs_add_up() -> None:
    one, other = sign(SignKind.EDITED), sign(SignKind.HOT_FIXED, at=3 * DAY)
    assert settle(WATCHED, (one,), RULES).label is Label.GOOD
    assert settle(WATCHED, (one,), RULES).badness == pytest.approx(0.4)
    both = settle(WATCHED, (other, one), RULES)
    assert (both.label, both.known_at, both.badness) == (Label.BAD, 3 * DAY, pytest.approx(0.64))


def test_a_sign_that_was_taken_back_does_not_count() -> None:
    revert = sign(SignKind.REVERTED)
    assert settle(WATCHED, (revert, sign(SignKind.CLEARED, revert.sign_id)), RULES).label is Label.GOOD


def test_a_dismissed_finding_says_nothing_of_the_change() -> None:
    assert settle(WATCHED, (sign(SignKind.FINDING_DISMISSED),), RULES) == settle(WATCHED, (), RULES)


def test_the_same_thing_has_the_same_name_whoever_tells_it() -> None:
    one = Sign.make("run_1", SignKind.REVERTED, "5c1f", at=1.0, by="eve")
    assert one.sign_id == Sign.make("run_1", SignKind.REVERTED, "5c1f", at=2.0).sign_id
    assert one.sign_id != Sign.make("run_1", SignKind.HOT_FIXED, "5c1f", at=1.0).sign_id
    assert one.sign_id != Sign.make("run_2", SignKind.REVERTED, "5c1f", at=1.0).sign_id


kinds = st.sampled_from([kind for kind in SignKind if kind is not SignKind.CLEARED])
signs = st.lists(st.builds(sign, kinds, st.text("ab", max_size=2), st.floats(0, 90 * DAY)), max_size=5)


@given(signs, st.randoms())
def test_the_order_of_telling_does_not_matter(told: list[Sign], chance) -> None:
    shuffled = list(told)
    chance.shuffle(shuffled)
    assert settle(WATCHED, shuffled, RULES) == settle(WATCHED, told, RULES)


@given(signs, kinds)
def test_another_sign_never_makes_it_better(told: list[Sign], kind: SignKind) -> None:
    before, after = settle(WATCHED, told, RULES), settle(WATCHED, [*told, sign(kind, "more", 95 * DAY)], RULES)
    assert after.badness >= before.badness
    assert after.good <= before.good
