r"""Scenes out of statements: the last one is what matters, those before it set it up. Runs nothing.

>>> of_statements(statements("cart = Cart()\nprint(cart.total())"), (), 0).subject
'cart.total()'
"""

import ast
import functools
from collections import Counter

import msgspec

from karkhana.engineers.symbolic.reproduction.ticket import parsed
from karkhana.engineers.symbolic.reproduction.told import Said


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be run."""

    setup: tuple[str, ...] = ()
    subject: str
    """An expression; a statement when ``statement``."""
    statement: bool = False
    printed: bool = False
    """The subject stood in a ``print``."""
    said: tuple[Said, ...] = ()
    origin: int = 0
    """Number of the block."""


@functools.lru_cache(maxsize=256)  # each scene of a ticket asks it of the same pieces
def names_bound(text: str) -> frozenset[str]:
    """Names that a piece of code assigns, defines or imports at its top."""
    tree = parsed(text)
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return frozenset(found)


def names_assigned(text: str) -> set[str]:
    """Names that a piece of code gives a value at its top, functions and imports apart."""
    tree = parsed(text)
    targets = [t for n in (tree.body if tree else ()) if isinstance(n, ast.Assign) for t in n.targets]
    return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def statements(text: str) -> tuple[str, ...]:
    """The source of each statement at the top of a piece of code."""
    tree = parsed(text)
    lines = text.split("\n")
    body = tree.body if tree else []
    beginning = Counter(node.lineno for node in body)
    found = []
    for node in body:
        top = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        if top == (node.end_lineno or top) and beginning[top] > 1:
            found.append(ast.unparse(node))  # several statements on one line
        else:
            found.append("\n".join(lines[top - 1 : node.end_lineno]))
    return tuple(found)


def of_statements(rows: tuple[str, ...], said: tuple[Said, ...], number: int) -> Scene:
    """The scene whose subject is the last statement."""
    setup, last = rows[:-1], rows[-1]
    tree = parsed(last)
    node = tree.body[0] if tree and tree.body else None
    if isinstance(node, ast.Return) and node.value is not None:
        return Scene(setup=setup, subject=ast.unparse(node.value), said=said, origin=number)
    if isinstance(node, ast.Expr):
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("print", "pprint"):
            if len(value.args) == 1 and not value.keywords and not isinstance(value.args[0], ast.Starred):
                inner = ast.unparse(value.args[0])
                return Scene(setup=setup, subject=inner, printed=value.func.id == "print", said=said, origin=number)
            return Scene(setup=setup, subject=last, statement=True, said=said, origin=number)
        source = last.split("#")[0].strip() if "\n" not in last and "'" not in last and '"' not in last else ""
        subject = source if source and parsed(source) is not None else ast.unparse(value)
        return Scene(setup=setup, subject=subject, said=said, origin=number)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        assigned = ast.get_source_segment(last, node.value)
        if assigned and parsed(assigned) is not None:
            return Scene(setup=setup, subject=assigned, said=said, origin=number)
    return Scene(setup=setup, subject=last, statement=True, said=said, origin=number)
