"""Invoices: the cart with shipping and tax, in figures and as text."""

from dataclasses import dataclass

from teashop.money import formatted, percent_of, split_evenly
from teashop.shipping import shipping

TAX = 5
"""Percent on goods and shipping inside the country."""


@dataclass(frozen=True)
class Invoice:
    """All amounts in paise."""

    number: str
    rows: tuple
    gross: int
    discount: int
    shipping: int
    tax: int

    @property
    def total(self):
        return self.gross - self.discount + self.shipping + self.tax

    def instalments(self, months):
        """Monthly payments that add up to the total."""
        return split_evenly(self.total, months)


def make_invoice(number, cart, zone="country"):
    """The invoice for a cart sent to a zone."""
    if not len(cart):
        raise ValueError("the cart is empty")
    rows = tuple((line.product.name, line.tins, line.gross) for line in cart.lines)
    freight = shipping(cart.net, cart.weight, zone)
    tax = 0 if zone == "abroad" else percent_of(cart.net + freight, TAX)
    return Invoice(number, rows, cart.gross, cart.discount, freight, tax)


def as_text(invoice, width=44):
    """The invoice as plain text."""
    def row(left, amount):
        right = formatted(amount)
        return left + right.rjust(width - len(left))

    lines = [f"Invoice {invoice.number}", "-" * width]
    lines += [row(f"{tins} x {name}", gross) for name, tins, gross in invoice.rows]
    lines.append("-" * width)
    if invoice.discount:
        lines.append(row("Discount", -invoice.discount))
    lines.append(row("Shipping", invoice.shipping))
    if invoice.tax:
        lines.append(row("Tax", invoice.tax))
    lines.append(row("Total", invoice.total))
    return "\n".join(lines)
