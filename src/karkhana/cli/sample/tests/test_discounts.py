import pytest

from teashop.discounts import combined, loyalty_discount, volume_discount


@pytest.mark.parametrize("tins, percent", [(0, 0), (1, 0), (9, 0), (11, 5), (24, 5), (30, 10), (60, 15)])
def test_volume_discount(tins, percent):
    assert volume_discount(tins) == percent


@pytest.mark.parametrize("tins, percent", [(10, 5), (25, 10), (50, 15)])
def test_volume_discount_starts_with_the_tier(tins, percent):
    assert volume_discount(tins) == percent


def test_negative_tins():
    with pytest.raises(ValueError, match="negative"):
        volume_discount(-1)


@pytest.mark.parametrize("years, percent", [(0, 0), (1, 1), (2, 1), (3, 2), (5, 4), (30, 4)])
def test_loyalty_discount(years, percent):
    assert loyalty_discount(years) == percent


def test_combined_has_a_ceiling():
    assert combined(5, 2) == 7
    assert combined(15, 4, 4) == 20
    assert combined() == 0
