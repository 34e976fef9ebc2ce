import pytest

from teashop import Cart, Catalogue, Product


@pytest.fixture
def catalogue():
    return Catalogue(
        [
            Product("DJ", "Darjeeling First Flush", 45_000, 120),
            Product("AS", "Assam Golden Tip", 32_000, 150),
            Product("NG", "Nilgiri Green", 28_000, 100, kind="green"),
            Product("KG", "Kangra Green", 22_000, 100, kind="green"),
        ]
    )


@pytest.fixture
def cart(catalogue):
    return Cart(catalogue)
