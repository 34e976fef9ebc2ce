"""Versions of new code that are wrong on purpose: tests of it must fail with at least one of them.

Each changed hunk taken back, and for Python single statements of the new code made wrong. Pure; runs nothing.

>>> patch = "--- a/m.py\\n+++ b/m.py\\n@@ -1,2 +1,2 @@\\n def f(x):\\n-    return x\\n+    return x + 1\\n"
>>> [each.what for each in variants("m.py", "def f(x):\\n    return x + 1\\n", hunks(patch)["m.py"])]
['m.py:1: the change taken back', 'm.py:2: return None']
"""

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

_FILE = re.compile(r"^\+\+\+ (?:b/)?(.+?)\t?$")
_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Hunk(msgspec.Struct, frozen=True):
    """One place of a patch."""

    start: int
    """1-based first line in the new file."""
    old: tuple[str, ...]
    new: tuple[str, ...]
    added: tuple[int, ...]
    """1-based numbers of the added lines."""


class Variant(msgspec.Struct, frozen=True):
    """A file made wrong."""

    path: str
    content: str
    what: str


def hunks(patch: str) -> dict[str, list[Hunk]]:
    """Path → the hunks of a unified diff."""
    found: dict[str, list[Hunk]] = {}
    path, header = "", True
    start, old, new, added = 0, [], [], []  # type: int, list[str], list[str], list[int]

    def close() -> None:
        if start and path:
            found.setdefault(path, []).append(Hunk(start, tuple(old), tuple(new), tuple(added)))

    for line in patch.split("\n"):
        if line.startswith("diff ") or (line.startswith("--- ") and header):
            close()
            start, old, new, added, header = 0, [], [], [], True
        elif header and (named := _FILE.match(line)):
            path = "" if named[1] == "/dev/null" else named[1]
        elif opened := _HUNK.match(line):
            close()
            start, old, new, added, header = int(opened[1]), [], [], [], False
        elif not header and line[:1] in ("+", " "):
            if line[0] == "+":
                added.append(start + len(new))
            else:
                old.append(line[1:])
            new.append(line[1:])
        elif not header and line.startswith("-"):
            old.append(line[1:])
    close()
    return found


def variants(path: str, content: str, changed: Sequence[Hunk]) -> Iterator[Variant]:
    """Each hunk taken back, then Python's statements made wrong."""
    lines = content.split("\n")
    for hunk in changed:
        at = hunk.start - 1
        if tuple(lines[at : at + len(hunk.new)]) == hunk.new:
            back = "\n".join([*lines[:at], *hunk.old, *lines[at + len(hunk.new) :]])
            yield Variant(path, back, f"{path}:{hunk.start}: the change taken back")
    if path.endswith(".py"):
        added = {number for hunk in changed for number in hunk.added}
        yield from _statements(path, content, added)


def _statements(path: str, content: str, added: set[int]) -> Iterator[Variant]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(each): each for function in functions for each in ast.walk(function) if each is not function}
    for node in sorted(inside.values(), key=lambda node: getattr(node, "lineno", 0)):
        if getattr(node, "lineno", 0) in added and (wrong := _wrong(node)) is not None:
            place, text = wrong
            yield Variant(path, _replaced(content, place, text), f"{path}:{place.lineno}: {text[:80]}")


def _wrong(node: ast.AST) -> tuple[ast.stmt | ast.expr, str] | None:
    match node:
        case ast.Return(value=ast.Constant(value=None)) | ast.Return(value=None):
            return None
        case ast.Return():
            return node, "return None"
        case ast.If():
            return node.test, f"not ({ast.unparse(node.test)})"
        case ast.Assign() | ast.AugAssign() | ast.Raise() | ast.Expr(value=ast.Call()):
            return node, "pass"
    return None


def _replaced(content: str, node: ast.stmt | ast.expr, text: str) -> str:
    lines = content.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    first, last = node.lineno - 1, node.end_lineno - 1
    head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], head, text.encode(), tail, *lines[last + 1 :]]).decode()
