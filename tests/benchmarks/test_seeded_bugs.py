"""Where bugs are put, and when a repair counts as right."""

import ast

import pytest
from benchmarks.seeded_bugs import seeds
from benchmarks.seeded_direct import same_code

MODULE = '''"""Shop."""
import functools

LIMIT = 3
STRICT = True


class Cart:
    step = 10

    @property
    def total(self):
        """Sum."""
        return self.price + self.tax


@functools.cache
def rate(kind, base=19, *, strict=False):
    if kind < LIMIT and not strict:
        return base
    return base // 2
'''


def changes(kind: str) -> set[tuple[str, str]]:
    return {(MODULE[s.start : s.end], s.text) for s in seeds(MODULE) if s.kind == kind}


def test_every_bug_is_a_program_and_differs_from_the_original() -> None:
    found = seeds(MODULE)
    assert len(found) == len(set(found))
    for seed in found:
        broken = MODULE[: seed.start] + seed.text + MODULE[seed.end :]
        assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(MODULE)), seed
        assert MODULE.count("\n", 0, seed.start) + 1 == seed.line


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", {("3", "2"), ("3", "4"), ("10", "9"), ("10", "11"), ("True", "False")}),
        ("default", {("19", "18"), ("19", "20"), ("False", "True")}),
        ("decorator", {("    @property\n", ""), ("@functools.cache\n", "")}),
        ("comparison", {("<", "<="), ("<", ">")}),
        ("arithmetic", {("+", "-"), ("+", "*"), ("//", "%"), ("//", "/")}),
        ("boolean", {("and", "or")}),
        ("guard left out", {("if kind < LIMIT and not strict:\n        return base", "pass")}),
        ("return left out", {("return self.price + self.tax", "self.price + self.tax"), ("return base", "base")}),
    ],
)
def test_bugs_by_kind(kind: str, expected: set[tuple[str, str]]) -> None:
    assert changes(kind) >= expected
    if kind in ("constant", "default", "decorator", "guard left out"):
        assert changes(kind) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a = (1)", "a = 1", True),
        ("a = not b in c", "a = b not in c", True),
        ("a = not b is c", "a = b is not c", True),
        ("a = not b == c", "a = b != c", False),
        ("a = 60 * 60", "a = 3600", True),
        ("a = 1 + 1", "a = 3", False),
        ("a = b < c", "a = b <= c", False),
    ],
)
def test_the_same_code_in_other_words(one: str, other: str, same: bool) -> None:
    assert same_code(one, other) is same
