"""What tests expect of calls, read from their source: two that expect different things of one call cannot both pass.

Only calls are read that stand in a plain assertion and whose arguments are constants: nothing else decides what they
give. Knows test files; runs nothing.

>>> text = "from m import add\\ndef test_a():\\n    assert add(1, 2) == 3\\n"
>>> [(e.call, e.expected) for e in expectations(text, "test_a.py")]
[('add(1, 2)', '3')]
"""

import ast
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from karkhana.engineers.symbolic.hands import Hands
from karkhana.engineers.symbolic.reproduction.sentences import expression
from karkhana.engineers.symbolic.reproduction.writing import parsed_long

_FILES = 12
_EQUAL = frozenset(
    {"assertEqual", "assertEquals", "assertIs", "assertListEqual", "assertDictEqual", "assertTupleEqual"}
)


class Expectation(msgspec.Struct, frozen=True):
    """One assertion about one call."""

    test: str
    """Path and qualified name as pytest gives them, without parameters."""
    call: str
    expected: str
    line: int
    function: str
    """The function's own name, without module or package."""
    arguments: str


def expectations(text: str, path: str) -> list[Expectation]:
    """What a test file asserts about calls with constant arguments."""
    tree = parsed_long(text)
    if tree is None:
        return []
    imported = _imported(tree)
    found: list[Expectation] = []
    for name, function in _tests(tree):
        for binding in _bindings(function):
            for node in ast.walk(function):
                for call, expected in _asserted(node):
                    one = _expectation(f"{path}::{name}", call, expected, binding, imported)
                    if one is not None:
                        found.append(one)
    return found


def contradiction(hands: Hands, tests: Iterable[str], subject: str, expected: str) -> Expectation | None:
    """An assertion of one of ``tests`` that expects something else of the call ``subject``."""
    call = expression(subject)
    wanted = expression(expected)
    if call is None or wanted is None:
        return None
    mine = _expectation("", call, wanted, {}, None)
    if mine is None:
        return None
    names = {test.split("[")[0] for test in tests}
    for other in _read(hands, [name.split("::")[0] for name in names], mine.function):
        if other.test in names and _contradict(mine, other):
            return other
    return None


def contradicting(
    hands: Hands, failing: Sequence[str], passing: Sequence[str]
) -> tuple[Expectation, Expectation] | None:
    """A failing test and another one that expect different things of the same call.

    The other one may fail as well. Only one assertion that the first breaks on is needed to make it impossible.
    """
    broken = {test.split("[")[0] for test in failing}
    every = broken | {test.split("[")[0] for test in passing}
    files = [test.split("::")[0] for test in (*failing, *passing)]
    known = [e for e in _read(hands, files, "") if e.test in every]
    by_call: dict[tuple[str, str], list[Expectation]] = {}
    for one in known:
        for other in by_call.get((one.function, one.arguments), ()):
            if _contradict(one, other) and (one.test in broken or other.test in broken):
                return (one, other) if one.test in broken else (other, one)
        by_call.setdefault((one.function, one.arguments), []).append(one)
    return None


def _read(hands: Hands, files: Iterable[str], word: str) -> Iterator[Expectation]:
    for path in list(dict.fromkeys(f for f in files if f.endswith(".py")))[:_FILES]:
        text = hands.text(path)
        if text and word in text:
            yield from expectations(text, path)


def _contradict(one: Expectation, other: Expectation) -> bool:
    return (
        one.function == other.function
        and one.arguments == other.arguments
        and one.expected != other.expected
        and not _equal(one.expected, other.expected)
    )


def _equal(one: str, other: str) -> bool:
    try:
        return bool(ast.literal_eval(one) == ast.literal_eval(other))
    except (ValueError, SyntaxError, TypeError):
        return False


def _imported(tree: ast.Module) -> set[str]:
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _tests(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test"):
                    yield f"{node.name}::{inner.name}", inner


def _bindings(function: ast.FunctionDef) -> list[dict[str, ast.expr]]:
    """Values of the parameters for each row of ``parametrize``; nothing for tests that take fixtures."""
    arguments = {a.arg for a in function.args.args} - {"self"}
    if not arguments:
        return [{}]
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and ast.unparse(decorator.func).endswith("parametrize")
            and len(decorator.args) >= 2
        ):
            names, rows = decorator.args[0], decorator.args[1]
            listed = _names(names)
            if set(listed) == arguments and isinstance(rows, ast.List | ast.Tuple):
                return [row for row in (_row(listed, r) for r in rows.elts) if row]
    return []


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [name.strip() for name in node.value.split(",")]
    if isinstance(node, ast.Tuple | ast.List):
        return [e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    return []


def _row(names: list[str], node: ast.expr) -> dict[str, ast.expr]:
    values = [node] if len(names) == 1 else list(node.elts) if isinstance(node, ast.Tuple | ast.List) else []
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}


def _asserted(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(call, expected) of an assertion."""
    if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
        if isinstance(node.test.ops[0], ast.Eq | ast.Is):
            yield node.test.left, node.test.comparators[0]
            yield node.test.comparators[0], node.test.left
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _EQUAL
        and len(node.args) >= 2
    ):
        yield node.args[0], node.args[1]
        yield node.args[1], node.args[0]


class _Bound(ast.NodeTransformer):
    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._values.get(node.id, node)


def _expectation(
    test: str, call: ast.expr, expected: ast.expr, binding: dict[str, ast.expr], imported: set[str] | None
) -> Expectation | None:
    if binding:
        call, expected = _substituted(call, binding), _substituted(expected, binding)
    if not isinstance(call, ast.Call) or not _constant(expected):
        return None
    if not all(_constant(a) for a in (*call.args, *(k.value for k in call.keywords))):
        return None
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    # What is called must come from an import: a local object may have any state.
    if not isinstance(root, ast.Name) or (imported is not None and root.id not in imported):
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else root.id
    arguments = [ast.unparse(a) for a in call.args] + sorted(f"{k.arg}={ast.unparse(k.value)}" for k in call.keywords)
    return Expectation(
        test, ast.unparse(call), ast.unparse(expected), getattr(call, "lineno", 0), name, ", ".join(arguments)
    )


def _substituted(node: ast.expr, binding: dict[str, ast.expr]) -> ast.expr:
    copied = ast.parse(ast.unparse(node), mode="eval").body
    line = getattr(node, "lineno", 0)
    changed: ast.expr = ast.copy_location(_Bound(binding).visit(copied), node)
    changed.lineno = line
    return changed


def _constant(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
