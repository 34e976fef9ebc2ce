"""What a change of Python text is: how many lines of code, what it brings in, of which kind it is, which functions.

Knows texts and syntax trees; knows nothing of git or tests. Comments, docstrings and layout never count.

>>> kind_of("def f(a):\\n    return a < 1\\n", "def f(a):\\n    return a <= 1\\n")
'operator'
"""

import ast
import difflib
import io
import tokenize
from collections import Counter
from collections.abc import Iterator

_LAYOUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def plain(text: str, *, annotations: bool = True) -> str:
    """The syntax tree without docstrings, and without type annotations unless they are to count.

    >>> plain("def f():\\n    'What.'\\n    return 1") == plain("def f():\\n    return 1  # one")
    True
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [child for child in body if not _is_text(child)] or [ast.Pass()]
        if not annotations:
            _without_annotations(node)
    return ast.dump(tree)


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold code: no comment, docstring or blank line."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _LAYOUT:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if _is_text(node):
            found.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def changed_lines(old: str, new: str) -> tuple[set[int], set[int]]:
    """Lines of code that a change takes away and that it adds (their numbers before and after)."""
    before, after = old.splitlines(), new.splitlines()
    removed: set[int] = set()
    added: set[int] = set()
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            removed.update(range(a + 1, b + 1))
            added.update(range(c + 1, d + 1))
    return removed & code_lines(old), added & code_lines(new)


def functions_at(text: str, lines: set[int]) -> list[str]:
    """Qualified names of the outermost functions and methods on ``lines``; ``""`` for code outside of any."""
    found: dict[str, None] = {}
    left = set(lines)
    for name, node in outermost(ast.parse(text)):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        inside = {n for n in left if first <= n <= (node.end_lineno or first)}
        if inside:
            found[name] = None
            left -= inside
    if left:
        found[""] = None
    return list(found)


def outermost(tree: ast.AST, classes: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Each function that is in no other function, with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _FUNCTIONS):
            yield ".".join((*classes, node.name)), node  # type: ignore[misc]
        elif isinstance(node, ast.ClassDef):
            yield from outermost(node, (*classes, node.name))
        elif not isinstance(node, ast.expr):
            yield from outermost(node, classes)


def introduced(old: str, new: str) -> set[str]:
    """Public names of functions, classes and parameters that only the new text has."""
    return {name for name in _names(new) - _names(old) if not name.startswith("_")}


def kind_of(old: str, new: str) -> str:
    """One word or two for what a change does: ``operator, constant, name, condition, guard, call, …``."""
    before, after = _statements(old), _statements(new)
    removed: list[tuple[str, ast.AST]] = []
    added: list[tuple[str, ast.AST]] = []
    matcher = difflib.SequenceMatcher(None, [s for s, _ in before], [s for s, _ in after], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            removed += before[a:b]
            added += after[c:d]
    # a statement that only moved, or stands deeper now, is no change of its own
    moved = Counter(s.partition(" ")[2] for s, _ in removed) & Counter(s.partition(" ")[2] for s, _ in added)
    less, more = _without(removed, moved), _without(added, moved)
    if not less and not more:
        return "moved statements" if moved else "nothing"
    if any(isinstance(n, (*_FUNCTIONS, ast.ClassDef)) for n in more) and introduced_any(old, new):
        return "new function"
    if not less:
        return ("wrapped in " if moved else "") + _kind_of_addition(more)
    if not more:
        return "deletion"
    if len(less) == len(more) <= 3:
        return " + ".join(sorted(_kind_of_edit(one, other) for one, other in zip(less, more, strict=True)))
    return "several statements" if len(less) + len(more) > 4 else "few statements"


def _without(statements: list[tuple[str, ast.AST]], moved: Counter[str]) -> list[ast.AST]:
    left, kept = moved.copy(), []
    for text, node in statements:
        head = text.partition(" ")[2]
        if left[head]:
            left[head] -= 1
        else:
            kept.append(node)
    return kept


def introduced_any(old: str, new: str) -> bool:
    """Whether the new text defines a function or class, public or not, that the old one has not."""
    return bool(_definitions(new) - _definitions(old))


def _kind_of_addition(added: list[ast.AST]) -> str:
    first = added[0]
    if isinstance(first, ast.If):
        return "new guard" if len(added) <= 2 else "new branch"
    if isinstance(first, (ast.Import, ast.ImportFrom)) and len(added) == 1:
        return "new import"
    return "new statement" if len(added) == 1 else "new statements"


def _kind_of_edit(old: ast.AST, new: ast.AST) -> str:
    if type(old) is not type(new):
        return "other statement"
    if isinstance(old, _FUNCTIONS):
        return "signature"
    before, after = list(_shallow(old)), list(_shallow(new))
    pairs = [(a, b) for a, b in zip(before, after, strict=False) if ast.dump(a) != ast.dump(b)]
    if len(before) == len(after) and all(type(a) is type(b) or _is_operator(a) for a, b in pairs):
        leaves = [(a, b) for a, b in pairs if not any(True for _ in ast.iter_child_nodes(a))]
        if leaves and all(_is_operator(a) for a, _ in leaves):
            return "operator"
        if leaves and all(isinstance(a, ast.Constant) for a, _ in leaves):
            return "string" if all(isinstance(a.value, (str, bytes)) for a, _ in leaves) else "constant"  # type: ignore[attr-defined]
        if not any(_is_operator(a) or isinstance(a, ast.Constant) for a, _ in leaves):
            return "name"
    if isinstance(old, (ast.If, ast.While)):
        return "condition"
    calls = sum(isinstance(n, ast.Call) for n in after) - sum(isinstance(n, ast.Call) for n in before)
    if calls:
        return "more calls" if calls > 0 else "fewer calls"
    return "expression"


def _is_operator(node: ast.AST) -> bool:
    return isinstance(node, (ast.operator, ast.cmpop, ast.boolop, ast.unaryop))


def _shallow(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what it holds, but for the statements of its blocks."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.stmt, ast.expr_context, ast.ExceptHandler)):
            yield from _shallow(child)


def _statements(text: str) -> list[tuple[str, ast.AST]]:
    """Each statement as a text of its own (without its blocks), in order."""
    found: list[tuple[str, ast.AST]] = []

    def visit(node: ast.AST, depth: int) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.ExceptHandler)):
                if not _is_text(child):
                    found.append((f"{depth} {type(child).__name__} {_head(child)}", child))
                visit(child, depth + 1)

    visit(ast.parse(text), 0)
    return found


def _head(node: ast.AST) -> str:
    parts = [str(getattr(node, "name", ""))]
    parts += [
        ast.dump(child) for child in ast.iter_child_nodes(node) if not isinstance(child, (ast.stmt, ast.ExceptHandler))
    ]
    return " ".join(parts)


def _names(text: str) -> set[str]:
    tree = ast.parse(text)
    return _definitions(text) | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _definitions(text: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, (*_FUNCTIONS, ast.ClassDef))}


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _without_annotations(node: ast.AST) -> None:
    if isinstance(node, _FUNCTIONS):
        node.returns = None
    if isinstance(node, ast.arg):
        node.annotation = None
    if isinstance(node, ast.AnnAssign):
        node.annotation = ast.Constant(None)
