"""Tests as they are written: where they stand, which criteria they name, and whether they were weakened since.

Pure; reads Python's syntax and runs nothing.

>>> one = read_tests("test_a.py", "def test_a():\\n    'A2'\\n    assert f(1) == 2\\n")
>>> one["test_a.py::test_a"].criteria
(2,)
>>> two = read_tests("test_a.py", "def test_a():\\n    'A2'\\n    assert f(1)\\n")
>>> weakened(one, two)
{'test_a.py::test_a': 'no longer has: assert f(1) == 2'}
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

_TEST_FILE = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testing)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*[._-](?:test|spec)|conftest|[^/]*Tests?)\.[A-Za-z]+$"
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])[Aa](\d{1,2})(?![A-Za-z0-9])")
_WAY_OUT = re.compile(r"\b(?:return|skip\w*|xfail|exit|importorskip)\b")
"""In what was added to a test: ways to end it early."""


class WrittenTest(msgspec.Struct, frozen=True):
    """One test function."""

    name: str
    """``PATH::CLASS::FUNCTION``."""
    criteria: tuple[int, ...]
    """Numbers of the criteria that it names."""
    statements: tuple[str, ...]
    """Decorators and statements, in a normal form."""


def is_test_file(path: str) -> bool:
    """Whether only tests use a file, by its path.

    >>> [is_test_file(path) for path in ("tests/data/a.json", "test_cart.py", "cart.test.ts", "src/cart.py")]
    [True, True, True, False]
    """
    return bool(_TEST_FILE.search(path))


def read_tests(path: str, source: str) -> dict[str, WrittenTest]:
    """The tests of a Python file, by name; none of what cannot be read."""
    if not path.endswith(".py"):
        return {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    return {test.name: test for test in _tests(tree.body, path, source)}


def numbers(text: str) -> tuple[int, ...]:
    """Criteria that a text names.

    >>> numbers("test_a1_and_A12"), numbers("A4 paper, java8"), numbers("alpha")
    ((1, 12), (4,), ())
    """
    return tuple(sorted({int(found) for found in _NUMBER.findall(text.replace("_", " "))}))


def weakened(before: Mapping[str, WrittenTest], now: Mapping[str, WrittenTest]) -> dict[str, str]:
    """Name → what became weaker. More statements are no weakening, unless they end a test early."""
    found = {}
    for name, test in before.items():
        if name not in now:
            found[name] = "is gone"
            continue
        old, new = Counter(test.statements), Counter(now[name].statements)
        if lost := list((old - new).elements()):
            found[name] = f"no longer has: {lost[0][:160]}"
        elif ended := [each for each in (new - old).elements() if _WAY_OUT.search(each)]:
            found[name] = f"may end early: {ended[0][:160]}"
    return found


def _tests(body: list[ast.stmt], prefix: str, source: str) -> Iterator[WrittenTest]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}::{node.name}", source)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            said = f"{node.name} {ast.get_docstring(node) or ''} {_comments(node, source)}"
            parts = [*node.decorator_list, *(each for each in node.body if not _is_text(each))]
            yield WrittenTest(f"{prefix}::{node.name}", numbers(said), tuple(map(ast.unparse, parts)))


def _comments(node: ast.FunctionDef | ast.AsyncFunctionDef, source: str) -> str:
    lines = source.splitlines()[max(0, node.lineno - 2) : node.end_lineno]
    return " ".join(line.partition("#")[2] for line in lines)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
