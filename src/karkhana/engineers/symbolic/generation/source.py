"""One function's text as a concrete syntax tree with character offsets: what templates look at.

Templates describe a change as replacements of spans of the original text, so whatever they do not touch keeps its
formatting, and thousands of candidates cost no code generation. Knows Python's grammar; knows nothing of tests.

>>> view = FunctionView("def f(a, b):\\n    return a - b\\n", first_line=1)
>>> [view.text_of(n) for n in view.all(cst.BinaryOperation)]
['a - b']
"""

import bisect
import builtins
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from karkhana.behaviour.validation import Edit
from karkhana.syntax import Unparsable, parse

LOOSEST, TERNARY, OR, AND, NOT, COMPARE, ADD, MULTIPLY, UNARY, POSTFIX = 0, 1, 2, 3, 4, 5, 9, 10, 11, 14

_BINARY: Mapping[type[cst.CSTNode], int] = {
    cst.BitOr: 6, cst.BitXor: 7, cst.BitAnd: 7, cst.LeftShift: 8, cst.RightShift: 8, cst.Add: 9, cst.Subtract: 9,
    cst.Multiply: 10, cst.Divide: 10, cst.FloorDivide: 10, cst.Modulo: 10, cst.MatrixMultiply: 10, cst.Power: 12,
}  # fmt: skip
_REQUIRED: Mapping[tuple[type[cst.CSTNode], str], int] = {
    (cst.Comparison, "left"): COMPARE + 1,
    (cst.ComparisonTarget, "comparator"): COMPARE + 1,
    (cst.Attribute, "value"): POSTFIX,
    (cst.Subscript, "value"): POSTFIX,
    (cst.Call, "func"): POSTFIX,
    (cst.Await, "expression"): POSTFIX,
    (cst.IfExp, "body"): OR,
    (cst.IfExp, "test"): OR,
    (cst.CompFor, "iter"): OR,
    (cst.CompIf, "test"): OR,
    (cst.StarredElement, "value"): COMPARE + 1,
    (cst.Slice, "lower"): TERNARY,
    (cst.Slice, "upper"): TERNARY,
}
BUILTINS = frozenset(n for n in dir(builtins) if not n.startswith("_"))


class Unreadable(Exception):
    """The text is no Python that the parser knows."""


def tightness(node: cst.CSTNode) -> int:
    """How tightly an expression holds together, ``LOOSEST`` to ``POSTFIX``; parentheses of its own count."""
    if getattr(node, "lpar", ()):
        return POSTFIX
    if isinstance(node, cst.BinaryOperation):
        return _BINARY[type(node.operator)]
    if isinstance(node, cst.BooleanOperation):
        return OR if isinstance(node.operator, cst.Or) else AND
    if isinstance(node, cst.Comparison):
        return COMPARE
    if isinstance(node, cst.UnaryOperation):
        return NOT if isinstance(node.operator, cst.Not) else UNARY
    if isinstance(node, cst.Await):
        return 13
    if isinstance(node, cst.IfExp):
        return TERNARY
    if isinstance(node, cst.Lambda | cst.Yield | cst.NamedExpr | cst.Tuple | cst.GeneratorExp):
        return LOOSEST
    return POSTFIX


@functools.lru_cache(maxsize=20_000)
def tightness_of(text: str) -> int:
    """:func:`tightness` of an expression given as text; ``POSTFIX`` when it is none."""
    if _TIGHT.fullmatch(text):
        return POSTFIX
    try:
        return tightness(cst.parse_expression(text))
    except cst.ParserSyntaxError:
        return POSTFIX


def required(parent: type[cst.CSTNode], field: str, operator: type[cst.CSTNode] | None) -> int:
    """How tight an expression must be to stand in ``field`` of ``parent`` without parentheses."""
    if operator in _BINARY:
        level = _BINARY[operator]  # type: ignore[index]
        return level + 1 if (field == "right") != (operator is cst.Power) else level
    if operator in (cst.Or, cst.And):
        return OR if operator is cst.Or else AND
    if parent is cst.UnaryOperation:
        return NOT if operator is cst.Not else UNARY
    return _REQUIRED.get((parent, field), LOOSEST)


class FunctionView:
    """A function (or any indented run of statements), its tree, and where everything in it stands."""

    def __init__(self, text: str, first_line: int, *, module_text: str = "", classes: tuple[str, ...] = ()) -> None:
        self.text = text
        self.first_line = first_line
        self.module_text = module_text
        self.classes = classes
        self.hot: frozenset[int] | None = None
        """Lines of the file that failing tests ran; ``None`` when unknown."""
        prefix = "if 1:\n" if text[:1] in " \t" else ""
        wrapped = prefix + (text if text.endswith("\n") else text + "\n")
        try:
            module = parse(wrapped)
        except Unparsable as error:
            raise Unreadable(str(error)) from error
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        positions = wrapper.resolve(PositionProvider)
        starts = [0]
        for line in wrapped.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        shift = len(prefix)
        self._spans: dict[cst.CSTNode, tuple[int, int]] = {
            node: (
                starts[where.start.line - 1] + where.start.column - shift,
                starts[where.end.line - 1] + where.end.column - shift,
            )
            for node, where in positions.items()
        }
        self._starts = [s - shift for s in starts[1 if prefix else 0 :]]
        self.parents: dict[cst.CSTNode, tuple[cst.CSTNode, str]] = {}
        self.nodes: list[cst.CSTNode] = []
        self._by_type: dict[type[cst.CSTNode], list[cst.CSTNode]] = {}
        body = module.body[0]
        root = body.body.body[0] if prefix and isinstance(body, cst.If) else body
        self.root: cst.CSTNode = root
        self._walk(root)

    def _walk(self, node: cst.CSTNode) -> None:
        self.nodes.append(node)
        self._by_type.setdefault(type(node), []).append(node)
        for name in node.__slots__ if hasattr(node, "__slots__") else ():
            value = getattr(node, name, None)
            for child in value if isinstance(value, list | tuple) else (value,):
                if isinstance(child, cst.CSTNode) and not isinstance(child, cst.BaseParenthesizableWhitespace):
                    self.parents[child] = (node, name)
                    self._walk(child)

    # -- looking around ----------------------------------------------------------------------------------------

    def all(self, *kinds: type[cst.CSTNode]) -> Iterator[Any]:
        """Nodes of exactly these types, in the order of the text within each type."""
        for kind in kinds:
            yield from self._by_type.get(kind, ())

    def suspicious(self, *kinds: type[cst.CSTNode]) -> Iterator[Any]:
        """As :meth:`all`, but only what stands on a line that failing tests ran."""
        return (node for node in self.all(*kinds) if self.is_suspicious(node))

    def is_suspicious(self, node: cst.CSTNode) -> bool:
        """Whether a line of the node is run by a failing test (yes, when nothing is known)."""
        if self.hot is None:
            return True
        start, end = self.span(node)
        return any(line in self.hot for line in range(self.line_at(start), self.line_at(max(start, end - 1)) + 1))

    def names_in(self, node: cst.CSTNode) -> list[cst.Name]:
        """Names inside a node, in the order of the text."""
        start, end = self.span(node)
        names, places = self._names
        return names[bisect.bisect_left(places, start) : bisect.bisect_left(places, end)]

    @functools.cached_property
    def _names(self) -> tuple[list[cst.Name], list[int]]:
        names: list[cst.Name] = sorted(self.all(cst.Name), key=lambda n: self.span(n)[0])
        return names, [self.span(n)[0] for n in names]

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Character offsets without the parentheses around the node."""
        return self._spans[node]

    def outer_span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Character offsets with the parentheses around the node."""
        left: tuple[cst.CSTNode, ...] = tuple(getattr(node, "lpar", ()))
        right: tuple[cst.CSTNode, ...] = tuple(getattr(node, "rpar", ()))
        if not left:
            return self._spans[node]
        return self._spans[left[0]][0], self._spans[right[-1]][1]

    def text_of(self, node: cst.CSTNode) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def line(self, node: cst.CSTNode) -> int:
        """1-based line in the file."""
        return self.line_at(self.span(node)[0])

    def line_at(self, offset: int) -> int:
        return self.first_line + max(0, bisect.bisect_right(self._starts, offset) - 1)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        found = self.parents.get(node)
        return found[0] if found else None

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        while (found := self.parents.get(node)) is not None:
            node = found[0]
            yield node

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The statement line or compound statement around (or at) ``node``."""
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            return node
        for ancestor in self.ancestors(node):
            if isinstance(ancestor, cst.SimpleStatementLine | cst.BaseCompoundStatement):
                return ancestor
        return self.root

    def indentation(self, node: cst.CSTNode) -> str:
        """White space before the first token of the line that ``node`` starts on."""
        start = self.span(node)[0]
        begin = self.text.rfind("\n", 0, start) + 1
        match = re.match(r"[ \t]*", self.text[begin:start])
        return match.group() if match else ""

    # -- writing -----------------------------------------------------------------------------------------------

    def replace(self, node: cst.CSTNode, text: str, tight: int | None = None) -> Edit:
        """Put the expression ``text`` in the place of ``node``, in parentheses only when its place needs them.

        ``tight`` is the tightness of ``text`` when the caller knows it; parsing it takes its time.
        """
        parent, field = self.parents[node]
        if getattr(node, "lpar", ()) and not isinstance(node, cst.Tuple | cst.GeneratorExp):
            start, end = self.outer_span(node)
            return Edit(start, end, self._fit(text, (parent, field), tight, keep=True))
        start, end = self.outer_span(node)
        return Edit(start, end, self._fit(text, (parent, field), tight, keep=False))

    def _fit(self, text: str, place: tuple[cst.CSTNode, str], known: int | None, *, keep: bool) -> str:
        parent, field = place
        operator = getattr(parent, "operator", None)
        kind: type[cst.CSTNode] | None = type(operator) if operator is not None else None
        need = required(type(parent), field, kind)
        tight = tightness_of(text) if known is None else known
        if tight >= need and not (keep and tight < POSTFIX):
            return text
        if text.startswith("(") and tight == POSTFIX:
            return text
        return f"({text})"

    def tight(self, node: cst.CSTNode, need: int) -> str:
        """The text of an expression, in parentheses when it is looser than ``need``."""
        text = self.text_of(node)
        loose = getattr(node, "lpar", ()) or tightness(node) < need
        bare = tightness_of(text) >= need
        return f"({text})" if loose and not bare else text

    @functools.cached_property
    def body_start(self) -> int:
        """Offset of the function's first statement: what stands before runs when it is defined, not when called."""
        body = getattr(self.root, "body", None)
        if isinstance(self.root, cst.FunctionDef) and isinstance(body, cst.IndentedBlock | cst.SimpleStatementSuite):
            return self.span(body.body[0])[0]
        return 0

    # -- names -------------------------------------------------------------------------------------------------

    @functools.cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the function's parameters, ``self`` and ``cls`` included."""
        if not isinstance(self.root, cst.FunctionDef):
            return ()
        return tuple(p.name.value for p in _params(self.root.params))

    @functools.cached_property
    def locals(self) -> tuple[str, ...]:
        """Parameters and every name that is bound anywhere in the function, in the order of the text."""
        names = dict.fromkeys(self.parameters)
        for node in self.all(cst.Name):
            if self.is_store(node) and self.parent(node) is not self.root:
                names.setdefault(node.value)
        return tuple(names)

    def is_store(self, node: cst.CSTNode) -> bool:
        """Whether a name is bound here."""
        found = self.parents.get(node)
        while found is not None:
            parent, field = found
            if isinstance(parent, cst.AssignTarget | cst.NamedExpr | cst.AnnAssign | cst.AugAssign):
                return field == "target"
            if isinstance(parent, cst.For | cst.CompFor):
                return field == "target"
            if isinstance(parent, cst.Param):
                return field == "name"
            if isinstance(parent, cst.FunctionDef | cst.ClassDef):
                return field == "name"
            if isinstance(parent, cst.AsName):
                return True
            if not isinstance(parent, cst.Tuple | cst.List | cst.Element | cst.StarredElement):
                return False
            found = self.parents.get(parent)
        return False

    def is_load(self, node: cst.CSTNode) -> bool:
        """Whether a name is an expression whose value is used."""
        parent, field = self.parents.get(node, (None, ""))
        if parent is None or self.is_store(node):
            return False
        if isinstance(parent, cst.Attribute) and field == "attr":
            return False
        if isinstance(parent, cst.Arg) and field == "keyword":
            return False
        if isinstance(parent, cst.Param) and field == "default" and isinstance(node, cst.Name):
            # The function's own variables have no meaning there.
            return node.value in ("True", "False", "None")
        if isinstance(parent, cst.Param | cst.NameItem | cst.ImportAlias | cst.Annotation):
            return False
        return not any(isinstance(a, cst.Annotation | cst.Decorator) for a in self.ancestors(node))

    @functools.cached_property
    def globals(self) -> tuple[str, ...]:
        """Names that the module binds at its top level: definitions, imports and variables."""
        names: dict[str, None] = {}
        for line in self.module_text.splitlines():
            if match := _TOP_LEVEL.match(line):
                names.setdefault(match["name"])
            elif match := _IMPORT.match(line):
                for part in match["names"].strip("()").split(","):
                    name = part.split(" as ")[-1].strip().split(".")[0]
                    if name.isidentifier():
                        names.setdefault(name)
        return tuple(names)

    @functools.cached_property
    def attributes(self) -> tuple[str, ...]:
        """Attribute names used in the function, in the order of the text."""
        return tuple(dict.fromkeys(n.attr.value for n in self.all(cst.Attribute)))


_TIGHT = re.compile(r"[\w.]+(?:\[[^\[\]()]*\]|\([^\[\]()]*\))*")
"""Names, attributes, and simple calls and subscripts of them."""
_TOP_LEVEL = re.compile(r"(?:async\s+)?(?:def\s+|class\s+)?(?P<name>[^\W\d]\w*)\s*(?:[(:=]|$)")
_IMPORT = re.compile(r"(?:from\s+\S+\s+)?import\s+(?P<names>.+)$")


def _params(parameters: cst.Parameters) -> Iterator[cst.Param]:
    yield from parameters.posonly_params
    yield from parameters.params
    if isinstance(parameters.star_arg, cst.Param):
        yield parameters.star_arg
    yield from parameters.kwonly_params
    if parameters.star_kwarg is not None:
        yield parameters.star_kwarg
