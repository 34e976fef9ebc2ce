"""Which functions of a Python file a change touches, told by their names and syntax rather than by lines.

Outermost functions and methods only: what is nested belongs to the one around it. Comments and blank lines are no
change. Knows nothing of tests, and refuses source that the parser should not be given.

>>> found = changed_functions("a.py", b"def f():\\n    return 1\\n", b"def f():\\n    return 2\\n")
>>> [(f.place.qualified, f.old is not None) for f in found.functions], found.outside
([('f', True)], False)
"""

import ast
from functools import lru_cache

import msgspec

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.quality.diffs import line_diff, text_of
from karkhana.syntax import DEEPEST, LARGEST, Unparsable, depth

Function = ast.FunctionDef | ast.AsyncFunctionDef


class ChangedFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One function after a change."""

    path: str
    place: FunctionPlace
    text: str
    """From the line of ``def`` to its last line, after the change."""
    old: str | None
    """The same before the change; ``None`` when there was no such function."""
    swappable: bool
    """Only its body differs, so that the two can stand in for each other in a running program."""
    lines: tuple[int, ...] = ()
    """Lines of it, after the change, that were added or stand next to removed ones."""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Python file that exists after a change."""

    path: str
    text: str
    old: str | None
    """The whole file before; ``None`` when the change brings it along."""
    functions: tuple[ChangedFunction, ...] = ()
    gone: tuple[str, ...] = ()
    """Qualified names of functions that exist no more."""
    outside: bool = False
    """Something outside of functions differs."""
    lines: tuple[int, ...] = ()
    """As those of a function, for what lies outside of all of them."""

    @property
    def swappable(self) -> bool:
        """Whether the program before is this one with other bodies in its functions."""
        return not (self.outside or self.gone) and all(f.swappable for f in self.functions)


class _Found(msgspec.Struct, frozen=True):
    place: FunctionPlace
    text: str
    body: str
    head: str


@lru_cache(maxsize=64)
def changed_functions(path: str, before: bytes | None, after: bytes) -> ChangedFile:
    """Compare the two contents of one file. Raises ``Unparsable``."""
    old_text, text = None if before is None else _text(before), _text(after)
    old_tree, tree = None if old_text is None else _parsed(old_text), _parsed(text)
    old = _functions(old_tree, old_text or "") if old_tree is not None else {}
    new = _functions(tree, text)
    diff = line_diff(before, after)
    touched = set(diff.added) or diff.around_after
    functions = tuple(
        ChangedFunction(
            path=path,
            place=one.place,
            text=one.text,
            old=old[key].text if key in old else None,
            swappable=key in old and old[key].head == one.head,
            lines=tuple(sorted(n for n in _near(one.place, set(diff.added), diff.around_after))),
        )
        for key, one in new.items()
        if key not in old or (old[key].body, old[key].head) != (one.body, one.head)
    )
    inside = {n for one in new.values() for n in range(one.place.top, one.place.end + 1)}
    return ChangedFile(
        path=path,
        text=text,
        old=old_text,
        functions=functions,
        gone=tuple(key[0] for key in old if key not in new),
        outside=old_text is None or _skeleton(old_text) != _skeleton(text),
        lines=tuple(sorted(touched - inside)),
    )


def _near(place: FunctionPlace, added: set[int], around: frozenset[int]) -> set[int]:
    inside = set(range(place.start, place.end + 1))
    return inside & added or inside & around


def _text(content: bytes) -> str:
    text = text_of(content)
    if "\r" in text or "\x0c" in text or text.startswith("\ufeff"):
        # Offsets into lines would be other ones than the target's interpreter sees.
        raise Unparsable("it has other line ends than those of Unix, or a byte order mark")
    return text


def _parsed(text: str) -> ast.Module:
    if len(text) > LARGEST or depth(text) > DEEPEST:
        raise Unparsable("it is too large or nested too deeply to be read")
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unparsable(f"this interpreter cannot parse it: {error}") from error


def _functions(tree: ast.Module, text: str) -> dict[tuple[str, int], _Found]:
    """By qualified name, and how many of that name came before."""
    lines = [line + "\n" for line in text.split("\n")]
    found: dict[tuple[str, int], _Found] = {}
    counts: dict[str, int] = {}

    def walk(node: ast.AST, classes: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                top = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                end = child.end_lineno or child.lineno
                place = FunctionPlace(name=child.name, classes=classes, top=top, start=child.lineno, end=end)
                number = counts[place.qualified] = counts.get(place.qualified, -1) + 1
                source = "".join(lines[child.lineno - 1 : end])[: None if end < len(lines) else -1]
                found[place.qualified, number] = _Found(place, source, _body(child), _head(child))
            elif isinstance(child, ast.ClassDef):
                walk(child, (*classes, child.name))
            elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                walk(child, classes)

    walk(tree, ())
    return found


def _body(function: Function) -> str:
    """What it does, without its documentation."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return "\n".join(ast.dump(statement) for statement in body)


def _head(function: Function) -> str:
    parts = [function.args, *function.decorator_list, *([function.returns] if function.returns else [])]
    return type(function).__name__ + "\n".join(ast.dump(part) for part in parts)


def _skeleton(text: str) -> str:
    """The file without its functions."""
    return ast.dump(_WithoutFunctions().visit(ast.parse(text)))


class _WithoutFunctions(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        return None
