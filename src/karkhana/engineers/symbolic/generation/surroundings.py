"""What stands around a function in its file: signatures, attributes of its class, and how others do similar things.

Reads the text of one file with ``ast`` and runs nothing. Knows nothing of suspects or tests; a file that cannot be
parsed here has no surroundings.

>>> around = surroundings("def f(a, b=None):\\n    return a\\n")
>>> around.signatures["f"][0].optional
('b',)
"""

import ast
import functools
import textwrap
from collections.abc import Iterator, Mapping

import msgspec

_MAXIMUM_LINES = 4
"""Of a donated statement; longer ones are hardly ever wanted twice."""
_MAXIMUM_CHARS = 160
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Signature(msgspec.Struct, frozen=True):
    """How a function of the file may be called."""

    name: str
    classes: tuple[str, ...]
    positional: tuple[str, ...]
    """Parameters without ``self`` and ``cls``."""
    optional: tuple[str, ...]
    """Those with a default, keyword-only ones included."""
    defaults: Mapping[str, str]
    takes_many: bool
    takes_keywords: bool


class Donor(msgspec.Struct, frozen=True):
    """A statement or condition of another function."""

    text: str
    """Without indentation; a statement may have several lines."""
    names: frozenset[str]
    """Names that it reads."""
    home: str
    classes: tuple[str, ...]
    kinship: float
    """How much the home has in common with the function that is looked at, 0 to 1."""
    first: bool = False
    """It stands before everything else in its home but the documentation."""


class _Home(msgspec.Struct, frozen=True):
    name: str
    classes: tuple[str, ...]
    words: frozenset[str]
    parameters: frozenset[str]
    statements: tuple[tuple[str, frozenset[str], bool], ...]
    conditions: tuple[tuple[str, frozenset[str]], ...]


class Surroundings(msgspec.Struct, frozen=True):
    """One file."""

    signatures: Mapping[str, tuple[Signature, ...]]
    """By bare name; a class stands for its ``__init__``."""
    attributes: Mapping[str, tuple[str, ...]]
    """Class → attributes that its methods use on ``self``, not counting calls, in the order of the text."""
    methods: Mapping[str, tuple[str, ...]]
    """Class → methods."""
    exceptions: tuple[str, ...]
    """Exception classes that the file defines or raises."""
    homes: tuple[_Home, ...]

    def statements(self, name: str, classes: tuple[str, ...]) -> list[Donor]:
        """Short statements of the other functions of the file, from the most similar functions first."""
        found: dict[str, Donor] = {}
        for home, kinship in self._kin(name, classes):
            for text, names, first in home.statements:
                if text not in found:
                    found[text] = Donor(text, names, home.name, home.classes, kinship, first)
        return list(found.values())

    def conditions(self, name: str, classes: tuple[str, ...]) -> list[Donor]:
        """What the other functions of the file ask, from the most similar functions first."""
        found: dict[str, Donor] = {}
        for home, kinship in self._kin(name, classes):
            for text, names in home.conditions:
                found.setdefault(text, Donor(text, names, home.name, home.classes, kinship))
        return list(found.values())

    def _kin(self, name: str, classes: tuple[str, ...]) -> list[tuple[_Home, float]]:
        own = next((h for h in self.homes if (h.name, h.classes) == (name, classes)), None)
        if own is None:
            return []
        found = [(home, _kinship(own, home)) for home in self.homes if home is not own]
        return sorted((pair for pair in found if pair[1] > 0), key=lambda pair: -pair[1])


def _kinship(one: _Home, other: _Home) -> float:
    common = len(one.words & other.words) / max(1, min(len(one.words), len(other.words)))
    return min(1.0, common * (1.0 if one.classes == other.classes else 0.7))


@functools.lru_cache(maxsize=64)
def surroundings(module_text: str) -> Surroundings:
    """Everything about one file."""
    try:
        return _read(module_text)
    # What Python's parser and its printer do with source that is odd or too deep for them.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Surroundings({}, {}, {}, (), ())


def _read(module_text: str) -> Surroundings:
    tree = ast.parse(module_text)
    lines = module_text.splitlines()
    functions = list(_functions(tree))
    signatures: dict[str, tuple[Signature, ...]] = {}
    attributes: dict[str, dict[str, None]] = {}
    methods: dict[str, dict[str, None]] = {}
    for function, classes in functions:
        signature = _signature(function, classes)
        key = classes[-1] if function.name == "__init__" and classes else function.name
        signatures[key] = (*signatures.get(key, ()), signature)
        if classes:
            methods.setdefault(classes[-1], {}).setdefault(function.name)
            attributes.setdefault(classes[-1], {}).update(dict.fromkeys(_self_attributes(function)))
    return Surroundings(
        signatures=signatures,
        attributes={name: tuple(found) for name, found in attributes.items()},
        methods={name: tuple(found) for name, found in methods.items()},
        exceptions=_exceptions(tree),
        homes=tuple(_home(function, classes, lines) for function, classes in functions),
    )


def _functions(
    node: ast.Module | ast.ClassDef, classes: tuple[str, ...] = ()
) -> Iterator[tuple[_Function, tuple[str, ...]]]:
    for child in node.body:
        if isinstance(child, _Function):
            yield child, classes
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*classes, child.name))


def _signature(function: _Function, classes: tuple[str, ...]) -> Signature:
    given = function.args
    plain = [a.arg for a in (*given.posonlyargs, *given.args)]
    defaults = dict(zip(plain[len(plain) - len(given.defaults) :], map(ast.unparse, given.defaults), strict=True))
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is not None:
            defaults[argument.arg] = ast.unparse(default)
    if classes and plain[:1] in (["self"], ["cls"]):
        plain = plain[1:]
    keywords = [a.arg for a in given.kwonlyargs]
    return Signature(
        name=function.name,
        classes=classes,
        positional=tuple(plain),
        optional=tuple(n for n in (*plain, *keywords) if n in defaults),
        defaults=defaults,
        takes_many=given.vararg is not None,
        takes_keywords=given.kwarg is not None,
    )


def _self_attributes(function: _Function) -> Iterator[str]:
    called = {id(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
            and id(node) not in called
        ):
            yield node.attr


def _exceptions(tree: ast.Module) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            "Error" in ast.unparse(b) or "Exception" in ast.unparse(b) for b in node.bases
        ):
            found.setdefault(node.name)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raised, ast.Name | ast.Attribute):
                found.setdefault(ast.unparse(raised))
    return tuple(found)


def _home(function: _Function, classes: tuple[str, ...], lines: list[str]) -> _Home:
    words = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    words |= {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)}
    words |= set(function.name.strip("_").split("_"))
    parameters = frozenset(a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg))
    return _Home(
        name=function.name,
        classes=classes,
        words=frozenset((words | parameters) - {"self", "cls", ""}),
        parameters=parameters,
        statements=tuple(_statements(function, lines)),
        conditions=tuple(_conditions(function)),
    )


def _statements(function: _Function, lines: list[str]) -> Iterator[tuple[str, frozenset[str], bool]]:
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    start = body[0] if body else None
    for node in ast.walk(function):
        if node is function or not isinstance(node, ast.stmt):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass | _Function | ast.ClassDef | ast.Global):
            continue
        text = _text(node, lines)
        if text is not None and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield text, _loads(node), node is start


def _text(node: ast.stmt, lines: list[str]) -> str | None:
    last = node.end_lineno or node.lineno
    if last - node.lineno >= _MAXIMUM_LINES:
        return None
    whole = lines[node.lineno - 1 : last]
    if whole[0][: node.col_offset].strip() or whole[0].lstrip().startswith("elif"):
        return None
    text = textwrap.dedent("\n".join(whole)).strip()
    return text if len(text) <= _MAXIMUM_CHARS else None


def _loads(node: ast.AST) -> frozenset[str]:
    """Names that must have a value before ``node`` runs."""
    inside = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    plain = isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
    targets = [t for t in ast.walk(node) if isinstance(t, ast.comprehension)]
    # What an assignment binds has its value after the right side is evaluated; deeper down the order is not looked at.
    bound = [n for t in targets for n in ast.walk(t.target)] if plain else inside
    stored = {n.id for n in bound if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = {n.id for n in inside if isinstance(n.ctx, ast.Load)} - stored
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        read.add(node.target.id)
    return frozenset(read)


def _conditions(function: _Function) -> Iterator[tuple[str, frozenset[str]]]:
    for node in ast.walk(function):
        test = node.test if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert) else None
        for part in test.values if isinstance(test, ast.BoolOp) else [test] if test is not None else []:
            text = ast.unparse(part)
            if len(text) <= 80:
                yield text, _loads(part)
