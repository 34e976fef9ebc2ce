"""The wrong variable, attribute, function or method in a place."""

import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, family, template
from karkhana.engineers.symbolic.generation.source import FunctionView

_OTHER_TYPE, _WRONG_TYPE = 0.15, 0.5
"""Weight of a variable of another type: the wrong one may have had the wrong type, above all after such an error."""
_OF_TYPE = frozenset({"TypeError", "AttributeError", "ValueError"})
_WITH_ITSELF = 0.3
"""Nobody compares a value with itself, and few add it to itself."""


@template("variable")
def variable(scene: Scene) -> Iterator[Idea]:
    """Another variable in scope, rather of a type that fits."""
    view = scene.view
    unfit = _WRONG_TYPE if any(f.type in _OF_TYPE for f in scene.failures) else _OTHER_TYPE
    constants = ("True", "False", "None")
    for node in view.suspicious(cst.Name):
        if not view.is_load(node) or node.value in constants or _is_callee(view.parents[node]):
            continue
        own = scene.variables
        if node.value not in own and node.value not in view.globals:
            continue
        for other in scene.in_scope(node):
            if other != node.value and other not in ("self", "cls"):
                weight = (1.0 if node.value in own else 0.3) * (2.5 if other in scene.unused else 1.0)
                weight *= 1.0 if scene.alike(node.value, other) else unfit
                weight *= _WITH_ITSELF if other in _beside(view, node) else 1.0
                yield Idea(view.line(node), (view.replace(node, other),), weight)
        if node.value in own and node.value != "self":
            for other in view.globals:
                if other.isupper() and other != node.value:
                    yield Idea(view.line(node), (view.replace(node, other),), 0.1)


def _beside(view: FunctionView, node: cst.Name) -> set[str]:
    """What the name is compared or calculated with."""
    parent = view.parent(node)
    if isinstance(parent, cst.ComparisonTarget):
        parent = view.parent(parent)
    if isinstance(parent, cst.Comparison):
        sides = [parent.left, *(t.comparator for t in parent.comparisons)]
    elif isinstance(parent, cst.BinaryOperation | cst.BooleanOperation):
        sides = [parent.left, parent.right]
    else:
        return set()
    return {view.text_of(side) for side in sides if side is not node}


@template("assigned-variable")
def assigned_variable(scene: Scene) -> Iterator[Idea]:
    """A value stored under the wrong name."""
    view = scene.view
    for node in view.suspicious(cst.Name):
        parent, _ = view.parents.get(node, (None, ""))
        if not isinstance(parent, cst.AssignTarget | cst.AugAssign | cst.Element) or not view.is_store(node):
            continue
        for other in scene.variables:
            if other not in (node.value, "self", "cls") and scene.alike(node.value, other):
                yield Idea(view.line(node), (view.replace(node, other),))


@template("attribute")
def attribute(scene: Scene) -> Iterator[Idea]:
    """Another attribute: of those used in the function or class, and of the families in ``words.toml``."""
    view = scene.view
    of_class = _self_attributes(scene)
    for node in view.suspicious(cst.Attribute):
        old = node.attr.value
        owner = view.text_of(node.value)
        used = {
            n.attr.value: 1.0
            for n in view.all(cst.Attribute)
            if view.text_of(n.value) == owner and _is_callee(view.parents[n]) == _is_callee(view.parents[node])
        }
        if owner in ("self", "cls") and not _is_callee(view.parents[node]):
            used = dict.fromkeys(of_class, 0.6) | used
        elif not _is_callee(view.parents[node]):
            used = {n: 0.4 for n in view.attributes if not _called(scene, n)} | used
        for relative in family("methods", old):
            used[relative] = 1.0
        for name in _elsewhere(scene, owner, called=_is_callee(view.parents[node])):
            used.setdefault(name, 0.4)
        used.pop(old, None)
        start, end = view.span(node.attr)
        for name, weight in used.items():
            yield Idea(view.line(node.attr), (Edit(start, end, name),), weight)


def _elsewhere(scene: Scene, owner: str, *, called: bool) -> list[str]:
    """Attributes of things of the same name in the rest of the file."""
    if not owner.isidentifier():
        return []
    if owner in ("self", "cls") and scene.view.classes:
        return list(scene.around.methods.get(scene.view.classes[-1], ()))[:20] if called else []
    found = re.findall(rf"\b{owner}\.([^\W\d]\w*)(\s*\()?", scene.view.module_text)
    return list(dict.fromkeys(name for name, bracket in found if bool(bracket) == called))[:20]


@template("function")
def function(scene: Scene) -> Iterator[Idea]:
    """Another function: of the families in ``words.toml``, or one of the module."""
    view = scene.view
    called = dict.fromkeys(n.func.value for n in view.all(cst.Call) if isinstance(n.func, cst.Name))
    for node in view.suspicious(cst.Call):
        if not isinstance(node.func, cst.Name):
            continue
        names = dict.fromkeys(family("functions", node.func.value), 1.0)
        for other in called:
            names.setdefault(other, 0.4)
        for other in view.globals:
            if not other.isupper() and other != "print":
                names.setdefault(other, 0.15)
        names.pop(node.func.value, None)
        for name, weight in names.items():
            yield Idea(view.line(node.func), (view.replace(node.func, name),), weight)


@template("missing-attribute")
def missing_attribute(scene: Scene) -> Iterator[Idea]:
    """``x`` where ``x.attribute`` (or ``self.x``) was meant."""
    view = scene.view
    of_class = set(_self_attributes(scene))
    plain = [a for a in view.attributes if not _called(scene, a)]
    for node in view.suspicious(cst.Name):
        if not view.is_load(node) or node.value in ("self", "cls") or node.value not in scene.variables:
            continue
        if _is_callee(view.parents[node]):
            continue
        if "self" in view.parameters and node.value in of_class:
            yield Idea(view.line(node), (view.replace(node, f"self.{node.value}"),))
        if scene.known(node.value, "int", "float", "str", "list", "dict", "bool", "tuple", "set"):
            continue
        for name in plain:
            yield Idea(view.line(node), (view.replace(node, f"{node.value}.{name}"),), 0.4)
    for attribute_node in view.suspicious(cst.Attribute):
        if _is_callee(view.parents[attribute_node]):
            continue
        for name in plain:
            text = f"{view.text_of(attribute_node)}.{name}"
            yield Idea(view.line(attribute_node), (view.replace(attribute_node, text),), 0.2)


@template("superfluous-attribute")
def superfluous_attribute(scene: Scene) -> Iterator[Idea]:
    """``x.attribute`` where ``x`` was meant."""
    view = scene.view
    for node in view.suspicious(cst.Attribute):
        if _is_callee(view.parents[node]) or view.text_of(node.value) in ("self", "cls"):
            continue
        yield Idea(view.line(node), (view.replace(node, view.text_of(node.value)),))


def _is_callee(found: tuple[cst.CSTNode, str]) -> bool:
    return isinstance(found[0], cst.Call) and found[1] == "func"


def _called(scene: Scene, attribute_name: str) -> bool:
    view = scene.view
    return any(isinstance(c.func, cst.Attribute) and c.func.attr.value == attribute_name for c in view.all(cst.Call))


def _self_attributes(scene: Scene) -> list[str]:
    if not scene.view.classes:
        return []
    found = re.findall(r"\bself\.([^\W\d]\w*)(?!\s*\()", scene.view.module_text)
    return list(dict.fromkeys(found))
