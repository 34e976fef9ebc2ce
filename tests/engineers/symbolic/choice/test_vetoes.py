"""Changes that are refused whatever the tests say."""

import pytest

from karkhana.engineers.symbolic.choice.vetoes import (
    hollow,
    inputs_only,
    no_longer_read,
    special_case,
    undefined_names,
    unreachable,
)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("def f(a):\n    return a + b\n", {"b"}),
        ("def f(a):\n    return [x for x in a if y]\n", {"y"}),
        ("import os.path\nclass A:\n    size = len('')\n    def f(self):\n        return os, A, size\n", {"size"}),
        ("def f():\n    global g\n    g = 1\ndef h():\n    return g\n", set()),
        ("def f():\n    try:\n        pass\n    except E as error:\n        return error\n", {"E"}),
        ("class A(B):\n    def f(self):\n        return __class__, super().f()\n", {"B"}),
        ("from os import *\ndef f():\n    return sep\n", set()),
        ("x: int = 3\nprint(__file__, __name__, x)\n", set()),
        ("def f(:\n", set()),
    ],
)
def test_undefined_names(module: str, names: set[str]) -> None:
    assert undefined_names(module) == names


def added(line: str) -> tuple[str, str]:
    before = "    def f(self, w):\n        return w\n"
    return before, before.replace("        return w\n", f"        {line}\n        return w\n")


@pytest.mark.parametrize(
    ("line", "literals", "elsewhere", "found"),
    [
        ("if w == 'ox': return 1", ["'ox'"], "", "'ox'"),
        ("if w[-1] != 's': return 1", ["'buses'"], "", "'s'"),
        ("if w in (7, 19): return 1", ["19"], "", "19"),
        ("if w: return 'oxen'", ["'oxen'"], "", "'oxen'"),
        ("if w == 'ox': return 1", ["'ox'"], "the ticket says ox", ""),
        ("if w[-1] != 's': return 1", ["'buses'"], "x.endswith('s')", ""),
        ("if w == 'ox': return 1", ["'cow'"], "", ""),
        ("if w == 0: return None", ["0", "None"], "", ""),
        ("if w < 19: return 1", ["19"], "", ""),
        ("if w == 19: return 1", ["19"], "LIMIT = 190", "19"),
        ("if w == 19: return 1", ["19"], "LIMIT = 19", ""),
    ],
)
def test_special_cases(line: str, literals: list[str], elsewhere: str, found: str) -> None:
    assert special_case(*added(line), literals, elsewhere) == found


def test_what_stood_there_before_is_no_special_case() -> None:
    _, after = added("if w == 'ox': return 1")
    assert special_case(after, after.replace("return w\n", "return 2\n"), ["'ox'"], "") == ""
    assert special_case("def f(:", "def f(:", ["1"], "") == ""


TEST = """
    @pytest.mark.parametrize("a", ["set"])
    def test_f(self):
        value = f("in", size=7)
        assert value == "out"
        assert g("both") == "both"
        with pytest.raises(ValueError, match="told"):
            f(None)
        self.assertEqual(f("x1"), "y1")
"""


def test_what_tests_only_pass() -> None:
    assert inputs_only(TEST.lstrip("\n")) == {"'in'", "7", "'x1'"}
    assert inputs_only("def test_f(:") == frozenset()


def test_an_exception_does_not_name_an_input() -> None:
    before, after = added("if w: raise ValueError('in')")
    assert special_case(before, after, (), "", inputs=["'in'"]) == "'in'"
    assert special_case(before, after, (), "the word 'in'", inputs=["'in'"]) == ""
    assert special_case(before, after, ["'in'"], "") == ""
    assert special_case(after, after, (), "", inputs=["'in'"]) == ""


def test_statements_that_nothing_reaches() -> None:
    assert unreachable("def f(a):\n    while a:\n        break\n        a = 1\n    return a\n") == 1
    assert unreachable("    def f(self):\n        if self:\n            return 1\n        return 2\n") == 0
    assert unreachable("def f(:") == 0


@pytest.mark.parametrize(
    ("before", "after", "empty"),
    [
        ("def f(a):\n    return a * 2", "def f(a):\n    return a", True),
        ("def f(a):\n    return a * 2", "def f(a):\n    return 7", True),
        (
            "def f(a):\n    if a:\n        return 0\n    return 1",
            "def f(a):\n    if a:\n        return 1\n    return 1",
            True,
        ),
        (
            "def f(a):\n    def g(b):\n        return b + 1\n    return g(a)",
            "def f(a):\n    def g(b):\n        return b\n    return g(a)",
            True,
        ),
        ("def f(a):\n    return 7", "def f(a):\n    return 8", False),
        ("def f(a):\n    return a * 2", "def f(a):\n    a.sort()\n    return a", False),
        (
            "def f(a):\n    if a:\n        return 0\n    return 1",
            "def f(a):\n    if not a:\n        return 0\n    return 1",
            False,
        ),
        (
            "def f(a):\n    if a:\n        return a\n    return None",
            "def f(a):\n    if a:\n        return a\n    return 0",
            False,
        ),
        ("def f(a):\n    yield a + 1\n    return a + 1", "def f(a):\n    yield a + 1\n    return 1", False),
        ("def f(a):\n    print(a)", "def f(a):\n    print(a + 1)", False),
        ("def f(:", "def f(a):\n    return a", False),
    ],
)
def test_functions_that_compute_nothing_any_more(before: str, after: str, empty: bool) -> None:
    assert hollow(before, after) is empty


def test_what_is_bound_and_no_longer_read() -> None:
    before = "def f(a, b):\n    c = a + b\n    return c"
    assert no_longer_read(before, "def f(a, b):\n    c = a\n    return c") == {"b"}
    assert no_longer_read(before, "def f(a, b):\n    c = a + b\n    return a") == {"c"}
    assert no_longer_read(before, "def f(a):\n    c = a + 1\n    return c") == frozenset()
    assert no_longer_read(before, "def f(:") == frozenset()
