"""From what a model wrote to the function that it meant.

Weak models put words around their code, leave the fence open, write the class or the whole file, change the name,
indent as they please, or give the body alone. All of that is put right without guessing what the code should do; what
was cut off is never completed. Knows texts and syntax.

>>> function_of("Sure:\\n```python\\ndef g(a):\\n  return a\\n```", "f", "    def f(a):\\n        return -a\\n").text
'    def f(a):\\n      return a\\n'
"""

import ast
import re
import textwrap
from collections.abc import Iterator

import msgspec

_FENCED = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\r?\n(?P<code>.*?)(?P<end>^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_STARTS = re.compile(r"^(?:async def|def|class|import|from|@)\b", re.MULTILINE)
_TALK = 30
"""Lines behind the code that are dropped until the rest is Python."""
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A function as a model wrote it."""

    text: str
    """Indented like the original."""
    imports: tuple[str, ...] = ()


def function_of(answer: str, name: str, original: str, *, cut: bool = False) -> Written | None:
    """The function ``name`` of an answer; ``None`` when it holds none.

    ``original`` is the function as it stands in its file; ``cut``: the answer ended because it was too long.
    """
    for code in codes(answer, cut=cut):
        found = _function(code, name) or _body(code, original)
        if found is not None:
            tree, text = found
            return Written(text=indented(text, original), imports=_imports(tree))
    return None


def codes(answer: str, *, cut: bool = False) -> Iterator[str]:
    """The pieces of code in an answer, the longest first; open ends only when the answer is whole."""
    blocks = [m["code"] for m in _FENCED.finditer(answer) if m["end"] or not cut]
    if "```" not in answer and not cut:
        start = _STARTS.search(textwrap.dedent(answer))
        blocks = [textwrap.dedent(answer)[start.start() :] if start else answer]
    yield from sorted((block.replace("\r\n", "\n").expandtabs(4) for block in blocks), key=len, reverse=True)


def indented(text: str, original: str) -> str:
    """``text`` with the indentation of the first line of ``original``."""
    first = original.splitlines()[0] if original.splitlines() else ""
    return textwrap.indent(textwrap.dedent(text).rstrip("\n") + "\n", first[: len(first) - len(first.lstrip())])


def _function(code: str, name: str) -> tuple[ast.Module, str] | None:
    lines, tree = _parsed(code)
    if tree is None:
        return None
    every = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    own = [node for node in every if node.name == name]
    if not own and len(top := [node for node in tree.body if isinstance(node, _Function)]) == 1:
        own = top
    if not own:
        return None
    node = own[-1]
    text = "".join(lines[node.lineno - 1 : node.end_lineno])
    if node.name != name:
        text = re.sub(rf"(?<![\w.]){re.escape(node.name)}(?=\s*\()", name, text)
    return tree, text


def _body(code: str, original: str) -> tuple[ast.Module, str] | None:
    """The original's signature over statements that are a body and nothing else."""
    lines, tree = _parsed(code)
    if tree is None or not any(isinstance(n, ast.Return | ast.Yield | ast.YieldFrom) for n in ast.walk(tree)):
        return None
    if any(isinstance(node, _Function | ast.ClassDef) for node in tree.body):
        return None
    plain = textwrap.dedent(original)
    try:
        function = ast.parse(plain).body[0]
    except (*_FAULTS, IndexError):
        return None
    if not isinstance(function, _Function) or function.body[0].lineno == function.lineno:
        return None
    head = "".join(plain.splitlines(keepends=True)[: function.body[0].lineno - 1])
    return tree, head + textwrap.indent("".join(lines), "    ")


def _parsed(code: str) -> tuple[list[str], ast.Module | None]:
    """The lines and the tree of a piece of code, without talk behind it."""
    lines = textwrap.dedent(code).strip("\n").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for _ in range(min(_TALK, len(lines))):
        try:
            return lines, ast.parse("".join(lines))
        except _FAULTS:
            lines = lines[:-1]
    return lines, None


def _imports(tree: ast.Module) -> tuple[str, ...]:
    return tuple(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
