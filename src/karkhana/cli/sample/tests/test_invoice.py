import pytest

from teashop import Cart, make_invoice
from teashop.invoice import as_text


@pytest.fixture
def filled(cart):
    cart.put("DJ", 2)
    cart.put("NG", 1)
    return cart


def test_totals(filled):
    invoice = make_invoice("2024-001", filled)
    assert invoice.gross == 118_000
    assert invoice.shipping == 7_000
    assert invoice.tax == 6_250
    assert invoice.total == 131_250


def test_no_tax_abroad(filled):
    invoice = make_invoice("2024-002", filled, zone="abroad")
    assert invoice.tax == 0
    assert invoice.total == 163_000


def test_empty_cart(catalogue):
    with pytest.raises(ValueError, match="empty"):
        make_invoice("2024-003", Cart(catalogue))


def test_instalments_add_up(filled):
    invoice = make_invoice("2024-004", filled)
    assert sum(invoice.instalments(7)) == invoice.total


def test_text(filled):
    assert as_text(make_invoice("2024-005", filled)).splitlines() == [
        "Invoice 2024-005",
        "-" * 44,
        "2 x Darjeeling First Flush           ₹900.00",
        "1 x Nilgiri Green                    ₹280.00",
        "-" * 44,
        "Shipping                              ₹70.00",
        "Tax                                   ₹62.50",
        "Total                              ₹1,312.50",
    ]
