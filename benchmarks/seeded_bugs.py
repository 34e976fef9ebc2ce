"""One-place bugs put into real modules, independent of the repair templates: what the seeded benchmark repairs.

Every mutator yields ``(start, end, text)`` replacements of a module's source, in characters: in the bodies of
functions, and in what runs when the module is imported (constants of modules and classes, defaults of arguments,
decorators). Documentation and names are never touched.
"""

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Seed(NamedTuple):
    """One bug."""

    kind: str
    function: str
    line: int
    start: int
    end: int
    text: str


_COMPARE = {
    "Lt": ["<=", ">"], "LtE": ["<", ">="], "Gt": [">=", "<"], "GtE": [">", "<="], "Eq": ["!="], "NotEq": ["=="],
    "Is": ["is not"], "IsNot": ["is"], "In": ["not in"], "NotIn": ["in"],
}  # fmt: skip
_BINARY = {
    "Add": ["-", "*"], "Sub": ["+"], "Mult": ["+", "//"], "Div": ["*", "//"], "FloorDiv": ["%", "/"], "Pow": ["*"],
    "Mod": ["//", "*"], "BitAnd": ["|"], "BitOr": ["&"], "LShift": [">>"], "RShift": ["<<"],
}  # fmt: skip
_SYMBOLS = {
    "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=", "Is": "is", "IsNot": "is not",
    "In": "in", "NotIn": "not in", "Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//",
    "Mod": "%", "Pow": "**", "BitAnd": "&", "BitOr": "|", "LShift": "<<", "RShift": ">>",
}  # fmt: skip
_WRAPPERS = ("len", "list", "tuple", "set", "sorted", "abs", "str", "int", "reversed", "iter", "max", "min")


class Module:
    """A module's text and tree, with offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = text.splitlines(keepends=True)

    def offset(self, line: int, column: int) -> int:
        """Characters before a position that ``ast`` gives in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def between(self, left: ast.expr, right: ast.expr, symbol: str) -> tuple[int, int] | None:
        """Where an operator stands between its operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        at = self.text[start:end].find(symbol)
        return None if at < 0 else (start + at, start + at + len(symbol))

    def source(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.text[start:end]


Change = tuple[int, int, str]


def _comparisons(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        kind = type(node.ops[0]).__name__
        where = module.between(node.left, node.comparators[0], _SYMBOLS[kind])
        if where:
            yield from ((*where, other) for other in _COMPARE[kind])


def _arithmetic(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.BinOp) and type(node.op).__name__ in _BINARY and not isinstance(node.left, ast.Constant):
        kind = type(node.op).__name__
        where = module.between(node.left, node.right, _SYMBOLS[kind])
        if where:
            yield from ((*where, other) for other in _BINARY[kind])


def _booleans(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        where = module.between(node.values[0], node.values[1], old)
        if where and len(node.values) == 2:
            yield (*where, new)


def _negations(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield (*module.span(node), module.source(node.operand))
    if isinstance(node, ast.If | ast.While) and isinstance(node.test, ast.Name | ast.Call):
        yield (*module.span(node.test), f"not {module.source(node.test)}")


def _numbers(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) < 100:
        yield (*module.span(node), str(node.value + 1))
        if node.value > 0:
            yield (*module.span(node), str(node.value - 1))


def _truth(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield (*module.span(node), str(not node.value))


def _arguments(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Call) and len(node.args) == 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        one, other = node.args
        start, end = module.span(one)[0], module.span(other)[1]
        between = module.text[module.span(one)[1] : module.span(other)[0]]
        if "(" not in between and ")" not in between:
            yield start, end, f"{module.source(other)}{between}{module.source(one)}"


def _variables(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from ((*module.span(node), other) for other in names if other not in (node.id, "self", "cls"))


def _operands(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.BinOp):
        yield (*module.span(node), module.source(node.left))
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        yield (*module.span(node), module.source(node.values[0]))
        yield (*module.span(node), module.source(node.values[1]))


def _slices(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Slice):
        if node.lower is not None:
            yield (*module.span(node.lower), "")
        if node.upper is not None:
            yield (*module.span(node.upper), "")
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
        yield (*module.span(node), module.source(node.value))


def _calls(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    one = isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    if one and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _WRAPPERS:
        yield (*module.span(node), module.source(node.args[0]))


def _statements(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    """A statement left out."""
    simple = isinstance(node, ast.Assign | ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    if simple or isinstance(node, ast.Break | ast.Continue):
        assert isinstance(node, ast.stmt)
        yield (*module.span(node), "pass")


def _guards(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    """A special case left out."""
    if (
        isinstance(node, ast.If)
        and not node.orelse
        and len(node.body) == 1
        and isinstance(node.body[0], ast.Return | ast.Raise)
    ):
        yield (*module.span(node), "pass")


def _results(module: Module, node: ast.AST, names: list[str]) -> Iterator[Change]:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Name | ast.Call | ast.BinOp):
        yield (*module.span(node), module.source(node.value))


Mutator = Callable[[Module, ast.AST, list[str]], Iterator[Change]]
MUTATORS: dict[str, Mutator] = {
    "comparison": _comparisons,
    "arithmetic": _arithmetic,
    "boolean": _booleans,
    "negation": _negations,
    "number": _numbers,
    "truth": _truth,
    "argument order": _arguments,
    "variable": _variables,
    "operand left out": _operands,
    "slice": _slices,
    "call left out": _calls,
    "statement left out": _statements,
    "guard left out": _guards,
    "return left out": _results,
}


VALUES = ("comparison", "arithmetic", "boolean", "number", "truth", "operand left out")
"""Mutators that make sense for values outside function bodies."""


def seeds(text: str) -> list[Seed]:
    """Every bug that can be put into a module, those of one kind together."""
    module = Module(text)
    found: list[Seed] = []
    for function in ast.walk(module.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = sorted(
            {a.arg for a in [*function.args.args, *function.args.kwonlyargs]}
            | {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        )
        body = function.body[1:] if ast.get_docstring(function) else function.body
        for statement in body:
            for node in ast.walk(statement):
                for kind, mutator in MUTATORS.items():
                    found += [_seed(module, kind, function.name, c) for c in mutator(module, node, names)]
    found += at_import(module)
    return [s for s in dict.fromkeys(found) if text[s.start : s.end] != s.text]


def at_import(module: Module) -> list[Seed]:
    """Bugs in constants, defaults and decorators: code that runs before any test."""
    found: list[Seed] = []
    for home, statement in _declared(module.tree, "module"):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            found += _in_value(module, "constant", home, statement.value)
        if isinstance(statement, ast.FunctionDef):
            for default in [*statement.args.defaults, *(d for d in statement.args.kw_defaults if d is not None)]:
                found += _in_value(module, "default", statement.name, default)
            for decorator in statement.decorator_list:
                start, end = module.span(decorator)
                # The line holds nothing but the decorator, so nothing of it stays.
                line = module.text.rindex("\n", 0, start) + 1 if "\n" in module.text[:start] else 0
                if module.text[end : end + 1] == "\n":
                    found.append(_seed(module, "decorator", statement.name, (line, end + 1, "")))
    return found


def _declared(tree: ast.Module | ast.ClassDef, home: str) -> Iterator[tuple[str, ast.stmt]]:
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            yield from _declared(statement, statement.name)
        else:
            yield home, statement


def _in_value(module: Module, kind: str, home: str, value: ast.expr) -> Iterator[Seed]:
    for node in ast.walk(value):
        for name in VALUES:
            for change in MUTATORS[name](module, node, []):
                yield _seed(module, kind, home, change)


def _seed(module: Module, kind: str, home: str, change: Change) -> Seed:
    start, end, new = change
    return Seed(kind, home, module.text.count("\n", 0, start) + 1, start, end, new)
