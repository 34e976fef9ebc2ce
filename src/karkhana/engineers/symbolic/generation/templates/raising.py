"""Exceptions: values that must be refused, errors that must be caught or turned into others."""

import itertools
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.templates.guards import answers, body_of, questions
from karkhana.engineers.symbolic.generation.templates.statements import (
    insert_after,
    insert_before,
    is_bound,
    step_of,
    whole_lines,
)

_KINDS = (
    "str",
    "int",
    "list",
    "dict",
    "tuple",
    "(int, float)",
    "(list, tuple)",
    "bytes",
    "bool",
    "type",
    "float",
    "set",
)
_CONDITIONS = 24
_RAISES = 4
_NAMED = 2.5
"""How much likelier a question is about what the expected message names."""
_TOGETHER = 4


@template("missing-raise")
def missing_raise(scene: Scene) -> Iterator[Idea]:
    """A value that must be refused, with the exception that a failing test expects."""
    view = scene.view
    body = body_of(scene)
    if not scene.raisable or not body:
        return
    step = step_of(view)
    raises = list(_raises(scene))
    named = _named(scene)
    asked = [
        (question, names, weight * (_NAMED if any(re.search(rf"\b{n}\b", question) for n in named) else 1.0))
        for question, names, weight in (*_reasons(scene), *_together(scene, named))
    ]
    for position, node in enumerate(body):
        for question, names, weight in asked:
            if not is_bound(scene, names, node):
                continue
            for statement, own in raises:
                near = 1.0 if position == 0 else 0.4
                edit = insert_before(view, node, f"if {question}:\n{step}{statement}")
                yield Idea(view.line(node), (edit,), weight * own * near)
        if position > 6:
            break
    yield from _otherwise(scene, raises)


def _named(scene: Scene) -> tuple[str, ...]:
    """Parameters and attributes that the expected message is about."""
    message = " ".join(error.partition("(")[2] for error in scene.raisable)
    known = (*(p for p in scene.view.parameters if p not in ("self", "cls")), *scene.self_attributes)
    return tuple(dict.fromkeys(n for n in known if len(n) > 1 and re.search(rf"\b{re.escape(n)}\b", message)))


def _together(scene: Scene, named: tuple[str, ...]) -> Iterator[tuple[str, frozenset[str], float]]:
    """Two parameters of which at most one may be given."""
    given = [n for n in named if n in scene.view.parameters][:_TOGETHER]
    for one, other in itertools.permutations(given, 2):
        yield f"{one} and {_is_given(scene, other)}", frozenset({one, other}), 0.5
        if one < other:
            both = f"{_is_given(scene, one)} and {_is_given(scene, other)}"
            yield both, frozenset({one, other}), 0.5


def _is_given(scene: Scene, name: str) -> str:
    """How a function asks whether it was called with an optional parameter."""
    root = scene.view.root
    for parameter in root.params.params if isinstance(root, cst.FunctionDef) else ():
        default = parameter.default.value if isinstance(parameter.default, cst.Name) else "True"
        if parameter.name.value == name and default not in ("True", "False"):
            return f"{name} is not {default}"
    return name


def _raises(scene: Scene) -> Iterator[tuple[str, float]]:
    """Statements that raise what is expected, as the rest of the file writes them first."""
    name = scene.view.root.name.value if isinstance(scene.view.root, cst.FunctionDef) else ""
    plain = tuple(e.partition("(")[0] for e in scene.raisable)
    for error in scene.raisable[:2]:
        yield f"raise {error}", 1.0
    donors = [d for d in scene.around.statements(name, scene.view.classes) if d.text.startswith("raise ")]
    fitting = [row for row in scene.fitting(donors, 40) if row[0][6:].partition("(")[0] in plain]
    for text, _, weight, _ in fitting[:_RAISES]:
        yield text, 0.4 + weight


def _reasons(scene: Scene) -> Iterator[tuple[str, frozenset[str], float]]:
    view = scene.view
    names = [n for n in view.parameters if n not in ("self", "cls")]
    for question, weight in questions(scene, tuple(names)):
        yield question, frozenset(n for n in names if n in question), weight
    for name in names:
        own = frozenset({name})
        for kind in _KINDS:
            yield f"not isinstance({name}, {kind})", own, 0.3 if scene.known(name, kind) else 0.12
        yield f"not callable({name})", own, 0.35
        for seen in sorted(scene.types.get(name, ())):
            if seen.isidentifier() and seen not in ("NoneType", "function", "method"):
                yield f"isinstance({name}, {seen})", own, 0.35
        for attribute in scene.self_attributes[:8]:
            yield f"{name} in self.{attribute}", own, 0.15
            yield f"{name} not in self.{attribute}", own, 0.2
    donors = scene.around.conditions(
        view.root.name.value if isinstance(view.root, cst.FunctionDef) else "", view.classes
    )
    for text, read, weight, _ in scene.fitting(donors, _CONDITIONS):
        yield text, read, 0.3 + weight * 0.5
        yield (text[4:] if text.startswith("not ") else f"not ({text})" if " " in text else f"not {text}"), read, 0.3
    for attribute in scene.self_attributes[:12]:
        yield f"self.{attribute}", frozenset(), 0.2
        yield f"not self.{attribute}", frozenset(), 0.2
        yield f"self.{attribute} is None", frozenset(), 0.2
        yield f"self.{attribute} < 0", frozenset(), 0.15
        yield from ((f"len({name}) != len(self.{attribute})", frozenset({name}), 0.15) for name in names[:3])


def _otherwise(scene: Scene, raises: list[tuple[str, float]]) -> Iterator[Idea]:
    """Nothing fitted: an ``else``, the end of the function, or what is answered in place of raising."""
    view = scene.view
    step = step_of(view)
    for statement, weight in raises:
        for branch in view.suspicious(cst.If, cst.For, cst.While):
            parent = view.parent(branch)
            if (
                branch.orelse is None
                and isinstance(branch.body, cst.IndentedBlock)
                and not _is_elif(view.text_of(branch))
            ):
                edit = insert_after(view, branch, f"else:\n{step}{statement}")
                yield Idea(view.line(branch), (edit,), weight * 0.5)
            if isinstance(parent, cst.IndentedBlock) and parent.body[-1] is branch:
                yield Idea(view.line(branch), (insert_after(view, branch, statement),), weight * 0.6)
        for node in view.suspicious(cst.Return, cst.Pass, cst.Continue, cst.Break):
            start, end = view.span(node)
            yield Idea(view.line(node), (Edit(start, end, statement),), weight * 0.8)
        last = body_of(scene)[-1]
        if not isinstance(last, cst.SimpleStatementLine) or not isinstance(last.body[-1], cst.Return | cst.Raise):
            yield Idea(view.line(last), (insert_after(view, last, statement),), weight * 0.7)


def _is_elif(text: str) -> bool:
    return text.startswith("elif")


@template("try-except")
def try_except(scene: Scene) -> Iterator[Idea]:
    """A statement that may raise: what to do then, or which other exception to raise."""
    view = scene.view
    step = step_of(view)
    for failure, line in _raised(scene):
        statement = next((s for s in view.all(cst.SimpleStatementLine) if _covers(scene, s, line)), None)
        if statement is None:
            continue
        start, end = whole_lines(view, statement)
        indent, text = view.indentation(statement), view.text_of(statement).replace("\n", "\n" + step)
        for answer, weight in _instead(scene, statement):
            caught = f"{indent}except {failure.type}:\n{indent}{step}{answer}\n"
            changed = f"{indent}try:\n{indent}{step}{text}\n{caught}"
            yield Idea(line, (Edit(start, end, changed),), weight)


def _raised(scene: Scene) -> Iterator[tuple[Failure, int]]:
    first, last = scene.view.first_line, scene.view.first_line + scene.view.text.count("\n")
    seen: set[tuple[str, int]] = set()
    for failure in scene.failures:
        if (
            failure.type in ("AssertionError", "Failed", "Overtime", "RecursionError")
            or not failure.type.isidentifier()
        ):
            continue
        lines = [f.line for f in failure.frames if f.path == scene.path and first <= f.line <= last]
        if lines and (failure.type, lines[-1]) not in seen:
            seen.add((failure.type, lines[-1]))
            yield failure, lines[-1]


def _covers(scene: Scene, node: cst.CSTNode, line: int) -> bool:
    view = scene.view
    start, end = view.span(node)
    return view.line_at(start) <= line <= view.line_at(max(start, end - 1))


def _instead(scene: Scene, statement: cst.SimpleStatementLine) -> Iterator[tuple[str, float]]:
    view = scene.view
    node = statement.body[0]
    for error in scene.raisable:
        yield f"raise {error}", 3.0
    if isinstance(node, cst.Assign):
        target = view.text_of(node.targets[0].target)
        for value, weight in (("None", 1.0), ("False", 0.3), ("''", 0.3), ("[]", 0.4), ("{}", 0.3), ("0", 0.4)):
            yield f"{target} = {value}", weight
        for name in scene.in_scope(node):
            if name != target and name not in ("self", "cls"):
                yield f"{target} = {name}", 0.3
    elif not isinstance(node, cst.Return):
        yield "pass", 1.0
    if any(isinstance(a, cst.For | cst.While) for a in view.ancestors(statement)):
        yield "continue", 0.8
        yield "break", 0.4
    for answer, weight in answers(scene):
        if answer.startswith("return"):
            yield answer, weight * (0.9 if isinstance(node, cst.Return) else 0.5)


@template("stop-iteration")
def stop_iteration(scene: Scene) -> Iterator[Idea]:
    """``next(x)`` that finds nothing more: a default, or the end of the generator."""
    view = scene.view
    for failure in scene.failures:
        if "StopIteration" not in failure.type and "StopIteration" not in failure.message:
            continue
        for call in view.all(cst.Call):
            if view.text_of(call.func) != "next" or len(call.args) != 1:
                continue
            text = view.text_of(call.args[0].value)
            for default in ("None", "''", "0", "[]"):
                yield Idea(view.line(call), (view.replace(call, f"next({text}, {default})"),), 1.0)
            yield from _ended(scene, call)


def _ended(scene: Scene, call: cst.CSTNode) -> Iterator[Idea]:
    view = scene.view
    statement = view.statement(call)
    if not isinstance(statement, cst.SimpleStatementLine):
        return
    start, end = whole_lines(view, statement)
    indent, step = view.indentation(statement), step_of(view)
    for answer in ("return", "break", "return None"):
        body = f"{indent}try:\n{indent}{step}{view.text_of(statement)}\n"
        changed = f"{body}{indent}except StopIteration:\n{indent}{step}{answer}\n"
        yield Idea(view.line(call), (Edit(start, end, changed),), 1.0)
