"""Errors that a type checker would find, as far as one file shows them: cheap and certain ones only.

Calls that a function or method of the same file cannot take, variables that are read before anything binds them, and
attributes of a match, which may be ``None``. A change that brings such an error in is less
likely right, even where no test runs it. Works on syntax trees; text that cannot be parsed has no faults.

>>> faults("def f(a):\\n    return g(a, 1)\\n", "def g(x):\\n    return x\\n")
('`g` does not take these arguments',)
"""

import ast
import functools
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from karkhana.engineers.symbolic.choice.vetoes import TOO_DEEP, parsed

_NONE_ABLE = frozenset({"match", "search", "fullmatch"})
_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a function can be called with."""

    positional: tuple[str, ...]
    required: frozenset[str]
    named: frozenset[str]
    more: bool
    """It takes any number of positional arguments."""
    any_name: bool

    def takes(self, call: ast.Call) -> bool:
        """Whether a call fits; one with starred arguments may always."""
        names = [k.arg for k in call.keywords]
        if None in names or any(isinstance(a, ast.Starred) for a in call.args):
            return True
        given = set(self.positional[: len(call.args)])
        known = {name for name in names if name is not None}
        return (
            (self.more or len(call.args) <= len(self.positional))
            and not given & known
            and (self.any_name or known <= self.named)
            and self.required <= given | known
        )


def new_faults(before: str, after: str, file: str) -> tuple[str, ...]:
    """Faults of a function's text ``after`` a change that were not there ``before``; ``file`` is all of its file."""
    left = Counter(faults(after, file)) - Counter(faults(before, file))
    return tuple(left)


def faults(function: str, file: str) -> tuple[str, ...]:
    """All that is wrong in the text of a function, in words."""
    try:
        tree = parsed(function)
    except TOO_DEEP:
        return ()
    known = signatures(file)
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _called(node)
            if name in known and not known[name].takes(node):
                found.append(f"`{name}` does not take these arguments")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call) and _may_be_none(node.value):
            found.append(f"`{ast.unparse(node.value.func)}` may give `None`, which has no `{node.attr}`")
        elif isinstance(node, Function):
            found += [f"`{name}` is read before it is bound" for name in _unbound(node)]
    return tuple(found)


@functools.lru_cache(maxsize=16)
def signatures(file: str) -> Mapping[str, Signature]:
    """Functions of a file by name, methods as ``self.name``: those that are defined once, without decorators."""
    try:
        tree = parsed(file)
    except TOO_DEEP:
        return {}
    names = [node.name for node in ast.walk(tree) if isinstance(node, (*_SCOPES[:2], ast.ClassDef))]
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound |= {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
    bound |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    single = {name for name, count in Counter(names).items() if count == 1} - bound
    found: dict[str, Signature] = {}
    for node in tree.body:
        if isinstance(node, Function) and node.name in single and not node.decorator_list:
            found[node.name] = _signature(node, 0)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function) and inner.name in single and not inner.decorator_list:
                    found[f"self.{inner.name}"] = _signature(inner, 1)
    return found


def _signature(node: Function, skipped: int) -> Signature:
    arguments = node.args
    places = [*arguments.posonlyargs, *arguments.args]
    optional = len(arguments.defaults)
    must = {a.arg for a in places[: len(places) - optional][skipped:]}
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return Signature(
        positional=tuple(a.arg for a in places[skipped:]),
        required=frozenset(must | {a.arg for a, default in pairs if default is None}),
        named=frozenset(a.arg for a in [*places[max(skipped, len(arguments.posonlyargs)) :], *arguments.kwonlyargs]),
        more=arguments.vararg is not None,
        any_name=arguments.kwarg is not None,
    )


def _called(call: ast.Call) -> str:
    target = call.func
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return f"self.{target.attr}"
    return ""


def _may_be_none(call: ast.Call) -> bool:
    target = call.func
    if not isinstance(target, ast.Attribute):
        return False
    return target.attr in _NONE_ABLE and isinstance(target.value, ast.Name) and target.value.id in ("re", "regex")


def _unbound(function: Function) -> list[str]:
    """Local names that are read, outside of loops, before the text binds them anywhere."""
    own = [node for statement in function.body for node in _own(statement)]
    arguments = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    declared = {name for n in own if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    reads, stores = _positions(own)
    return sorted(
        name
        for name, read in reads.items()
        if name in stores and read < stores[name] and name not in arguments | declared
    )


_Position = tuple[int, int]


def _positions(own: list[ast.AST]) -> tuple[dict[str, _Position], dict[str, _Position]]:
    """Where each name is first read outside of loops, and where first bound."""
    # What a loop reads may come from the round before; the right side of an assignment is evaluated first.
    looping = {id(inner) for n in own if isinstance(n, _LOOPS) for inner in ast.walk(n)}
    ends = {
        id(t): (n.end_lineno or 0, n.end_col_offset or 0) for n in own if isinstance(n, ast.Assign) for t in _all(n)
    }
    reads: dict[str, _Position] = {}
    stores: dict[str, _Position] = {}
    for node in own:
        if isinstance(node, ast.Name):
            at = ends.get(id(node), (node.lineno, node.col_offset))
            if not isinstance(node.ctx, ast.Load):
                stores[node.id] = min(at, stores.get(node.id, at))
            elif id(node) not in looping:
                reads[node.id] = min(at, reads.get(node.id, at))
        elif isinstance(node, (*_SCOPES[:2], ast.ClassDef, ast.ExceptHandler, ast.alias, ast.MatchAs)):
            name = getattr(node, "asname", None) or node.name
            at = (node.lineno, node.col_offset)
            if name is not None:
                stores[name] = min(at, stores.get(name, at))
    return reads, stores


def _all(statement: ast.Assign) -> Iterator[ast.AST]:
    for target in statement.targets:
        yield from ast.walk(target)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's own scope."""
    yield node
    if not isinstance(node, (*_SCOPES, *_COMPREHENSIONS)):
        for child in ast.iter_child_nodes(node):
            yield from _own(child)
