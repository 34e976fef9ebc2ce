"""Admission: all budgets of a call have room, or nothing is reserved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.money import PICOS, usd
from karkhana.routing.budgets import BudgetReached, Lock, PriceUnknown, admit


def lock(hard: int | None = None, soft: int | None = None, spent: int = 0, reserved: int = 0, **fields) -> Lock:
    made = {"budget": 1, "scope": "team:a", "period": "month", "start": "2026-11"}
    return Lock(**{**made, **fields}, soft=soft, hard=hard, spent=spent, reserved=reserved)


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), max_size=4),
    st.integers(0, 50),
)
def test_all_have_room_or_nothing_is_reserved(rows: list[tuple[int | None, int, int]], wanted: int) -> None:
    locks = [lock(hard, spent=spent, reserved=reserved) for hard, spent, reserved in rows]
    fits = all(hard is None or spent + reserved + wanted <= hard for hard, spent, reserved in rows)
    try:
        admit(locks, wanted, "p/m")
    except BudgetReached:
        assert not fits
        assert [each.reserved for each in locks] == [reserved for _, _, reserved in rows]
    else:
        assert fits
        assert [each.reserved for each in locks] == [reserved + wanted for _, _, reserved in rows]


def test_a_soft_limit_warns_and_lets_pass() -> None:
    near = lock(soft=2 * PICOS, spent=PICOS, reserved=0)
    assert admit([near], PICOS, "p/m") == []
    [passed] = admit([near], 1, "p/m")
    assert passed.budget.soft == usd(2)
    assert passed.used > usd(2)


def test_a_hard_limit_says_what_would_raise_it_and_when_it_ends() -> None:
    with pytest.raises(BudgetReached) as caught:
        admit([lock(3 * PICOS, spent=2 * PICOS, reserved=PICOS // 2)], PICOS, "p/m")
    reached = caught.value
    assert (reached.wanted, reached.needed, reached.resets, reached.exit_code) == (usd(1), usd("3.5"), "2026-12-01", 3)
    assert reached.message == (
        "budget reached: team:a has used $2.50 in the month 2026-11 (UTC) of $3.00, and this call may cost up to $1.00"
    )
    assert reached.next == "raise the limit of team:a per month to $3.5 or more, or wait until 2026-12-01 00:00 UTC"


def test_waiting_is_not_advised_when_it_does_not_help() -> None:
    for never in (lock(PICOS // 2), lock(PICOS, spent=1, period="total", start="")):
        with pytest.raises(BudgetReached) as caught:
            admit([never], PICOS, "p/m")
        assert caught.value.resets == ""
        assert "wait" not in caught.value.next


def test_without_a_price_a_hard_limit_cannot_be_kept_but_a_soft_one_can() -> None:
    assert admit([lock(soft=5)], None, "p/m") == []
    with pytest.raises(PriceUnknown, match="p/m") as caught:
        admit([lock(soft=5), lock(hard=5)], None, "p/m")
    assert '[price."p/m"]' in caught.value.next
