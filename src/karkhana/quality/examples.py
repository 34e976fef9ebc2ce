"""Examples of what a function gives, as its documentation and the ticket tell them: checks that no test need make.

Sessions (``>>> f(3)`` with the answer on the next line), arrows (``f(3) => 4``, ``f(3) == 4``), and in tickets also
"f(3) should return 4". Both sides are Python expressions. Texts are untrusted: nothing is run here.

>>> examples("f", "    >>> f(3)\\n    4\\n", "Note that f(0) should be 1.")
(('f(3)', '4'), ('f(0)', '1'))
"""

import ast
import builtins
import re

_MOST = 12
_CHARS = 300
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_SESSION = re.compile(r"(?m)^[ \t]*>>> ?(?P<call>.+?)[ \t]*\n[ \t]*(?P<said>(?!>>>|\.\.\. |Traceback)\S.*?)[ \t]*$")
_ARROW = re.compile(r"(?m)^[ \t*-]*`*(?P<call>\w+\(.*\))`*\s*(?:==+>?|=>|-+>|➞|→|#)\s*`*(?P<said>[^\s`].*?)`*[ \t.]*$")
_SHOULD = re.compile(
    r"(?P<call>\w+\([^\n]*?\))`* (?:should|must) (?:return|be|give|equal|yield) `*(?P<said>[^\n]+?)`*[.,]?(?:$|\s)"
)


def examples(name: str, documentation: str, ticket: str = "", module: str | None = None) -> tuple[tuple[str, str], ...]:
    """``(call, expected)`` of the function ``name``, at most a dozen, in the order of the texts.

    ``module``: the file's text; examples that speak of names which it does not hold are no programs, and left out.
    """
    known = None if module is None else _held(module)
    found: dict[str, str] = {}
    matches = [*_SESSION.finditer(documentation), *_ARROW.finditer(documentation)]
    for start in re.finditer(rf"\b{re.escape(name)}\(", ticket):
        should = _SHOULD.match(ticket, start.start())
        matches += [should] if should else []
    for match in matches:
        call, said = _expression(match["call"]), _said(match["said"])
        own = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
        if call is not None and said is not None and own and (known is None or _names(call, said) <= known):
            found.setdefault(ast.unparse(call), ast.unparse(said))
    return tuple(found.items())[:_MOST]


def documentation(text: str) -> str:
    """The documentation of a function's text; empty when it has none, or cannot be read."""
    try:
        tree = ast.parse(("if 1:\n" if text[:1] in " \t" else "") + text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return ast.get_docstring(node, clean=False) or ""
    return ""


def _names(*expressions: ast.expr) -> set[str]:
    return {node.id for one in expressions for node in ast.walk(one) if isinstance(node, ast.Name)}


def _held(module: str) -> set[str]:
    """Names that the code of a file uses or makes."""
    try:
        tree = ast.parse(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(dir(builtins))
    found = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def _said(text: str) -> ast.expr | None:
    """The answer; ``true`` and the like as people write them who think of other languages."""
    found = _expression(text)
    if isinstance(found, ast.Constant) and text.strip().startswith("("):
        return None  # a tuple of one, or a value in brackets: nobody knows
    return _Words().visit(found) if found is not None else None


class _Words(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node


def _expression(text: str) -> ast.expr | None:
    if len(text) > _CHARS:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
