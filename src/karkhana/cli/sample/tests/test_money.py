import pytest

from teashop.money import formatted, percent_of, split_evenly


@pytest.mark.parametrize("amount, percent, expected", [(1000, 5, 50), (10, 5, 1), (9, 5, 0), (0, 20, 0), (999, 10, 100)])
def test_percent_of_rounds_half_up(amount, percent, expected):
    assert percent_of(amount, percent) == expected


@pytest.mark.parametrize("amount, parts", [(100, 3), (7, 7), (0, 4), (99_999, 12)])
def test_split_evenly_adds_up(amount, parts):
    shares = split_evenly(amount, parts)
    assert sum(shares) == amount
    assert len(shares) == parts
    assert max(shares) - min(shares) <= 1


def test_split_needs_a_part():
    with pytest.raises(ValueError, match="at least 1"):
        split_evenly(100, 0)


@pytest.mark.parametrize("amount, text", [(0, "₹0.00"), (5, "₹0.05"), (123456, "₹1,234.56"), (-250, "-₹2.50")])
def test_formatted(amount, text):
    assert formatted(amount) == text
