"""What the rest of the file makes of the same things: expressions with a variable of that name; foreign operands."""

import re
from collections import Counter
from collections.abc import Iterator

import libcst as cst

from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import AND, BUILTINS
from karkhana.engineers.symbolic.generation.templates.guards import body_of
from karkhana.engineers.symbolic.generation.templates.statements import insert_before, step_of

_EXPRESSIONS = 5
_LONGEST = 48
_OPERATORS = re.compile(r"__i?r?(eq|ne|lt|le|gt|ge|add|sub|mul|truediv|floordiv|mod|and|or|xor|matmul|contains)__")
_WITHOUT_VALUE = re.compile(
    r"^(isinstance|len|super|print|type|callable|hasattr|inspect\.)\b"
    r"|\.(append|extend|add|update|insert|remove|write|sort|reverse|clear|close|is\w+|has\w+|startswith|endswith)\("
)
_NEEDS = {"len": "__len__", "iter": "__iter__", "next": "__next__", "hash": "__hash__", "reversed": "__reversed__"}


@template("kindred-expression")
def kindred_expression(scene: Scene) -> Iterator[Idea]:
    """``x`` where other functions of the file have ``Version(x.public)``: the same variable, made ready there."""
    view = scene.view
    made: dict[str, list[str]] = {}
    for node in view.suspicious(cst.Name):
        name = node.value
        parent, field = view.parents[node]
        if name in ("self", "cls") or not view.is_load(node) or name not in scene.variable_set or len(name) < 2:
            continue
        if isinstance(parent, cst.Attribute | cst.Expr) or field == "func":
            continue
        if name not in made:
            made[name] = _expressions(scene, name)
        weight = 1.0 if isinstance(parent, cst.Comparison | cst.ComparisonTarget | cst.Return | cst.Assign) else 0.6
        for rank, text in enumerate(made[name]):
            edit = view.replace(node, text)
            if isinstance(parent, cst.Arg) and view.text_of(view.parent(parent) or parent) == text:
                continue
            yield Idea(view.line(node), (edit,), weight * (1.0 if rank < 2 else 0.5))


def _expressions(scene: Scene, name: str) -> list[str]:
    """Calls around a variable of this name that the file has elsewhere, the commonest first."""
    own, around = scene.view.text, scene.view.module_text.replace(scene.view.text, "\n")
    known = {*scene.view.globals, *BUILTINS, "self", name}
    chain = rf"{re.escape(name)}(?:\.\w+)*"
    wrapped = re.findall(rf"(?<![\w.])(?<!def )(?<!class )((?:[^\W\d]\w*\.)*[^\W\d]\w*\({chain}\))", around)
    methods = re.findall(rf"(?<![\w.])({chain}\.\w+\([^()\n]{{0,12}}\))", around)
    found = Counter(
        text
        for text in (*wrapped, *methods)
        if len(text) <= _LONGEST and text not in own and re.split(r"\W", text)[0] in known
    )
    usual = [text for text, _ in found.most_common() if not _WITHOUT_VALUE.search(text)]
    return usual[:_EXPRESSIONS]


@template("foreign-operand")
def foreign_operand(scene: Scene) -> Iterator[Idea]:
    """An operator that is asked about things of other classes: ``return NotImplemented``, ``return False``."""
    view = scene.view
    root, body = view.root, body_of(scene)
    if not isinstance(root, cst.FunctionDef) or not body or len(view.parameters) != 2 or not view.classes:
        return
    if not _OPERATORS.fullmatch(root.name.value):
        return
    step, other = step_of(view), view.parameters[1]
    for kind in (view.classes[-1], "type(self)"):
        for answer, weight in (
            ("NotImplemented", 1.0),
            ("False", 0.6),
            ("True", 0.4 if "ne" in root.name.value else 0.1),
        ):
            text = f"if not isinstance({other}, {kind}):\n{step}return {answer}"
            yield Idea(view.line(body[0]), (insert_before(view, body[0], text),), weight)


@template("capability")
def capability(scene: Scene) -> Iterator[Idea]:
    """``len(x) == 1`` of something that may have no length: ``hasattr(x, '__len__') and len(x) == 1``."""
    view = scene.view
    for comparison in view.suspicious(cst.Comparison):
        text = view.text_of(comparison)
        if "\n" in text:
            continue
        start, end = view.span(comparison)
        for asked in _asked(scene, start, end):
            yield Idea(view.line(comparison), (view.replace(comparison, f"{asked} and {text}", AND),), 1.0)


def _asked(scene: Scene, start: int, end: int) -> list[str]:
    view = scene.view
    found: dict[str, None] = {}
    for call in view.all(cst.Call):
        need = _NEEDS.get(view.text_of(call.func))
        if need and start <= view.span(call)[0] < end and len(call.args) == 1:
            found[f"hasattr({view.text_of(call.args[0].value)}, '{need}')"] = None
    for attribute in view.all(cst.Attribute):
        owner = view.text_of(attribute.value)
        if start <= view.span(attribute)[0] < end and owner in scene.variable_set and owner not in ("self", "cls"):
            found[f"hasattr({owner}, '{attribute.attr.value}')"] = None
    return list(found)[:3]
