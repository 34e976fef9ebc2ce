"""Errors that show without running anything."""

import ast
from pathlib import Path

import pytest

import karkhana
from karkhana.engineers.symbolic.choice.faults import faults, new_faults

FILE = """\
import re


def g(a, b=1, *, c):
    return a + b + c


class Shop:
    def sell(self, what, /, count=1):
        return what, count

    @staticmethod
    def free(what):
        return what
"""


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("g(1, c=2)", False),
        ("g(1, 2, c=3)", False),
        ("g(1, 2, 3, c=4)", True),
        ("g(1)", True),
        ("g(1, a=2, c=3)", True),
        ("g(1, c=2, d=3)", True),
        ("g(*x)", False),
        ("g(**x)", False),
        ("self.sell('a')", False),
        ("self.sell(what='a')", True),
        ("self.sell('a', count=2)", False),
        ("self.sell()", True),
        ("self.free(1, 2, 3)", False),
        ("re.match('a', x).group()", True),
        ("x.group().b", False),
    ],
)
def test_calls_and_attributes(call: str, wrong: bool) -> None:
    assert bool(faults(f"def f(self, x, y):\n    return {call}\n", FILE)) is wrong


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("return a\na = 1", ["a"]),
        ("a = a + 1\nreturn a", ["a"]),
        ("if x:\n    a = 1\nreturn a", []),
        ("for i in x:\n    if i: print(a)\n    a = i", []),
        ("try:\n    a = 1\nexcept E as e:\n    print(e)\nreturn a", []),
        ("global a\nb = a\na = 1\nreturn b", []),
        ("return [i for i in x], x", []),
        ("def a(): pass\nreturn a", []),
        ("with x as a:\n    return a", []),
        ("a, b = x\nreturn a + b", []),
    ],
)
def test_what_is_read_before_it_is_bound(body: str, names: list[str]) -> None:
    text = "def f(x):\n" + "\n".join("    " + line for line in body.splitlines()) + "\n"
    assert list(faults(text, text)) == [f"`{name}` is read before it is bound" for name in names]


def test_only_new_faults_count() -> None:
    before = "def f(x):\n    return g()\n"
    assert new_faults(before, before.replace("return g()", "y = g()\n    return y"), FILE) == ()
    assert new_faults(before, before.replace("g()", "g(1, 2, 3)") + "    z = g()\n", FILE) == (
        "`g` does not take these arguments",
    )


def test_our_own_code_has_no_faults() -> None:
    found = []
    for path in Path(karkhana.__file__).parent.joinpath("behaviour").rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found += [(path.name, node.name, fault) for fault in faults(ast.unparse(node), text)]
    assert found == []
