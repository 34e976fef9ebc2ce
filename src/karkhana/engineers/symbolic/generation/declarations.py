"""Constants of modules and classes that suspicious functions use: code that runs at import, outside any function.

Knows the text of a file; knows nothing of templates. A change here needs a fresh interpreter.

>>> [d.text for d in declarations("LIMIT = 3\\nOTHER = 4\\n", {"LIMIT": 1.0})]
['LIMIT = 3\\n']
"""

import ast
import re
from collections.abc import Iterator, Mapping

import msgspec

from karkhana.engineers.symbolic.generation.told import Told
from karkhana.engineers.symbolic.localisation.signals import words_of

_MAXIMUM_LINES = 3000
_STEPS = 3
"""From a constant that a function reads to those that it is made of."""
_STEP = 0.7
"""What is left of the suspicion after each."""
_SPOKEN = 1.5
"""How much likelier a constant is when the ticket or the tests have words in common with its name."""
_ALIKE = 3
"""Classes with a constant of one name from which on only those that are spoken of count fully."""
_UNSPOKEN = 0.1


class Declaration(msgspec.Struct, frozen=True):
    """One assignment at the level of a module or a class, as whole lines."""

    line: int
    offset: int
    """Characters before it in the file."""
    text: str
    strength: float = 1.0
    """How near it is to what failed."""


class _Found(msgspec.Struct, frozen=True):
    statement: ast.Assign | ast.AnnAssign
    classes: tuple[str, ...]
    targets: frozenset[str]
    reads: frozenset[str]


def declarations(file_text: str, used: Mapping[str, float], told: Told | None = None) -> tuple[Declaration, ...]:
    """Assignments to the names in ``used`` (name → strength), and to those that these are made of.

    None when the file cannot be parsed here.
    """
    try:
        tree = ast.parse(file_text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines = file_text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    everything = list(_assignments(tree))
    strengths = _spread(everything, used)
    shared: dict[str, int] = {}
    for found in everything:
        for name in found.targets if found.classes else ():
            shared[name] = shared.get(name, 0) + 1
    made: list[Declaration] = []
    for found in everything:
        strength = max((strengths.get(name, 0.0) for name in found.targets), default=0.0)
        statement = found.statement
        last = statement.end_lineno or statement.lineno
        if strength <= 0 or last - statement.lineno >= _MAXIMUM_LINES:
            continue
        strength *= _spoken(found, told, max((shared.get(name, 0) for name in found.targets), default=0))
        text = "".join(lines[statement.lineno - 1 : last])
        made.append(Declaration(statement.lineno, starts[statement.lineno - 1], text, round(strength, 4)))
    return tuple(made)


def _spread(everything: list[_Found], used: Mapping[str, float]) -> dict[str, float]:
    """Name → strength, also of what the constants in ``used`` are made of."""
    strengths = dict(used)
    edge = dict(used)
    for _ in range(_STEPS):
        following: dict[str, float] = {}
        for found in everything:
            strength = _STEP * max((edge.get(name, 0.0) for name in found.targets), default=0.0)
            for name in found.reads if strength > 0 else ():
                if strength > strengths.get(name, 0.0):
                    strengths[name] = following[name] = strength
        edge = following
    return strengths


def _spoken(found: _Found, told: Told | None, shared: int) -> float:
    if told is None:
        return 1.0
    if shared > _ALIKE and found.classes and not told.mentions(found.classes[-1]):
        return _UNSPOKEN
    own = frozenset().union(*(words_of(name) for name in (*found.targets, *found.classes)))
    return _SPOKEN if own & told.words else 1.0


def names_in(text: str) -> frozenset[str]:
    """Every identifier in a text."""
    return frozenset(re.findall(r"[^\W\d]\w*", text))


def _assignments(node: ast.Module | ast.ClassDef, classes: tuple[str, ...] = ()) -> Iterator[_Found]:
    for child in node.body:
        if isinstance(child, ast.Assign) or (isinstance(child, ast.AnnAssign) and child.value is not None):
            reads = frozenset(n.id for n in ast.walk(child) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
            yield _Found(child, classes, _targets(child), reads)
        elif isinstance(child, ast.ClassDef):
            yield from _assignments(child, (*classes, child.name))


def _targets(statement: ast.Assign | ast.AnnAssign) -> frozenset[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return frozenset(node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
