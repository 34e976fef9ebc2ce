"""A customer's cart."""

from dataclasses import dataclass

from teashop.catalogue import Product
from teashop.discounts import combined, loyalty_discount, volume_discount
from teashop.money import percent_of


@dataclass(frozen=True)
class Line:
    """So many tins of one tea."""

    product: Product
    tins: int

    @property
    def gross(self):
        """Paise before any discount."""
        return self.product.price * self.tins

    @property
    def weight(self):
        """Grams."""
        return self.product.weight * self.tins

    def discount(self, loyal_years=0):
        """Paise off this line."""
        percent = combined(volume_discount(self.tins), loyalty_discount(loyal_years))
        return percent_of(self.gross, percent)


class Cart:
    """Lines in the order in which teas were first put in."""

    def __init__(self, catalogue, loyal_years=0):
        self._catalogue = catalogue
        self._tins = {}
        self.loyal_years = loyal_years

    def __len__(self):
        return len(self._tins)

    def put(self, code, tins=1):
        """Put tins of a tea into the cart, on top of what is there."""
        if tins < 1:
            raise ValueError("tins must be at least 1")
        product = self._catalogue.find(code)
        self._tins[product.code] = self._tins.get(product.code, 0) + tins

    def take_out(self, code, tins=None):
        """Take tins out again; all of them when no number is given."""
        there = self._tins.get(code, 0)
        left = 0 if tins is None else there - tins
        if left < 0:
            raise ValueError(f"only {there} tins of {code} are in the cart")
        if left == 0:
            self._tins.pop(code, None)
        else:
            self._tins[code] = left

    @property
    def lines(self):
        """All lines."""
        return [Line(self._catalogue.find(code), tins) for code, tins in self._tins.items()]

    @property
    def gross(self):
        """Paise before discounts."""
        return sum(line.gross for line in self.lines)

    @property
    def discount(self):
        """Paise off."""
        return sum(line.discount(self.loyal_years) for line in self.lines)

    @property
    def net(self):
        """Paise after discounts, before shipping and tax."""
        return self.gross - self.discount

    @property
    def weight(self):
        """Grams."""
        return sum(line.weight for line in self.lines)
