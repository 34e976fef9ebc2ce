"""Decorators that are missing: what the signature asks for, and what functions of the same name have elsewhere."""

import ast
import functools
from collections import Counter
from collections.abc import Iterator

import msgspec

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template

_IMPLICIT = ("__new__", "__init_subclass__", "__class_getitem__")
"""Methods that Python itself binds to the class."""
_OF_KIND = ("classmethod", "staticmethod", "property")
_USUAL, _MOST = 2, 4
"""How many functions must have a decorator for others to get it as well, and how many such are tried."""


class _Decorated(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    line: int
    decorators: tuple[str, ...]


@template("missing-decorator")
def missing_decorator(scene: Scene) -> Iterator[Idea]:
    """One more decorator, directly above the function."""
    view = scene.view
    functions = _functions(view.module_text)
    own = next((f for f in functions if f.line == view.first_line), None)
    present = set(own.decorators) if own is not None else set()
    name = own.name if own is not None else ""
    indentation = view.text[: len(view.text) - len(view.text.lstrip())]
    # The line of ``def`` is run by no test.
    line = max(view.hot) if view.hot else view.first_line
    for decorator, weight in _likely(scene, name, functions).items():
        kinds = decorator in _OF_KIND and present & {*_OF_KIND}
        if decorator not in present and not kinds:
            yield Idea(line, (Edit(0, 0, f"{indentation}@{decorator}\n"),), weight)


def _likely(scene: Scene, name: str, functions: tuple[_Decorated, ...]) -> dict[str, float]:
    view = scene.view
    found: dict[str, float] = {}
    first = next(iter(view.parameters), "")
    if view.classes and name not in _IMPLICIT:
        if first == "cls":
            found["classmethod"] = 4.0
        elif first != "self":
            found["staticmethod"] = 2.0
        elif len(view.parameters) == 1 and any("method" in f.message for f in scene.failures):
            found["property"] = 2.0
    for other in functions:
        if other.name == name and other.line != view.first_line:
            for decorator in other.decorators:
                found.setdefault(decorator, 3.0)
    usual = Counter(decorator for other in functions for decorator in other.decorators)
    for decorator, count in usual.most_common(_MOST):
        if count >= _USUAL and decorator not in _OF_KIND and not decorator.endswith(".setter"):
            found.setdefault(decorator, 0.3)
    return found


@functools.lru_cache(maxsize=8)
def _functions(text: str) -> tuple[_Decorated, ...]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(
        _Decorated(name=node.name, line=node.lineno, decorators=tuple(ast.unparse(d) for d in node.decorator_list))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
