"""Branches: results that belong to each other's place, cases that no branch treats."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.templates.statements import step_of, view_edit, whole_lines

_LITERALS = 24
_SHORT = 6
"""Characters of a literal, quotes included, that a text may begin or end with."""


@template("exchanged-results")
def exchanged_results(scene: Scene) -> Iterator[Idea]:
    """Two ``return`` statements (or branches of one statement each) whose values belong to each other's place."""
    view = scene.view
    pairs = [("return", list(view.all(cst.Return)))]
    for branch in view.all(cst.If):
        other = branch.orelse
        if isinstance(other, cst.Else):
            inner = [list(view_statements(b)) for b in (branch.body, other.body)]
            if all(len(i) == 1 for i in inner):
                pairs.append(("branch", [inner[0][0], inner[1][0]]))
    for _, nodes in pairs:
        texts = [view.text_of(n) for n in nodes]
        for i, one in enumerate(texts):
            for j in range(i + 1, min(len(texts), i + 4)):
                if one != texts[j] and (view.is_suspicious(nodes[i]) or view.is_suspicious(nodes[j])):
                    edits = (view_edit(view, nodes[i], texts[j]), view_edit(view, nodes[j], one))
                    yield Idea(view.line(nodes[i]), edits, 1.0 if j == i + 1 else 0.5)


def view_statements(body: cst.BaseSuite) -> Iterator[cst.CSTNode]:
    """The statements of a block, when all of them are simple."""
    if isinstance(body, cst.IndentedBlock) and all(isinstance(s, cst.SimpleStatementLine) for s in body.body):
        yield from body.body


@template("new-branch")
def new_branch(scene: Scene) -> Iterator[Idea]:
    """One more ``elif``: a condition like those of the chain, with what another branch does or the function returns."""
    view = scene.view
    bodies = dict.fromkeys(view.text_of(back) for back in view.all(cst.Return) if "\n" not in view.text_of(back))
    for branch in view.all(cst.If):
        if not isinstance(branch.body, cst.IndentedBlock) or not _near_branch(view, branch):
            continue
        inner = list(view_statements(branch.body))
        own = dict.fromkeys([view.text_of(inner[0])] if len(inner) == 1 else [])
        start = view.text.rfind("\n", 0, view.span(branch)[0]) + 1
        word = "elif" if view.text_of(branch).startswith("elif") else "if"
        end = whole_lines(view, branch.body.body[-1])[1]
        indent, step = view.indentation(branch), step_of(view)
        for condition, weight in _like_conditions(scene, branch):
            for position, body in enumerate([*own, *(b for b in bodies if b not in own)][:8]):
                factor = weight * (1.0 if position == 0 else 0.6)
                after = f"{indent}elif {condition}:\n{indent}{step}{body}\n"
                yield Idea(view.line(branch), (Edit(end, end, after),), factor)
                if word == "if":
                    at = view.span(branch)[0]
                    before = f"{indent}if {condition}:\n{indent}{step}{body}\n{indent}el"
                    yield Idea(view.line(branch), (Edit(start, at, before),), factor)


def _near_branch(view: FunctionView, branch: cst.If) -> bool:
    return view.is_suspicious(branch.test) or view.is_suspicious(branch)


def _like_conditions(scene: Scene, branch: cst.If) -> Iterator[tuple[str, float]]:
    """The condition of a branch with another type, operator or constant."""
    view = scene.view
    test = branch.test
    text, begin = view.text_of(test), view.span(test)[0]
    if "\n" in text:
        return
    if isinstance(test, cst.Call) and view.text_of(test.func) == "isinstance" and len(test.args) == 2:
        subject = view.text_of(test.args[0].value)
        for kind in (*scene.seen_types, "str", "int", "list", "dict", "tuple", "set"):
            if kind != view.text_of(test.args[1].value):
                yield f"isinstance({subject}, {kind})", 1.0 if kind in scene.types.get(subject, ()) else 0.3
    for call in view.all(cst.Call):
        at, stop = view.span(call)
        if begin <= at < view.span(test)[1] and len(call.args) == 1:
            argument = call.args[0].value
            if isinstance(argument, cst.SimpleString):
                start, end = (place - at for place in view.span(argument))
                whole = view.text[at:stop]
                for literal in scene.literals[:_LITERALS]:
                    if literal[:1] in "'\"" and literal[1:-1] != view.text_of(argument)[1:-1]:
                        yield whole[:start] + literal + whole[end:], 0.4 if len(literal) <= _SHORT else 0.1
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        start, end = (place - begin for place in view.span(target.comparator))
        for literal in scene.literals[:12]:
            if literal != text[start:end]:
                yield text[:start] + literal + text[end:], 0.3
        start, end = (place - begin for place in view.span(target.operator))
        for operator in ("<", ">", "=="):
            if text[start:end].strip() in ("<", ">", "==", "<=", ">=") and operator != text[start:end].strip():
                yield f"{text[:start].rstrip()} {operator} {text[end:].lstrip()}", 0.5
