"""What is code, and which lines of it count."""

import pytest

from karkhana.quality.history.code import is_code, is_source, means_something, squeezed


@pytest.mark.parametrize(
    ("path", "code", "source"),
    [
        ("src/cart.py", True, True),
        ("src/cart.GO", True, True),
        ("tests/test_cart.py", True, False),
        ("docs/cart.rst", False, False),
        ("Makefile", False, False),
        ("a.py/notes.txt", False, False),
    ],
)
def test_files(path, code, source):
    assert (is_code(path), is_source(path)) == (code, source)


@pytest.mark.parametrize(
    ("path", "line", "means"),
    [
        ("a.py", "x = 1  # words", True),
        ("a.py", "  # words", False),
        ("a.py", "   ", False),
        ("a.py", "})", False),
        ("a.c", "// words", False),
        ("a.c", " * words", False),
        ("a.c", "#include <a.h>", True),
        ("a.sql", "-- words", False),
        ("a.py", "-x", True),
    ],
)
def test_lines(path, line, means):
    assert means_something(path, line) is means


def test_moved_lines_are_alike():
    assert squeezed("    total(a, b),") == squeezed("\ttotal(a,b)") != squeezed("total(b, a)")
