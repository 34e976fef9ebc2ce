"""Special cases that are not treated: empty input, ``None``, base cases, values that must be refused."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.templates.statements import blocks, insert_before, step_of, whole_lines

_CONSTANTS = frozenset(f"return {c}" for c in ("True", "False", "None", "0", "1", "-1", "[]", "{}", "''", '""'))


def questions(scene: Scene, names: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """Special cases that variables of their types may be in, with a weight."""
    for name in names:
        if name in ("self", "cls"):
            continue
        if scene.sized(name):
            yield f"not {name}", 1.0
        if not scene.known(name, "int", "float") or scene.known(name, "NoneType"):
            yield f"{name} is None", 0.9 if scene.known(name, "NoneType") else 0.5
        if scene.known(name, "int", "float"):
            yield f"{name} == 0", 0.6
            yield f"{name} < 0", 0.5
            yield f"{name} <= 0", 0.4
            yield f"{name} == 1", 0.4
            yield f"{name} <= 1", 0.4
            yield f"{name} < 1", 0.3
        if scene.known(name, "list", "str", "tuple"):
            yield f"len({name}) == 1", 0.3
            yield f"len({name}) < 2", 0.3
    numbers = [n for n in names if scene.known(n, "int", "float", "str")]
    for one in numbers:
        for other in numbers:
            if one != other and scene.alike(one, other):
                for operator in ("==", "<", ">"):
                    yield f"{one} {operator} {other}", 0.2


def answers(scene: Scene) -> Iterator[tuple[str, float]]:
    """What a special case may answer: what the test expects, what the function answers elsewhere, then the usual."""
    view = scene.view
    for error in scene.raisable:
        yield f"raise {error}", 3.0
    seen: set[str] = set()
    for back in view.all(cst.Return):
        text = view.text_of(back)
        names_own = any(n in text for n in scene.variables if n not in view.parameters)
        if "\n" not in text and text not in seen and not names_own:
            seen.add(text)
            yield text, 1.0
    for name in view.parameters:
        if name not in ("self", "cls"):
            yield f"return {name}", 0.5
            yield f"return [{name}]", 0.1
    style = 0.4 if any(text in _CONSTANTS for text in seen) else 1.0
    for text, weight in (
        ("return None", 0.5), ("return []", 0.6), ("return 0", 0.6), ("return False", 0.6), ("return True", 0.5),
        ("return ''", 0.4), ("return {}", 0.3), ("return 1", 0.3), ("return -1", 0.2), ("return [[]]", 0.2),
        ("return set()", 0.1), ("return ()", 0.1), ("return 0.0", 0.1),
    ):  # fmt: skip
        if text not in seen:
            yield text, weight * style
    if any(True for _ in view.all(cst.Yield)):
        yield "return", 0.8


def body_of(scene: Scene) -> list[cst.BaseStatement]:
    """The function's statements without its documentation."""
    root = scene.view.root
    if not isinstance(root, cst.FunctionDef) or not isinstance(root.body, cst.IndentedBlock):
        return []
    body = [s for s in root.body.body if isinstance(s, cst.BaseStatement)]
    first = body[0].body[0] if body and isinstance(body[0], cst.SimpleStatementLine) else None
    documented = len(body) > 1 and isinstance(first, cst.Expr) and isinstance(first.value, cst.BaseString)
    return body[1:] if documented else body


@template("early-return")
def early_return(scene: Scene) -> Iterator[Idea]:
    """A special case at the start of the function."""
    view = scene.view
    body = body_of(scene)
    if not body:
        return
    options = list(answers(scene))
    step = step_of(scene.view)
    for question, one in questions(scene, view.parameters):
        for answer, other in options:
            edit = insert_before(view, body[0], f"if {question}:\n{step}{answer}")
            yield Idea(view.line(body[0]), (edit,), one * other)


@template("loop-guard")
def loop_guard(scene: Scene) -> Iterator[Idea]:
    """A case in which a loop should go on with the next item, or end."""
    view = scene.view
    step = step_of(scene.view)
    for loop in view.suspicious(cst.For, cst.While):
        if not isinstance(loop.body, cst.IndentedBlock):
            continue
        first = loop.body.body[0]
        names = tuple(n for n in scene.in_scope(first) if n not in ("self", "cls"))
        for question, weight in questions(scene, names):
            for word, own in (("continue", 0.8), ("break", 0.6), ("return False", 0.1), ("return True", 0.1)):
                edit = insert_before(view, first, f"if {question}:\n{step}{word}")
                yield Idea(view.line(first), (edit,), weight * own)
        containers = [n for n in names if scene.known(n, "set", "list", "dict")]
        for one in names:
            for container in containers:
                if one != container:
                    edit = insert_before(view, first, f"if {one} in {container}:\n{step}continue")
                    yield Idea(view.line(first), (edit,), 0.4)


@template("guarded-statement")
def guarded_statement(scene: Scene) -> Iterator[Idea]:
    """A statement that should only run under a condition."""
    view = scene.view
    step = step_of(scene.view)
    for body in blocks(view):
        for node in body:
            if not _may_be_guarded(node) or not view.is_suspicious(node):
                continue
            start, end = whole_lines(view, node)
            indent, text = view.indentation(node), view.text_of(node)
            names = tuple(n for n in scene.in_scope(node) if n not in ("self", "cls"))
            conditions: dict[str, float] = {}
            used = {n.value for n in view.names_in(node)}
            for name in names:
                near = 1.6 if name in used else 0.6
                if scene.sized(name) or scene.might_be(name, "bool"):
                    conditions[name] = near
                if not scene.known(name, "int", "float", "list", "str"):
                    conditions[f"{name} is not None"] = near
                if scene.known(name, "int", "float"):
                    conditions[f"{name} > 0"] = 0.3
            for donor in view.all(cst.Comparison):
                conditions.setdefault(view.text_of(donor), 0.5)
            for one in names:
                for container in names:
                    if one != container and scene.known(container, "set", "list", "dict"):
                        conditions.setdefault(f"{one} not in {container}", 0.4)
                        conditions.setdefault(f"{one} in {container}", 0.2)
            inner = text.replace("\n", "\n" + step)
            for condition, weight in conditions.items():
                if "\n" in condition:
                    continue
                changed = f"{indent}if {condition}:\n{indent}{step}{inner}\n"
                yield Idea(view.line(node), (Edit(start, end, changed),), weight)


def _may_be_guarded(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.SimpleStatementLine):
        first = node.body[0]
        documentation = isinstance(first, cst.Expr) and isinstance(first.value, cst.BaseString)
        return not documentation and not isinstance(first, cst.Import | cst.ImportFrom)
    return isinstance(node, cst.For | cst.While | cst.With | cst.Try)


@template("default-value")
def default_value(scene: Scene) -> Iterator[Idea]:
    """``x`` where ``x or {}``, ``x or []``, ``x or ''`` is needed because ``x`` may be ``None``."""
    view = scene.view
    for node in view.suspicious(cst.Name):
        if not view.is_load(node) or node.value not in scene.variables or node.value in ("self", "cls"):
            continue
        if scene.known(node.value, "int", "float"):
            continue
        for default in ("[]", "{}", "''", "0"):
            yield Idea(view.line(node), (view.replace(node, f"{node.value} or {default}"),), 0.5)
