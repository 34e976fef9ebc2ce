"""What the shop sells."""

from dataclasses import dataclass


class UnknownProduct(KeyError):
    """No product has this code."""

    def __str__(self):
        return f"no product with code {self.args[0]!r}"


@dataclass(frozen=True)
class Product:
    """One tea: its code, name, price of a tin in paise, and weight of a tin in grams."""

    code: str
    name: str
    price: int
    weight: int
    kind: str = "black"

    def __post_init__(self):
        if self.price < 0:
            raise ValueError("price must not be negative")
        if self.weight <= 0:
            raise ValueError("weight must be positive")


class Catalogue:
    """Products by code."""

    def __init__(self, products=()):
        self._products = {}
        for product in products:
            self.add(product)

    def __len__(self):
        return len(self._products)

    def __contains__(self, code):
        return code in self._products

    def add(self, product):
        """Add or replace a product."""
        self._products[product.code] = product

    def find(self, code):
        """The product with this code."""
        try:
            return self._products[code]
        except KeyError:
            raise UnknownProduct(code) from None

    def search(self, words):
        """Products whose name holds every word, whatever its case, by name."""
        wanted = words.lower().split()
        found = [p for p in self._products.values() if all(w in p.name.lower() for w in wanted)]
        return sorted(found, key=lambda product: product.name)

    def of_kind(self, kind):
        """Products of a kind, cheapest first."""
        found = [product for product in self._products.values() if product.kind == kind]
        return sorted(found, key=lambda product: (product.price, product.name))
