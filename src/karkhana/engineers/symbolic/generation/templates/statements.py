"""Whole statements: missing, superfluous, in the wrong place or of the wrong kind."""

import itertools
from collections.abc import Iterator, Sequence

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template, words
from karkhana.engineers.symbolic.generation.source import FunctionView

_MAXIMUM_CHARS = 120
_DONORS = 200
"""Statements that are offered to every place of a function; the likeliest ones."""


def blocks(view: FunctionView) -> Iterator[Sequence[cst.CSTNode]]:
    """The statements of every block, outermost first."""
    for block in view.all(cst.IndentedBlock):
        yield block.body


def whole_lines(view: FunctionView, node: cst.CSTNode) -> tuple[int, int]:
    """The span of a statement with its indentation and its line end."""
    start, end = view.span(node)
    start = view.text.rfind("\n", 0, start) + 1
    stop = view.text.find("\n", end)
    return start, len(view.text) if stop < 0 else stop + 1


def insert_before(view: FunctionView, node: cst.CSTNode, text: str) -> Edit:
    start, _ = whole_lines(view, node)
    return Edit(start, start, _indented(view, node, text))


def insert_after(view: FunctionView, node: cst.CSTNode, text: str) -> Edit:
    _, end = whole_lines(view, node)
    missing = "" if view.text[end - 1 : end] == "\n" else "\n"
    return Edit(end, end, missing + _indented(view, node, text))


def _indented(view: FunctionView, node: cst.CSTNode, text: str) -> str:
    indent = view.indentation(node)
    return "".join(indent + line + "\n" for line in text.split("\n"))


def view_edit(view: FunctionView, node: cst.CSTNode, text: str) -> Edit:
    """Put ``text`` in the place of a node."""
    start, end = view.span(node)
    return Edit(start, end, text)


def is_text(node: cst.CSTNode) -> bool:
    """Whether a statement is nothing but a string."""
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.BaseString)
    )


def _is_docstring(view: FunctionView, node: cst.CSTNode) -> bool:
    return is_text(node) and view.line(node) <= view.first_line + view.text.count("\n") // 2


@template("delete-statement")
def delete_statement(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for body in blocks(view):
        for node in body:
            if _is_docstring(view, node) or isinstance(node, cst.FunctionDef | cst.ClassDef):
                continue
            if not view.is_suspicious(node):
                continue
            start, end = whole_lines(view, node)
            weight = 1.0 if isinstance(node, cst.SimpleStatementLine) else 0.3
            if len(body) == 1:
                text = view.indentation(node) + "pass\n"
                yield Idea(view.line(node), (Edit(start, end, text),), weight * 0.5)
            else:
                yield Idea(view.line(node), (Edit(start, end, ""),), weight)
        for one, other in itertools.pairwise(body):
            simple = all(isinstance(s, cst.SimpleStatementLine) and not _is_docstring(view, s) for s in (one, other))
            if simple and len(body) > 2 and (view.is_suspicious(one) or view.is_suspicious(other)):
                both = Edit(whole_lines(view, one)[0], whole_lines(view, other)[1], "")
                yield Idea(view.line(one), (both,), 0.4)


@template("unwrap-block")
def unwrap_block(scene: Scene) -> Iterator[Idea]:
    """Statements that should not depend on the ``if`` (``else``, ``for``, ``with``) around them."""
    view = scene.view
    for node in view.suspicious(cst.If, cst.For, cst.While, cst.With):
        if not isinstance(node.body, cst.IndentedBlock) or getattr(node, "orelse", None) is not None:
            continue
        parent = view.parent(node)
        if isinstance(parent, cst.If):
            continue
        outer = view.indentation(node)
        start, end = whole_lines(view, node)
        first, _ = whole_lines(view, node.body.body[0])
        inner = view.indentation(node.body.body[0])
        body = view.text[first:end]
        text = "".join(
            outer + line[len(inner) :] if line.startswith(inner) else line for line in body.splitlines(keepends=True)
        )
        yield Idea(view.line(node), (Edit(start, end, text),))
    for branch in view.suspicious(cst.If):
        other = branch.orelse
        if isinstance(other, cst.Else) and isinstance(other.body, cst.IndentedBlock):
            begin = view.text.rfind("\n", 0, view.span(other)[0]) + 1
            first, _ = whole_lines(view, other.body.body[0])
            _, end = whole_lines(view, other.body.body[-1])
            inner = view.indentation(other.body.body[0])
            outer = view.indentation(branch)
            text = "".join(
                outer + line[len(inner) :] if line.startswith(inner) else line
                for line in view.text[first:end].splitlines(keepends=True)
            )
            yield Idea(view.line(other), (Edit(begin, end, text),), 0.7)


@template("move-statement")
def move_statement(scene: Scene) -> Iterator[Idea]:
    """A statement one place up or down, out of its block, or into the block next to it."""
    view = scene.view
    for body in blocks(view):
        for position, node in enumerate(body):
            if not isinstance(node, cst.SimpleStatementLine) or _is_docstring(view, node):
                continue
            if not _near(view, body, position):
                continue
            start, end = whole_lines(view, node)
            text = view.text_of(node)
            if position + 1 < len(body):
                following = body[position + 1]
                yield Idea(view.line(node), (Edit(start, end, ""), insert_after(view, following, text)))
                if position + 2 < len(body):
                    yield Idea(view.line(node), (Edit(start, end, ""), insert_after(view, body[-1], text)), 0.4)
                yield from _into(view, node, following, first=True)
            if position:
                yield from _into(view, node, body[position - 1], first=False)
            owner = view.parent(view.parent(node) or node)
            if len(body) == 1 or owner is view.root or not isinstance(owner, cst.BaseCompoundStatement):
                continue
            outer = _outermost(view, owner)
            if position == len(body) - 1:
                yield Idea(view.line(node), (Edit(start, end, ""), insert_after(view, outer, text)))
            if position == 0 and not isinstance(owner, cst.FunctionDef | cst.Try):
                yield Idea(view.line(node), (insert_before(view, outer, text), Edit(start, end, "")), 0.6)


def _outermost(view: FunctionView, node: cst.CSTNode) -> cst.CSTNode:
    """The first ``if`` of an ``elif`` chain."""
    while isinstance(view.parent(node), cst.If) and isinstance(node, cst.If):
        node = view.parent(node) or node
    return node


def _into(view: FunctionView, node: cst.CSTNode, block: cst.CSTNode, *, first: bool) -> Iterator[Idea]:
    inner = getattr(block, "body", None)
    if not isinstance(inner, cst.IndentedBlock) or isinstance(block, cst.FunctionDef | cst.ClassDef):
        return
    start, end = whole_lines(view, node)
    text = view.text_of(node)
    places = [insert_before(view, inner.body[0], text)] if first else [insert_after(view, inner.body[-1], text)]
    for place in places:
        yield Idea(view.line(node), (Edit(start, end, ""), place), 0.8)


@template("insert-statement")
def insert_statement(scene: Scene) -> Iterator[Idea]:
    """A statement of the function (or one like it, with another variable) that is missing somewhere else."""
    view = scene.view
    donors = dict(_donor_statements(scene))
    for body in blocks(view):
        for position, node in enumerate(body):
            if _is_docstring(view, node) or not _near(view, body, position):
                continue
            if isinstance(node, cst.For | cst.While):
                yield from _guarded_after(scene, node, donors)
            for text, (plain, names) in donors.items():
                weight = plain * scene.nearness(names, node)
                if position == 0 and is_bound(scene, names, node):
                    yield Idea(view.line(node), (insert_before(view, node, text),), weight)
                if leaves(node) or not is_bound(scene, names, node, after=True):
                    continue
                if not (position + 1 < len(body) and view.text_of(body[position + 1]) == text):
                    yield Idea(view.line(node), (insert_after(view, node, text),), weight)


def _near(view: FunctionView, body: Sequence[cst.CSTNode], position: int) -> bool:
    """Whether a statement or one of its neighbours is run by a failing test."""
    return any(view.is_suspicious(node) for node in body[max(0, position - 1) : position + 2])


def _guarded_after(scene: Scene, loop: cst.CSTNode, donors: dict[str, tuple[float, frozenset[str]]]) -> Iterator[Idea]:
    """What a loop does for each full round, once more for the rest that it leaves behind."""
    view = scene.view
    step = step_of(view)
    first, last = view.span(loop)
    inside = {view.text_of(line) for line in view.all(cst.SimpleStatementLine) if first <= view.span(line)[0] < last}
    for text, (weight, names) in donors.items():
        if text not in inside or not is_bound(scene, names, loop, after=True):
            continue
        for name in sorted(names):
            if scene.sized(name) or scene.might_be(name, "bool"):
                edit = insert_after(view, loop, f"if {name}:\n{step}{text}")
                yield Idea(view.line(loop), (edit,), weight * 0.8)


def step_of(view: FunctionView) -> str:
    """One level of indentation as this function writes it."""
    root = view.root
    if isinstance(root, cst.FunctionDef) and isinstance(root.body, cst.IndentedBlock):
        outer, inner = view.indentation(root), view.indentation(root.body.body[0])
        if inner.startswith(outer) and len(inner) > len(outer):
            return inner[len(outer) :]
    return "    "


def is_bound(scene: Scene, names: frozenset[str], node: cst.CSTNode, *, after: bool = False) -> bool:
    """Whether the variables among ``names`` have values before (or after) a statement."""
    start, end = scene.view.span(node)
    return names & scene.variable_set <= scene.bound_at(end if after else start, node)


def leaves(node: cst.CSTNode) -> bool:
    """Whether nothing after a statement in its block is reached."""
    return isinstance(node, cst.SimpleStatementLine) and isinstance(
        node.body[-1], cst.Return | cst.Raise | cst.Break | cst.Continue
    )


def _donor_statements(scene: Scene) -> Iterator[tuple[str, tuple[float, frozenset[str]]]]:
    """Statement text → (weight, variables that it reads)."""
    view = scene.view
    made: dict[str, tuple[float, frozenset[str]]] = {}

    def add(text: str, weight: float, *names: str) -> None:
        if len(text) <= _MAXIMUM_CHARS and "\n" not in text:
            old = made.get(text)
            if old is None or old[0] < weight:
                made[text] = (weight, frozenset(n for n in names if n not in ("self", "cls")))

    variables = [n for n in scene.variables if n not in ("self", "cls")]
    for line in view.all(cst.SimpleStatementLine):
        statement = line.body[0]
        if (
            _is_docstring(view, line)
            or len(line.body) > 1
            or isinstance(statement, cst.Import | cst.ImportFrom | cst.Pass)
        ):
            continue
        reads = [n for n in view.names_in(line) if view.is_load(n)]
        loaded = [n.value for n in reads]
        text = view.text_of(line)
        add(text, 0.8, *loaded)
        start = view.span(line)[0]
        for name in reads:
            if name.value not in variables or isinstance(statement, cst.Return):
                continue
            for other in variables:
                if other != name.value and scene.alike(name.value, other):
                    a, b = view.span(name)
                    changed = text[: a - start] + other + text[b - start :]
                    add(changed, 0.5, other, *(n for n in loaded if n != name.value))
    for variable in variables:
        inserters = words()["inserters"]
        assert isinstance(inserters, dict)
        for kind, methods in inserters.items():
            if not scene.known(variable, kind):
                continue
            for method in methods:
                for other in variables:
                    if other == variable:
                        continue
                    fits = method in ("append", "add", "appendleft") or not scene.known(other, "int", "float", "bool")
                    if fits:
                        # A container that nothing is ever put into is hardly ever meant.
                        weight = 8.0 if variable in scene.never_filled else 0.6
                        add(f"{variable}.{method}({other})", weight, variable, other)
        for other in variables:
            if other != variable and scene.alike(variable, other) and variable in scene.types and other in scene.types:
                add(f"{variable} = {other}", 0.5, other)
        if scene.known(variable, "int"):
            add(f"{variable} += 1", 0.5, variable)
            add(f"{variable} -= 1", 0.4, variable)
        add(f"return {variable}", 0.3, variable)
    for constant, weight in (("True", 0.3), ("False", 0.3), ("None", 0.1), ("[]", 0.15), ("0", 0.15), ("''", 0.1)):
        add(f"return {constant}", weight)
    if any(True for _ in view.all(cst.For, cst.While)):
        add("break", 0.5)
        add("continue", 0.3)
    if any(True for _ in view.all(cst.Yield)):
        for variable in variables:
            add(f"yield {variable}", 0.4, variable)
    yield from sorted(made.items(), key=lambda item: -item[1][0])[:_DONORS]
