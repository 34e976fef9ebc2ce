"""Constants of modules and classes that suspicious functions use: code that runs at import, outside any function.

Knows the text of a file; knows nothing of templates. A change here needs a fresh interpreter.

>>> [d.text for d in declarations("LIMIT = 3\\nOTHER = 4\\n", frozenset({"LIMIT"}))]
['LIMIT = 3\\n']
"""

import ast
import re
from collections.abc import Iterator

import msgspec

_MAXIMUM_LINES = 40


class Declaration(msgspec.Struct, frozen=True):
    """One assignment at the level of a module or a class, as whole lines."""

    line: int
    offset: int
    """Characters before it in the file."""
    text: str


def declarations(file_text: str, used: frozenset[str]) -> tuple[Declaration, ...]:
    """Assignments to the names in ``used``; none when the file cannot be parsed here."""
    try:
        tree = ast.parse(file_text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines = file_text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found: list[Declaration] = []
    for statement in _assignments(tree):
        last = statement.end_lineno or statement.lineno
        if last - statement.lineno < _MAXIMUM_LINES and used & _targets(statement):
            text = "".join(lines[statement.lineno - 1 : last])
            found.append(Declaration(statement.lineno, starts[statement.lineno - 1], text))
    return tuple(found)


def names_in(text: str) -> frozenset[str]:
    """Every identifier in a text."""
    return frozenset(re.findall(r"[^\W\d]\w*", text))


def _assignments(node: ast.Module | ast.ClassDef) -> Iterator[ast.Assign | ast.AnnAssign]:
    for child in node.body:
        if isinstance(child, ast.Assign) or (isinstance(child, ast.AnnAssign) and child.value is not None):
            yield child
        elif isinstance(child, ast.ClassDef):
            yield from _assignments(child)


def _targets(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
