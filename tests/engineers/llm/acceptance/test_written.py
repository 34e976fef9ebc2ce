import pytest

from karkhana.engineers.llm.acceptance.written import is_test_file, read_tests, weakened

BEFORE = """
import pytest

class TestCart:
    @pytest.mark.parametrize("n", [1, 2])
    def test_a1_total(self, n):
        cart = Cart(n)
        assert cart.total() == n

def test_empty():
    # A3: nothing costs nothing
    with pytest.raises(ValueError):
        Cart(0)
"""
NAMES = ["test_cart.py::TestCart::test_a1_total", "test_cart.py::test_empty"]


def change(old: str, new: str) -> dict[str, str]:
    assert old in BEFORE
    return weakened(read_tests("test_cart.py", BEFORE), read_tests("test_cart.py", BEFORE.replace(old, new)))


def test_tests_are_read_with_the_criteria_that_they_name() -> None:
    tests = read_tests("test_cart.py", BEFORE)
    assert list(tests) == NAMES
    assert [test.criteria for test in tests.values()] == [(1,), (3,)]
    assert read_tests("test_cart.py", "def test_(") == {}
    assert read_tests("cart.test.ts", "test('A1')") == {}


@pytest.mark.parametrize(
    ("old", "new", "name", "how"),
    [
        ("cart.total() == n", "cart.total()", 0, "no longer has: assert cart.total() == n"),
        ("cart = Cart(n)", "cart = Fake(n)", 0, "no longer has: cart = Cart(n)"),
        ("[1, 2]", "[1]", 0, "no longer has: pytest.mark.parametrize('n', [1, 2])"),
        ("ValueError", "Exception", 1, "no longer has: with pytest.raises(ValueError)"),
        ("        cart = Cart(n)", "        return\n        cart = Cart(n)", 0, "may end early: return"),
        ("def test_empty", "@pytest.mark.xfail\ndef test_empty", 1, "may end early: pytest.mark.xfail"),
        ("test_empty", "check_empty", 1, "is gone"),
    ],
)
def test_what_was_weakened_is_told(old: str, new: str, name: int, how: str) -> None:
    found = change(old, new)
    assert list(found) == [NAMES[name]]
    assert found[NAMES[name]].startswith(how)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Cart(0)", "Cart(0)\n    assert True"),
        ("nothing costs", "it costs"),
        ("cart.total() == n", "(cart.total()) == n"),
    ],
)
def test_more_and_other_words_are_no_weakening(old: str, new: str) -> None:
    assert change(old, new) == {}


@pytest.mark.parametrize(
    ("path", "is_test"),
    [
        ("test/a.c", True), ("src/cart_test.go", True), ("a/conftest.py", True), ("CartTest.java", True),
        ("src/contest.py", False), ("latest.py", False), ("src/testimony.py", False), ("attest/a.py", False),
    ],
)  # fmt: skip
def test_files_of_tests_are_known_by_their_path(path: str, is_test: bool) -> None:
    assert is_test_file(path) is is_test
