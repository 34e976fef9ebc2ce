import pytest

from teashop import Cart, UnknownProduct


def test_put_adds_up(cart):
    cart.put("DJ")
    cart.put("DJ", 2)
    assert [(line.product.code, line.tins) for line in cart.lines] == [("DJ", 3)]


def test_put_refuses_nonsense(cart):
    with pytest.raises(ValueError):
        cart.put("DJ", 0)
    with pytest.raises(UnknownProduct):
        cart.put("XX")


def test_take_out(cart):
    cart.put("DJ", 3)
    cart.take_out("DJ", 1)
    assert cart.lines[0].tins == 2
    cart.take_out("DJ")
    assert len(cart) == 0
    with pytest.raises(ValueError, match="only 0 tins"):
        cart.take_out("DJ", 1)


def test_small_orders_pay_the_full_price(cart):
    cart.put("AS", 9)
    assert cart.discount == 0
    assert cart.net == 288_000


def test_ten_tins_are_five_percent_off(cart):
    cart.put("DJ", 10)
    assert cart.gross == 450_000
    assert cart.discount == 22_500


def test_volume_counts_per_tea(cart):
    cart.put("DJ", 6)
    cart.put("AS", 6)
    assert cart.discount == 0


def test_loyal_customers(catalogue):
    cart = Cart(catalogue, loyal_years=5)
    cart.put("KG", 2)
    assert cart.discount == 1_760


def test_weight(cart):
    cart.put("DJ", 2)
    cart.put("AS", 1)
    assert cart.weight == 390
