"""How does this file do it elsewhere? Statements, conditions and guards of other functions, the most similar first."""

import difflib
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import AND, OR
from karkhana.engineers.symbolic.generation.templates.expressions import condition_places
from karkhana.engineers.symbolic.generation.templates.guards import answers, body_of
from karkhana.engineers.symbolic.generation.templates.statements import (
    blocks,
    insert_after,
    insert_before,
    is_bound,
    leaves,
    step_of,
)

_STATEMENTS = 40
_CONDITIONS = 24
_ANSWERS = 6
_ALIKE = 0.6
"""Share of tokens in common from which a statement is taken for a version of another."""


def _name(scene: Scene) -> str:
    root = scene.view.root
    return root.name.value if isinstance(root, cst.FunctionDef) else ""


@template("sibling-statement")
def sibling_statement(scene: Scene) -> Iterator[Idea]:
    """A statement that similar functions of the file have and this one has not."""
    view = scene.view
    own = {view.text_of(line) for line in view.all(cst.SimpleStatementLine)}
    donors = [
        row
        for row in scene.fitting(scene.around.statements(_name(scene), view.classes), _STATEMENTS)
        if row[0] not in own and not row[0].startswith(("continue", "break", "return None"))
    ]
    opening = next(iter(body_of(scene)), None)
    for body in blocks(view):
        for position, node in enumerate(body):
            if not view.is_suspicious(node):
                continue
            for text, names, weight, first in donors:
                adapted = _indented(scene, text)
                if position == 0 and is_bound(scene, names, node):
                    better = 2.0 if first and node is opening else 1.0
                    yield Idea(view.line(node), (insert_before(view, node, adapted),), weight * better)
                if is_bound(scene, names, node, after=True) and not leaves(node):
                    yield Idea(view.line(node), (insert_after(view, node, adapted),), weight * 0.8)


def _indented(scene: Scene, text: str) -> str:
    """A donor with this function's own step of indentation."""
    step = step_of(scene.view)
    return re.sub(r"(?m)^(?:    )+", lambda match: step * (len(match.group()) // 4), text)


@template("analogous-statement")
def analogous_statement(scene: Scene) -> Iterator[Idea]:
    """A statement that differs a little from its counterpart in another function, or in this one."""
    view = scene.view
    rows = scene.fitting(scene.around.statements(_name(scene), view.classes), 3 * _STATEMENTS)
    donors = [(text, weight, _tokens(text)) for text, _, weight, _ in rows if "\n" not in text]
    for line in view.suspicious(cst.SimpleStatementLine):
        text = view.text_of(line)
        tokens = _tokens(text)
        if len(tokens) < 4 or "\n" in text:
            continue
        start, end = view.span(line)
        for other, weight, others in donors:
            if other != text and len(set(tokens) & set(others)) >= _ALIKE * max(len(set(tokens)), len(set(others))):
                ratio = difflib.SequenceMatcher(None, tokens, others).ratio()
                if ratio >= _ALIKE:
                    yield Idea(view.line(line), (Edit(start, end, other),), weight * ratio)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


@template("sibling-condition")
def sibling_condition(scene: Scene) -> Iterator[Idea]:
    """A condition that lacks what other functions ask, or an attribute of the object."""
    view = scene.view
    questions = list(_questions(scene))
    for node, weight in condition_places(scene):
        if not view.is_suspicious(node):
            continue
        text = view.text_of(node)
        for question, names, own in questions:
            if question in text or not is_bound(scene, names, node):
                continue
            for operator, level in (("and", AND), ("or", OR)):
                part = f"({question})" if operator == "and" and " or " in question else question
                base = view.tight(node, level)
                yield Idea(view.line(node), (view.replace(node, f"{base} {operator} {part}", level),), weight * own)
                yield Idea(
                    view.line(node), (view.replace(node, f"{part} {operator} {base}", level),), weight * own * 0.6
                )


def _questions(scene: Scene) -> Iterator[tuple[str, frozenset[str], float]]:
    donors = scene.around.conditions(_name(scene), scene.view.classes)
    for text, names, weight, _ in scene.fitting(donors, _CONDITIONS):
        yield text, names, weight
        if not text.startswith("not ") and " " not in text:
            yield f"not {text}", names, weight * 0.7
    for name in scene.self_attributes[:_CONDITIONS]:
        for text, weight in ((f"self.{name}", 0.3), (f"not self.{name}", 0.3)):
            yield text, frozenset(), weight
        yield f"self.{name} is None", frozenset(), 0.12
        yield f"self.{name} is not None", frozenset(), 0.12


@template("sibling-guard")
def sibling_guard(scene: Scene) -> Iterator[Idea]:
    """A special case at the start of the function, by a condition that other functions ask."""
    view = scene.view
    first = next(iter(body_of(scene)), None)
    if first is None:
        return
    step = step_of(view)
    options = sorted(answers(scene), key=lambda pair: -pair[1])[:_ANSWERS]
    for question, names, weight in _questions(scene):
        if names & scene.variable_set <= frozenset(view.parameters):
            for answer, own in options:
                edit = insert_before(view, first, f"if {question}:\n{step}{answer}")
                yield Idea(view.line(first), (edit,), weight * own)
