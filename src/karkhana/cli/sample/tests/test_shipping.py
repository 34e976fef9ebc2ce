import pytest

from teashop.shipping import UnknownZone, shipping


@pytest.mark.parametrize(
    "net, weight, zone, expected",
    [
        (50_000, 0, "city", 0),
        (50_000, 900, "city", 4_000),
        (50_000, 1_000, "city", 4_000),
        (50_000, 1_001, "city", 5_000),
        (50_000, 2_500, "country", 11_000),
        (199_999, 500, "country", 7_000),
        (200_000, 500, "country", 0),
        (900_000, 1_200, "abroad", 60_000),
    ],
)
def test_shipping(net, weight, zone, expected):
    assert shipping(net, weight, zone) == expected


def test_unknown_zone():
    with pytest.raises(UnknownZone, match="moon"):
        shipping(1, 1, "moon")
