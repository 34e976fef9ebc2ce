"""What no sensible change does: use names that nothing defines, or treat the values of the test as a special case.

Works on syntax trees and symbol tables of texts and runs none of them. Text that this interpreter cannot parse
gives no veto.
"""

import ast
import builtins
import re
import symtable
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

_COMMON = (None, True, False, -1, 0, 1, 2, "", b"")
_IMPLICIT = ("__file__", "__path__", "__builtins__", "__class__", "__annotations__", "__module__", "__qualname__")
_NAMES = frozenset(dir(builtins)) | set(_IMPLICIT)
_EXPECTING = re.compile(r"(?:.*\.)?(?:raises|warns|assert\w*|approx|match|search|fail|param|skip\w*)$")
TOO_DEEP = (SyntaxError, ValueError, RecursionError, MemoryError)


def undefined_names(module: str) -> frozenset[str]:
    """Names that a module's text reads and nothing in it binds; empty when it binds names that cannot be known.

    >>> sorted(undefined_names("import os\\ndef f(a):\\n    return os.sep + b + a\\n"))
    ['b']
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            top = symtable.symtable(module, "module", "exec")
    except TOO_DEEP:
        return frozenset()
    if re.search(r"(?m)^\s*from [\w.]+ import \*|\bglobals\(\)", module):
        return frozenset()
    scopes = list(_scopes(top))
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    bound |= {s.get_name() for scope in scopes for s in scope.get_symbols() if s.is_declared_global()}
    read: set[str] = set()
    for scope in scopes:
        read |= {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (scope is top or s.is_global())}
    return frozenset(read - bound - _NAMES)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def inputs_only(test: str) -> frozenset[str]:
    """Literals that the function of a test passes to calls and expects of nothing.

    >>> sorted(inputs_only("def test_f():\\n    assert f('in', 7) == 'out'\\n    with raises(E, match='m'): f(8)"))
    ["'in'", '7', '8']
    """
    try:
        tree = parsed(test)
    except TOO_DEEP:
        return frozenset()
    passed: set[str] = set()
    expected: set[str] = set()
    # Decorators hold parameter sets, of which some are expected.
    bodies = [n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for s in f.body for n in ast.walk(s)]
    for node in bodies:
        if isinstance(node, ast.Call):
            told = passed if not _EXPECTING.match(ast.unparse(node.func)) else expected
            told.update(t for a in (*node.args, *(k.value for k in node.keywords)) for t in _constants(a))
        elif isinstance(node, ast.Compare):
            expected.update(t for side in (node.left, *node.comparators) for t in _constants(side))
    return frozenset(passed - expected)


def special_case(before: str, after: str, literals: Iterable[str], elsewhere: str, inputs: Iterable[str] = ()) -> str:
    """The literal that ``after`` newly compares with, or answers, and that only the tests know; else empty.

    ``before`` and ``after`` are texts of one function, ``literals`` those of the failing tests, ``elsewhere`` all
    texts that may vouch for a literal: the module and the ticket. ``inputs`` are literals that the tests only pass:
    no exception that is raised names them either.

    >>> special_case("def f(w):\\n    return w", "def f(w):\\n    if w == 'ox':\\n        return w", ["'ox'"], "")
    "'ox'"
    """
    try:
        new = Counter(_decisive(after)) - Counter(_decisive(before))
        raised = Counter(_raised(after)) - Counter(_raised(before))
    except TOO_DEEP:
        return ""
    named = [text for text in raised if text in inputs and not _vouched(_value(text), elsewhere)]
    if named and _value(named[0]) not in _COMMON:
        return named[0]
    known = [value for text in literals if (value := _value(text)) is not None]
    for text in new:
        value = _value(text)
        if value in _COMMON or isinstance(value, bool) or not _from_tests(value, known):
            continue
        if not _vouched(value, elsewhere):
            return text
    return ""


def unreachable(function: str) -> int:
    """Statements that stand behind one that always leaves: nothing ever runs them.

    >>> unreachable("def f(a):\\n    return a\\n    print(a)")
    1
    """
    try:
        tree = parsed(function)
    except TOO_DEEP:
        return 0
    count = 0
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                left = next((n for n, statement in enumerate(block) if isinstance(statement, _LEAVING)), len(block))
                count += len(block[left + 1 :])
    return count


def no_longer_read(before: str, after: str) -> frozenset[str]:
    """Names that ``before`` reads, and that ``after`` still binds (as a parameter or variable) but never reads.

    Words of docstrings and comments are no reading, and neither is an assignment.

    >>> sorted(no_longer_read("def f(a, b):\\n    return a if b else 0", "def f(a, b):\\n    'Uses b.'\\n    return a"))
    ['b']
    """
    try:
        old, new = parsed(before), parsed(after)
    except TOO_DEEP:
        return frozenset()
    read, left = (
        {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} for tree in (old, new)
    )
    bound = {n.arg for n in ast.walk(new) if isinstance(n, ast.arg)}
    bound |= {n.id for n in ast.walk(new) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return frozenset((read - left) & bound)


def hollow(before: str, after: str) -> bool:
    """Whether a function that computed its result only gives constants or its own arguments back now.

    >>> hollow("def f(a):\\n    return a + 1", "def f(a):\\n    return a")
    True
    """
    try:
        old, new = _functions(parsed(before)), _functions(parsed(after))
    except TOO_DEEP:
        return False
    return any(_empty(new[name]) and not _empty(old[name]) for name in new.keys() & old.keys())


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def _empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Only one constant, or only parameters that nothing in the function touches, are returned."""
    inside = [n for s in function.body for n in ast.walk(s)]
    results = [n.value for n in inside if isinstance(n, ast.Return) and n.value is not None]
    texts = {ast.unparse(value) for value in results}
    if not results or any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inside):
        return False
    if all(isinstance(value, ast.Constant) for value in results):
        return len(texts) == 1 and not any(isinstance(n, ast.Return) and n.value is None for n in inside)
    arguments = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    uses = Counter(n.id for n in inside if isinstance(n, ast.Name))
    return all(isinstance(v, ast.Name) and v.id in arguments and uses[v.id] == len(results) for v in results)


_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def _decisive(function: str) -> Iterator[str]:
    """Constants that are compared for equality, or returned."""
    for node in ast.walk(parsed(function)):
        if isinstance(node, ast.Compare) and all(
            isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops
        ):
            for side in (node.left, *node.comparators):
                yield from _constants(side)
        elif isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
            yield from _constants(node.value)


def _raised(function: str) -> Iterator[str]:
    """Constants in what is raised."""
    for node in ast.walk(parsed(function)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                yield from _constants(argument)


def parsed(function: str) -> ast.Module:
    # A method's text is indented; so it becomes the body of something.
    return ast.parse(("if 1:\n" if function[:1] in " \t" else "") + function)


def _constants(node: ast.expr) -> Iterator[str]:
    elements = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    for element in elements:
        if _value(text := ast.unparse(element)) is not None:
            yield text


def _value(text: str) -> object:
    try:
        value = ast.literal_eval(text)
    except TOO_DEEP:
        return None
    return value if isinstance(value, (int, float, str, bytes)) else None


def _from_tests(value: object, known: list[object]) -> bool:
    if isinstance(value, str) and len(value) == 1:
        return any(isinstance(other, str) and value in other for other in known)
    return value in known


def _vouched(value: object, elsewhere: str) -> bool:
    if isinstance(value, (str, bytes)):
        told = value.decode(errors="replace") if isinstance(value, bytes) else value
        return (len(told) > 1 and told in elsewhere) or repr(told) in elsewhere or f'"{told}"' in elsewhere
    return re.search(rf"(?<![\w.]){re.escape(repr(value))}(?![\w.])", elsewhere) is not None
