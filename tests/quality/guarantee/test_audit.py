"""The audit: the same runs wherever it is asked, about the share that is wanted, and an estimate with an interval."""

import pytest

from karkhana.quality.guarantee.audit import audited, overlooked


def test_the_share_is_about_what_is_wanted() -> None:
    drawn = [audited(f"run_{number}", "salt", 0.05) for number in range(4000)]
    assert 0.035 < sum(drawn) / 4000 < 0.065
    assert drawn == [audited(f"run_{number}", "salt", 0.05) for number in range(4000)]
    assert drawn != [audited(f"run_{number}", "other", 0.05) for number in range(4000)]


def test_a_larger_share_holds_the_smaller_one() -> None:
    for number in range(300):
        assert audited(f"run_{number}", "salt", 0.5) >= audited(f"run_{number}", "salt", 0.1)


def test_what_outcomes_overlook() -> None:
    found = overlooked(refused=6, of_audited=40, bad=20, of_alone=800, confidence=0.95)
    assert found.rate == pytest.approx(6 / 40 - 20 / 800)
    assert 0 < found.low < 0.125 < found.high < 0.40


def test_without_an_audit_nothing_is_said() -> None:
    found = overlooked(refused=0, of_audited=0, bad=3, of_alone=10, confidence=0.95)
    assert found.rate is None
    assert (found.low, found.high) == (0.0, 1.0)
