"""Prices and invoices of a small tea merchant."""

from teashop.cart import Cart, Line
from teashop.catalogue import Catalogue, Product, UnknownProduct
from teashop.invoice import Invoice, make_invoice

__all__ = ["Cart", "Catalogue", "Invoice", "Line", "Product", "UnknownProduct", "make_invoice"]
