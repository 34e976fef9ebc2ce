"""Writes the test that shows a ticket's bug, in the repository's own manner. Knows claims and test files; runs nothing.

>>> slug("Don't `../../etc` crash: total() ignores ß!")
'don_t_etc_crash_total_ignores'
"""

import ast
import builtins
import re
import sys
from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.reproduction.names import Index, best, dotted_name
from karkhana.engineers.symbolic.reproduction.ticket import parsed
from karkhana.engineers.symbolic.reproduction.verdict import EQUAL, HOLDS, RAISES, Claim

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
        lines, needed = _body(claim, index, unittest=manner.unittest)
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
    return [_shifted(line, depth) for line in lines]


def _shifted(code: str, depth: int) -> str:
    """A statement moved to the right; lines inside of strings stay where they are."""
    fixed = _string_lines(code)
    rows = code.split("\n")
    return "".join(
        (row if number in fixed or not row.strip() else " " * depth + row) + "\n" for number, row in enumerate(rows, 1)
    )


def _string_lines(code: str) -> set[int]:
    tree = parsed(code)
    inside: set[int] = set()
    for node in ast.walk(tree) if tree else ():
        textual = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        )
        if textual:
            assert isinstance(node, ast.expr)
            inside.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    return inside


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


# -- one claim -----------------------------------------------------------------------------------------------------


def _body(claim: Claim, index: Index, *, unittest: bool) -> tuple[list[str], list[str]]:
    """Statements of the test, and the imports they need."""
    scene = claim.trial.scene
    imports = list(claim.trial.imports)
    setup: list[str] = []
    cut = claim.outcome.index + 1 if claim.kind not in (EQUAL, RAISES) and claim.outcome.stage == "setup" else None
    statements = scene.setup[:cut] if cut else scene.setup
    for statement in statements:
        tree = parsed(statement)
        if tree and tree.body and isinstance(tree.body[0], ast.Import | ast.ImportFrom):
            imports.append(statement.split("#")[0].strip())
        elif not _idle(tree):
            setup.append(_clean(statement))
            if tree and tree.body and isinstance(tree.body[0], ast.ClassDef | ast.FunctionDef):
                setup.append("")
    if unittest:
        imports.append("import unittest")
    if cut:
        return setup, imports
    subject = scene.subject
    if claim.kind == EQUAL:
        return [*setup, _equal(claim, unittest=unittest)], imports
    if claim.kind == RAISES:
        name, needed = _exception(claim.expected, index)
        imports += needed
        if unittest:
            return [*setup, f"with self.assertRaises({name}):\n    {_inner(subject, claim)}"], imports
        imports.append("import pytest")
        return [*setup, f"with pytest.raises({name}):\n    {_inner(subject, claim)}"], imports
    return [*setup, subject if claim.kind == HOLDS else _without_target(subject)], imports


def _without_target(statement: str) -> str:
    """``f(x)`` of ``result = f(x)``: nothing looks at the result."""
    tree = parsed(statement)
    node = tree.body[0] if tree and len(tree.body) == 1 else None
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return ast.get_source_segment(statement, node.value) or statement
    return statement


def _clean(statement: str) -> str:
    """Without the remark behind it, which told what is wrong today."""
    if "#" in statement and "\n" not in statement:
        tree = parsed(statement)
        end = tree.body[-1].end_col_offset if tree and tree.body else None
        if end is not None:
            return statement.encode()[:end].decode("utf-8", "replace")
    return statement


def _idle(tree: ast.Module | None) -> bool:
    """Whether a statement only shows something: a print, or a bare name."""
    node = tree.body[0] if tree and tree.body else None
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if isinstance(value, ast.Name | ast.Constant):
        return True
    # Results that were only looked at: what is printed, and calls of functions with nothing but constants.
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and all(isinstance(a, ast.Constant) for a in value.args)
    ) or (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("print", "pprint")
        and all(isinstance(a, ast.Name | ast.Constant) for a in value.args)
    )


def _inner(subject: str, claim: Claim) -> str:
    inner = f"list({subject})" if claim.outcome.iterator else subject
    return inner.replace("\n", "\n    ") if not _string_lines(inner) else inner


def _equal(claim: Claim, *, unittest: bool) -> str:
    subject, expected = claim.trial.scene.subject, claim.expected.strip()
    if "\n" in subject:
        subject = ast.unparse(ast.parse(subject, mode="eval"))
    if "\n" in expected:
        expected = ast.unparse(ast.parse(expected, mode="eval"))
    if claim.form in ("repr", "str", "list"):
        subject = f"{claim.form}({subject})"
        if claim.form == "list" and expected.startswith("("):
            expected = f"list({expected})"
    elif _loose(subject):
        subject = f"({subject})"
    if unittest:
        if expected in ("True", "False", "None"):
            return f"self.assertIs({subject}, {expected})"
        return f"self.assertEqual({subject}, {expected})"
    operator = "is" if expected in ("True", "False", "None") else "=="
    return f"assert {subject} {operator} {expected}"


def _loose(subject: str) -> bool:
    """Whether an expression needs brackets on the left of a comparison."""
    tree = parsed(subject)
    node = tree.body[0].value if tree and tree.body and isinstance(tree.body[0], ast.Expr) else None
    return isinstance(node, ast.Compare | ast.BoolOp | ast.Lambda | ast.IfExp | ast.NamedExpr) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _exception(text: str, index: Index) -> tuple[str, list[str]]:
    """The exception's name in the test, and its import."""
    name = text.rpartition(".")[2]
    if hasattr(builtins, name):
        return name, []
    entry = best(index.found.get(name, ()), text, index)
    if entry is not None:
        return name, [f"from {entry.module} import {name}"]
    tree = parsed(text)
    dotted = dotted_name(tree.body[0].value) if tree and isinstance(tree.body[0], ast.Expr) else ""
    module = dotted.rpartition(".")[0]
    return (dotted, [f"import {module}"]) if module else (name, [])
