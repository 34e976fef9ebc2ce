import pytest

from teashop import Product, UnknownProduct


def test_find(catalogue):
    assert catalogue.find("AS").name == "Assam Golden Tip"


def test_unknown_product(catalogue):
    with pytest.raises(UnknownProduct, match="no product with code 'XX'"):
        catalogue.find("XX")


def test_search_matches_every_word_in_any_case(catalogue):
    assert [p.code for p in catalogue.search("GREEN")] == ["KG", "NG"]
    assert [p.code for p in catalogue.search("green nil")] == ["NG"]
    assert catalogue.search("oolong") == []


def test_of_kind_is_cheapest_first(catalogue):
    assert [p.code for p in catalogue.of_kind("green")] == ["KG", "NG"]


def test_adding_again_replaces(catalogue):
    catalogue.add(Product("AS", "Assam Second Flush", 30_000, 150))
    assert len(catalogue) == 4
    assert catalogue.find("AS").price == 30_000


@pytest.mark.parametrize("price, weight", [(-1, 100), (100, 0)])
def test_nonsense_is_refused(price, weight):
    with pytest.raises(ValueError):
        Product("ZZ", "Nonsense", price, weight)
