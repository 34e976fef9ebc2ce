"""What stands in the wrong order: branches of a chain, statements before or after a block, or inside of it."""

import itertools
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.templates.statements import blocks, is_text, step_of, whole_lines

_LINES = 8
"""Of a block that is moved."""


@template("branch-order")
def branch_order(scene: Scene) -> Iterator[Idea]:
    """Two branches of one ``if``/``elif`` chain, exchanged: the narrower question belongs before the wider one."""
    view = scene.view
    for branch in view.all(cst.If):
        chain = list(_chain(branch))
        for distance in (1, 2):
            for other in chain[distance : distance + 1]:
                if not (view.is_suspicious(branch.test) or view.is_suspicious(other.test)):
                    continue
                edits = _exchanged(view, branch, other)
                if edits is not None:
                    yield Idea(view.line(branch), edits, 1.0 / distance)


def _chain(branch: cst.If) -> Iterator[cst.If]:
    yield branch
    while isinstance(branch.orelse, cst.If):
        branch = branch.orelse
        yield branch


def _exchanged(view: FunctionView, one: cst.If, other: cst.If) -> tuple[Edit, ...] | None:
    bodies = []
    for branch in (one, other):
        if not isinstance(branch.body, cst.IndentedBlock):
            return None
        start, end = whole_lines(view, branch.body.body[0])[0], whole_lines(view, branch.body.body[-1])[1]
        bodies.append((start, end, view.text[start:end]))
    tests = [(*view.outer_span(b.test), "") for b in (one, other)]
    texts = [view.text[start:end] for start, end, _ in tests]
    return (
        Edit(tests[0][0], tests[0][1], texts[1]),
        Edit(bodies[0][0], bodies[0][1], bodies[1][2]),
        Edit(tests[1][0], tests[1][1], texts[0]),
        Edit(bodies[1][0], bodies[1][1], bodies[0][2]),
    )


@template("move-block")
def move_block(scene: Scene) -> Iterator[Idea]:
    """A statement and a block beside it, exchanged; a guard that belongs into the ``try`` or ``with`` after it."""
    view = scene.view
    step = step_of(view)
    for body in blocks(view):
        for one, other in itertools.pairwise(body):
            if not (view.is_suspicious(one) or view.is_suspicious(other)):
                continue
            if any(isinstance(s, cst.FunctionDef | cst.ClassDef) or is_text(s) for s in (one, other)):
                continue
            (start, middle), (begin, end) = whole_lines(view, one), whole_lines(view, other)
            first, second = view.text[start:middle], view.text[begin:end]
            simple = all(isinstance(s, cst.SimpleStatementLine) for s in (one, other))
            if not simple and not _leaves(one) and not second.endswith("\\\n"):
                swapped = (Edit(start, middle, second), Edit(begin, end, _whole(first)))
                yield Idea(view.line(other), swapped, 0.7 if _leaves(other) else 1.0)
            if isinstance(other, cst.Try | cst.With) and first.count("\n") <= _LINES:
                inner = whole_lines(view, other.body.body[0])[0]
                moved = "".join(step + line if line.strip() else line for line in first.splitlines(keepends=True))
                yield Idea(view.line(one), (Edit(start, middle, ""), Edit(inner, inner, moved)), 0.8)


def _whole(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _leaves(node: cst.CSTNode) -> bool:
    """Whether nothing after it in its block runs."""
    return isinstance(node, cst.SimpleStatementLine) and isinstance(
        node.body[-1], cst.Return | cst.Raise | cst.Continue | cst.Break
    )
