"""Mutants: a function with one small fault put into one of its lines, to see whether any test notices.

Which faults there are is data (``mutation.toml``). Mutants that compile to the same program as the original are told
apart when they are run (``validation.SAME``). Method: DeMillo, Lipton, Sayward, "Hints on test data selection", 1978;
operators after Offutt et al., "An experimental determination of sufficient mutant operators", 1996.

Knows source text; knows nothing of tests, and runs nothing.

>>> [m.told for m in mutants("def f(a):\\n    return a < 1\\n", first_line=1, lines={2})][:2]
['`return a < 1` → `return None`', '`<` → `<=`']
"""

import ast
import random
import textwrap
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from karkhana.behaviour.validation import Edit

_SHOWN = 60
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
_STATEMENTS: dict[type[ast.stmt], str] = {
    ast.Return: "return",
    ast.Raise: "raise",
    ast.Expr: "expression",
    ast.Assign: "assignment",
    ast.AugAssign: "assignment",
    ast.AnnAssign: "assignment",
}


class Mutant(msgspec.Struct, frozen=True, order=True):
    """One fault in a function's text."""

    line: int
    """In the file."""
    told: str
    """What it replaces by what, for a person."""
    edit: Edit
    """In the text that was given."""


class Operators(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of what."""

    compare: dict[str, tuple[str, ...]]
    boolean: dict[str, tuple[str, ...]]
    arithmetic: dict[str, tuple[str, ...]]
    word: dict[str, tuple[str, ...]]
    constant: dict[str, tuple[str, ...]]
    statement: dict[str, tuple[str, ...]]
    condition: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1)
def operators() -> Operators:
    """Those that ship."""
    text = resources.files("karkhana.behaviour").joinpath("mutation.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Operators)


def mutants(text: str, *, first_line: int, lines: Collection[int]) -> list[Mutant]:
    """All mutants of ``lines`` (numbers in the file) of a function's ``text``, which begins at ``first_line``.

    In the order of the source; none for text that this interpreter cannot parse.
    """
    try:
        source = _Source(text, first_line)
    except SyntaxError:
        return []
    found: dict[Edit, Mutant] = {}
    for node in source.nodes():
        for one in _of(node, source):
            if one.line in lines:
                found.setdefault(one.edit, one)
    return list(found.values())


def sample(found: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """At most ``count`` of the mutants, the lines in turn, so that none is left out for another's sake."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    rows: dict[int, list[Mutant]] = {}
    for one in found:
        rows.setdefault(one.line, []).append(one)
    for row in rows.values():
        chance.shuffle(row)
    order = sorted(rows)
    if len(order) > count:
        order = sorted(chance.sample(order, count))
    chosen: list[Mutant] = []
    while len(chosen) < count and any(rows[line] for line in order):
        chosen += [rows[line].pop() for line in order if rows[line]]
    return chosen[:count]


def unchanged(text: str, first_line: int) -> Edit | None:
    """An edit that makes another program of a function which does the same; ``None`` when there is no place for it."""
    try:
        source = _Source(text, first_line)
    except SyntaxError:
        return None
    body = source.function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    place = body[1 if documented and len(body) > 1 else 0]
    if (documented and len(body) == 1) or getattr(place, "decorator_list", []):
        return None
    start = source.offset(place.lineno, place.col_offset)
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    return Edit(start, start, "_mutant_ = None" + ("; " if indent.strip() else "\n" + indent))


class _Source:
    """A function's text with the way from its nodes to offsets in it."""

    def __init__(self, text: str, first_line: int) -> None:
        self.text = text
        self.first_line = first_line
        # A method alone is indented: an "if" in front of it makes it a program.
        self.wrapped = text[:1] in " \t"
        tree = ast.parse(("if 1:\n" if self.wrapped else "") + text)
        statement = tree.body[0]
        inner = statement.body[0] if self.wrapped and isinstance(statement, ast.If) else statement
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            raise SyntaxError("no function")
        self.function = inner
        self._starts = [0]
        for line in text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._lines = text.split("\n")

    def offset(self, line: int, column: int) -> int:
        """Characters from the start, of a line of the tree and a column in bytes."""
        number = line - 1 - self.wrapped
        row = self._lines[number]
        return self._starts[number] + (column if row.isascii() else len(row.encode()[:column].decode()))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = self.offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self.offset(node.lineno, node.col_offset), end

    def line(self, offset: int) -> int:
        return self.first_line + self.text.count("\n", 0, offset)

    def nodes(self) -> Iterator[ast.AST]:
        """Everything in the body that runs; not documentation and annotations."""
        waiting: list[ast.AST] = list(reversed(self.function.body))
        while waiting:
            node = waiting.pop()
            yield node
            children = list(ast.iter_child_nodes(node))
            if isinstance(node, ast.AnnAssign):
                children = [c for c in children if c is not node.annotation]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                children = list(node.body)
            if isinstance(node, ast.JoinedStr) or _is_documentation(node):
                children = []
            if isinstance(node, ast.Raise):
                # What an error says is rarely tested, and rarely has to be.
                children = [c for c in children if not isinstance(c, ast.Call)]
            waiting.extend(reversed(children))


def _of(node: ast.AST, source: _Source) -> Iterator[Mutant]:
    data = operators()
    if isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            yield from _between(source, left, right, _COMPARE[type(operator)], data.compare)
    elif isinstance(node, ast.BoolOp):
        word = "and" if isinstance(node.op, ast.And) else "or"
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from _between(source, left, right, word, data.boolean)
    elif isinstance(node, ast.BinOp):
        yield from _between(source, node.left, node.right, _ARITHMETIC.get(type(node.op), ""), data.arithmetic)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        start, _ = source.span(node)
        inner, _ = source.span(node.operand)
        yield _mutant(source, start, inner, "bool(" if source.text[start:inner].endswith("(") else "", "`not` → ``")
    elif isinstance(node, ast.Constant):
        yield from _constant(source, node, data)
    elif isinstance(node, ast.Break | ast.Continue):
        yield from _replaced(source, node, data.word.get("break" if isinstance(node, ast.Break) else "continue", ()))
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        # A loop without an end says nothing that one without a beginning does not.
        kept = [t for t in data.condition["test"] if not (isinstance(node, ast.While) and t == "True")]
        yield from _replaced(source, node.test, kept)
    if isinstance(node, ast.AugAssign):
        sign = _ARITHMETIC.get(type(node.op), "")
        table = {f"{k}=": tuple(f"{v}=" for v in row) for k, row in data.arithmetic.items()}
        yield from _between(source, node.target, node.value, f"{sign}=", table)
    if isinstance(node, ast.stmt) and not _is_documentation(node):
        yield from _statement(source, node, data)


def _statement(source: _Source, node: ast.stmt, data: Operators) -> Iterator[Mutant]:
    kind = _STATEMENTS.get(type(node), "")
    if isinstance(node, ast.Return) and (node.value is None or _is_none(node.value)):
        return
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom):
        # Without its only yield it is no generator any more, which is another kind of function.
        return
    yield from _replaced(source, node, data.statement.get(kind, ()))


def _constant(source: _Source, node: ast.Constant, data: Operators) -> Iterator[Mutant]:
    start, end = source.span(node)
    text = source.text[start:end]
    if isinstance(node.value, bool):
        yield from _replaced(source, node, data.word.get(text, ()))
    elif isinstance(node.value, int | float):
        yield from _replaced(source, node, [f"({t.format(value=text)})" for t in data.constant["number"]])
    elif isinstance(node.value, str):
        first = data.constant["text"][0] if node.value else data.constant["text"][-1]
        yield from _replaced(source, node, [first])
    elif isinstance(node.value, bytes):
        yield from _replaced(source, node, ["b" + data.constant["text"][0 if node.value else -1]])


def _between(
    source: _Source, left: ast.expr, right: ast.expr, sign: str, table: dict[str, tuple[str, ...]]
) -> Iterator[Mutant]:
    """Mutants of an operator, which stands somewhere between its operands."""
    _, begin = source.span(left)
    end, _ = source.span(right)
    gap = source.text[begin:end]
    # A comment there may hold anything.
    at = gap.find(sign) if sign and "#" not in gap else -1
    for other in table.get(sign, ()) if at >= 0 else ():
        yield _mutant(source, begin + at, begin + at + len(sign), other, f"`{sign}` → `{other}`")


def _replaced(source: _Source, node: ast.expr | ast.stmt, others: Iterable[str]) -> Iterator[Mutant]:
    start, end = source.span(node)
    old = source.text[start:end]
    for other in others:
        if other != old:
            yield _mutant(source, start, end, other, f"`{_short(old)}` → `{_short(other)}`")


def _mutant(source: _Source, start: int, end: int, text: str, told: str) -> Mutant:
    if told == "`not` → ``":
        told = "`not` is gone"
    return Mutant(source.line(start), told, Edit(start, end, text))


def _short(text: str) -> str:
    return textwrap.shorten(text, _SHOWN, placeholder=" …") or text[:_SHOWN]


def _is_documentation(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
