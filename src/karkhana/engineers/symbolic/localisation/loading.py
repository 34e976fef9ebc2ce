"""Functions that only run while a module is loaded, such as one that fills a table: no test traces them.

A failing test that reads what such a function made never runs its lines. They are found by the text: what the
statements of a suspicious module call outside of all functions, and what that calls in turn. Knows names; does not
know what a name stands for when it is assigned anew.

>>> text = "T = []\\ndef add(x):\\n    T.append(x + 1)\\nadd(3)\\ndef get():\\n    return T\\n"
>>> sorted(called_while_loading(text))
['add']
"""

import ast
from collections.abc import Callable, Iterator, Sequence

from karkhana.behaviour.spectra import FunctionPlace, Spectrum
from karkhana.engineers.symbolic.localisation.localise import Suspect

_SHARE = 0.4
"""Suspicion of such a function, as a share of that of the most suspicious function of its file."""
_MOST = 4
"""Functions: each candidate for one needs the suite collected again."""
_FILES = 4


def called_while_loading(text: str) -> frozenset[str]:
    """Names of the file's functions and classes that its own statements call, decorators and classes' bodies too."""
    tree = _parsed(text)
    known = {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found: set[str] = set()
    waiting = [name for statement in tree.body for name in _calls(statement, inside=False)]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found.add(name)
            node = known[name]
            body = node.body if not isinstance(node, ast.ClassDef) else [n for n in node.body if _is_init(n)]
            waiting += [inner for statement in body for inner in _calls(statement, inside=True)]
    return frozenset(found)


def loaded(spectrum: Spectrum, suspects: Sequence[Suspect], read: Callable[[str], str | None]) -> tuple[Suspect, ...]:
    """Suspects for the files of ``suspects``: functions that no test runs, and that run while a file is loaded.

    ``read`` gives the text of a file.
    """
    found: list[Suspect] = []
    for path in list(dict.fromkeys(s.path for s in suspects))[:_FILES]:
        names = called_while_loading(read(path) or "")
        own = [s for s in suspects if s.path == path]
        for place in spectrum.functions.get(path, ()):
            called = place.name in names or (
                place.name == "__init__" and place.classes[-1:] and place.classes[-1] in names
            )
            if called and not spectrum.covering(path, place.start, place.end):
                found.append(_suspect(path, place, own))
    return tuple(sorted(found, key=lambda s: -s.score)[:_MOST])


def _suspect(path: str, place: FunctionPlace, own: Sequence[Suspect]) -> Suspect:
    score = _SHARE * max(s.score for s in own)
    return Suspect(
        path=path,
        place=place,
        score=score,
        lines=dict.fromkeys(range(place.start, place.end + 1), score),
        failing=tuple(sorted({n for s in own for n in s.failing})),
        passing=tuple(sorted({n for s in own for n in s.passing})),
    )


def _calls(node: ast.AST, *, inside: bool) -> Iterator[str]:
    """Names that a statement calls when it runs; a definition runs its decorators and defaults only."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not inside:
        parts: list[ast.AST] = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        if not isinstance(node, ast.Lambda):
            parts += node.decorator_list
            yield from (_name(decorator) for decorator in node.decorator_list)
    else:
        if isinstance(node, ast.Call):
            yield _name(node.func)
        if isinstance(node, ast.ClassDef):
            yield from (_name(decorator) for decorator in node.decorator_list)
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from _calls(part, inside=inside)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_init(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])
