"""One claim as statements of a test, in pytest's words or unittest's. Runs nothing."""

import ast
import builtins

from karkhana.engineers.symbolic.reproduction.claims import EQUAL, HOLDS, RAISES, RUNS, Claim
from karkhana.engineers.symbolic.reproduction.names import Index, best, dotted_name
from karkhana.engineers.symbolic.reproduction.ticket import parsed


def body(claim: Claim, index: Index, *, unittest: bool) -> tuple[list[str], list[str]]:
    """Statements of the test, and the imports they need."""
    scene = claim.trial.scene
    imports = list(claim.trial.imports)
    setup: list[str] = []
    cut = claim.outcome.index + 1 if claim.kind == RUNS and claim.outcome.stage == "setup" else None
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


def shifted(code: str, depth: int) -> str:
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
