"""Money is exact down to a trillionth, and text on its way out."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.money import LARGEST, ZERO, Money, money, picos, shown, usd, written

AMOUNTS = st.integers(-(10**18), 10**18)


@given(AMOUNTS)
def test_trillionths_text_and_json_all_say_the_same(amount: int) -> None:
    made = money(amount)
    assert picos(made) == amount
    assert usd(written(made)) == made
    assert "E" not in written(made)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Decimal) == made
    assert msgspec.json.encode(made).startswith(b'"')


@given(st.lists(AMOUNTS, max_size=30))
def test_sums_lose_nothing(amounts: list[int]) -> None:
    assert picos(Money(sum(map(money, amounts), ZERO))) == sum(amounts)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-Infinity", "0.0000000000001", "9000001", "1e40", "1e-13"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount of dollars"):
        usd(text)


def test_the_largest_amount_fits_into_a_database() -> None:
    assert picos(Money(LARGEST)) < 2**63


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "$0.00"), ("12.5", "$12.50"), ("0.01", "$0.01"), ("0.000123456", "$0.00012"), ("-3", "$-3.00")],
)
def test_people_see_cents_or_two_digits(amount: str, text: str) -> None:
    assert shown(usd(amount)) == text
