"""Writes the test that shows a ticket's bug, in the repository's own manner. Knows claims and test files; runs nothing.

>>> slug("Don't `../../etc` crash: total() ignores ß!")
'don_t_etc_crash_total_ignores'
"""

import ast
import re
import sys
from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.reproduction.claims import Claim
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.statements import body, shifted

SLUG_MAX = 48


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How the repository writes tests."""

    folder: str
    """Where the new file goes; empty is the root."""
    pattern: str = "test_{}.py"
    unittest: bool = False
    append: str = ""
    """An existing file to add to, when a new one would not be collected."""


class Written(msgspec.Struct, frozen=True):
    """A test file's text, and the names of the tests in it as pytest gives them."""

    path: str
    text: str
    names: tuple[str, ...]
    functions: tuple[str, ...]


def slug(text: str) -> str:
    """A safe part of a file's name: lower-case ASCII letters, digits and underscores."""
    words = re.findall(r"[a-z0-9]+", text.lower()[:400])
    out = ""
    for word in words:
        if len(out) + len(word) + 1 > SLUG_MAX:
            break
        out += ("_" if out else "") + word
    return out or "ticket"


def write(
    claims: Sequence[Claim],
    title: str,
    manner: Manner,
    index: Index,
    *,
    existing: str = "",
    taken: Sequence[str] = (),
) -> Written:
    """The test file (or the grown one) that holds the claims. ``existing`` is the text of ``manner.append``."""
    name = slug(title)
    path = manner.append or _free(manner, name, taken)
    functions, bodies, imports = [], [], []
    bound = existing
    for number, claim in enumerate(claims):
        function = f"test_{name}" + (f"_{number + 1}" if number else "")
        while re.search(rf"def {function}\(", bound):
            function += "_again"
        functions.append(function)
        lines, needed = body(claim, index, unittest=manner.unittest)
        imports += needed
        bodies.append((function, lines))
    wanted = [line for line in dict.fromkeys(imports) if not re.search(rf"^{re.escape(line)}\s*$", existing, re.M)]
    class_name = "Test" + "".join(word.capitalize() for word in name.split("_"))
    text = _tests(bodies, class_name if manner.unittest else "")
    head = _sorted(wanted, index.packages)
    if existing:
        whole = _grown(existing, head, text)
    else:
        whole = f'"""{_sentence(title)}"""\n\n' + (head + "\n\n\n" if head else "\n") + text
    middle = f"::{class_name}" if manner.unittest else ""
    return Written(path, whole, tuple(f"{path}{middle}::{f}" for f in functions), tuple(functions))


def _free(manner: Manner, name: str, taken: Sequence[str]) -> str:
    prefix = f"{manner.folder}/" if manner.folder else ""
    path = prefix + manner.pattern.format(f"ticket_{name}")
    number = 2
    while path in taken:
        path = prefix + manner.pattern.format(f"ticket_{name}_{number}")
        number += 1
    return path


def _sentence(title: str) -> str:
    """The title as a docstring's one line."""
    plain = "".join(c for c in title if c.isprintable() and c not in '\\"').strip()[:100]
    return f"From a ticket: {plain}" + ("" if plain.endswith((".", "!", "?")) else ".")


def _tests(bodies: list[tuple[str, list[str]]], class_name: str) -> str:
    if class_name:
        parts = [f"    def {name}(self):\n" + "".join(_indented(lines, 8)) for name, lines in bodies]
        return f"class {class_name}(unittest.TestCase):\n" + "\n".join(parts)
    return "\n\n".join(f"def {name}():\n" + "".join(_indented(lines, 4)) for name, lines in bodies)


def _indented(lines: list[str], depth: int) -> list[str]:
    return [shifted(line, depth) for line in lines]


def _grown(existing: str, head: str, text: str) -> str:
    """An existing test file with the imports after its own, and the tests at its end."""
    body = existing.rstrip("\n") + "\n"
    main = re.search(r"^if __name__ == .*", body, re.M)
    tail = ""
    if main:
        body, tail = body[: main.start()].rstrip("\n") + "\n", "\n\n" + body[main.start() :]
    if head:
        tree = parsed_long(body)
        last = max(
            (n.end_lineno or 0 for n in (tree.body if tree else ()) if isinstance(n, ast.Import | ast.ImportFrom)),
            default=0,
        )
        lines = body.split("\n")
        body = "\n".join([*lines[:last], head, *lines[last:]])
    return body.rstrip("\n") + "\n\n\n" + text + tail


def parsed_long(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _sorted(lines: list[str], own: Sequence[str]) -> str:
    """Import lines in three groups: the standard library's, others', the repository's own."""
    groups: tuple[list[str], ...] = ([], [], [])
    for line in sorted(lines, key=lambda line: (line.startswith("from"), line)):
        top = re.split(r"[ .,]", line.split(None, 1)[1])[0]
        groups[0 if top in sys.stdlib_module_names else 2 if top in own else 1].append(line)
    return "\n\n".join("\n".join(group) for group in groups if group)
