"""What each statement of a file reads and writes, by name, and which conditions decide whether it runs.

The static half of the slice in ``slicing``. Names only: an attribute is one variable whatever the object
(``.total``), an element is its container, and a method call may change its receiver. Knows syntax; runs nothing.

>>> table = statements("def f(a):\\n    b = a.x + 1\\n    return b\\n")
>>> sorted(table[2].reads), sorted(table[2].writes), table[3].returns
(['.x', 'a'], ['b'], True)
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

_HEADERS = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try, ast.ExceptHandler)
_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)


class Statement:
    """One statement, or the head of a compound one."""

    __slots__ = ("conditions", "guards", "line", "reads", "returns", "weak", "writes")

    def __init__(self, line: int, conditions: tuple[int, ...], guards: tuple[int, ...]) -> None:
        self.line = line
        self.conditions = conditions
        """First lines of the heads around it."""
        self.guards = guards
        """First lines of earlier ``if`` statements that could have left before it."""
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.weak: set[str] = set()
        """What it may change a part of."""
        self.returns = False


def statements(source: str | bytes) -> dict[int, Statement]:
    """Line → statement, for every line that a statement (or the head of one) covers; empty when it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    found: dict[int, Statement] = {}
    _block(tree.body, (), (), found)
    return found


def _block(body: Iterable[Any], conditions: tuple[int, ...], guards: tuple[int, ...], found: Any) -> None:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            _block(node.body, (), (), found)
            continue
        statement = Statement(node.lineno, conditions, guards)
        inner = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        compound = any(isinstance(part, list) and part for part in inner)
        heads = list(_heads(node)) if compound else [node]
        for head in heads:
            _names(head, statement)
        statement.returns = isinstance(node, (ast.Return, ast.Raise)) or any(map(_yields, heads))
        last = max([node.lineno, *(h.end_lineno or node.lineno for h in heads)])
        for line in range(node.lineno, last + 1):
            found.setdefault(line, statement)
        around = (*conditions, node.lineno) if isinstance(node, _HEADERS) else conditions
        for part in inner:
            if isinstance(part, list):
                _block(part, around, guards, found)
        for handler in getattr(node, "handlers", []):
            _block([handler], around, guards, found)
        for case in getattr(node, "cases", []):
            _block(case.body, (*conditions, node.lineno), guards, found)
        if isinstance(node, (ast.If, ast.Try, ast.For, ast.While)) and _may_leave(node):
            guards = (*guards, node.lineno)


def _heads(node: Any) -> Iterable[Any]:
    """The expressions of a compound statement that run at its own line."""
    for name in ("test", "iter", "target", "subject", "type"):
        if getattr(node, name, None) is not None:
            yield getattr(node, name)
    for item in getattr(node, "items", []):
        yield item.context_expr
        if item.optional_vars is not None:
            yield item.optional_vars


def _yields(node: Any) -> bool:
    return any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in ast.walk(node))


def _may_leave(node: Any) -> bool:
    return any(isinstance(inner, _LEAVES) for inner in ast.walk(node))


def _names(node: Any, statement: Statement) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            (statement.reads if isinstance(inner.ctx, ast.Load) else statement.writes).add(inner.id)
        elif isinstance(inner, ast.Attribute):
            name = "." + inner.attr
            (statement.reads if isinstance(inner.ctx, ast.Load) else statement.weak).add(name)
        elif isinstance(inner, ast.Subscript) and not isinstance(inner.ctx, ast.Load):
            statement.weak.update(_base(inner.value))
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            statement.weak.update(_base(inner.func.value))
    if isinstance(node, ast.AugAssign):
        statement.reads |= statement.writes
        if isinstance(node.target, ast.Attribute):
            statement.reads.add("." + node.target.attr)


def _base(node: Any) -> set[str]:
    """The variable that an element or attribute belongs to."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return {node.id}
    return {"." + node.attr} if isinstance(node, ast.Attribute) else set()
