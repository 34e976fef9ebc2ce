"""Nothing, empty and zero mistaken for one another: truth where ``None`` was meant, and the reverse."""

from collections.abc import Iterator

import libcst as cst

from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import COMPARE, OR


@template("truth-or-none")
def truth_or_none(scene: Scene) -> Iterator[Idea]:
    """``if x`` for ``if x is not None``, ``not x`` for ``x is None``, ``x or y`` where ``x`` may be empty."""
    view = scene.view
    for node, negated in _truths(scene):
        inner = node.expression if isinstance(node, cst.UnaryOperation) else node
        text = view.tight(inner, COMPARE + 1)
        weight = 0.3 if isinstance(inner, cst.Call) else 1.0
        yield Idea(view.line(node), (view.replace(node, f"{text} is {'' if negated else 'not '}None"),), weight)
    for comparison in view.suspicious(cst.Comparison):
        if len(comparison.comparisons) != 1 or view.text_of(comparison.comparisons[0].comparator) != "None":
            continue
        operator = comparison.comparisons[0].operator
        text = view.text_of(comparison.left)
        if isinstance(operator, cst.Is | cst.Equal):
            yield Idea(view.line(comparison), (view.replace(comparison, f"not {view.tight(comparison.left, 4)}"),), 0.6)
        elif isinstance(operator, cst.IsNot | cst.NotEqual):
            yield Idea(view.line(comparison), (view.replace(comparison, text),), 0.6)
    for either in view.suspicious(cst.BooleanOperation):
        if isinstance(either.operator, cst.Or) and not _in_test(scene, either):
            left, right = view.text_of(either.left), view.tight(either.right, 1)
            base = view.tight(either.left, COMPARE + 1)
            text = f"{view.tight(either.left, OR)} if {base} is not None else {right}"
            yield Idea(view.line(either), (view.replace(either, text),), 1.0)
            text = f"{view.tight(either.right, OR)} if {base} is None else {left}"
            yield Idea(view.line(either), (view.replace(either, text),), 0.8)


def _truths(scene: Scene) -> Iterator[tuple[cst.BaseExpression, bool]]:
    """Expressions whose truth is asked, and whether by ``not``."""
    view = scene.view
    for node in view.suspicious(cst.Name, cst.Attribute, cst.Subscript, cst.Call):
        if isinstance(node, cst.Name) and (not view.is_load(node) or node.value in ("True", "False", "None")):
            continue
        parent, _ = view.parents[node]
        if isinstance(parent, cst.UnaryOperation) and isinstance(parent.operator, cst.Not):
            yield parent, True
        elif _in_test(scene, node):
            yield node, False


def _in_test(scene: Scene, node: cst.CSTNode) -> bool:
    """Whether only the truth of an expression counts."""
    parent, field = scene.view.parents[node]
    while isinstance(parent, cst.BooleanOperation):
        parent, field = scene.view.parents[parent]
    return field == "test" and isinstance(parent, cst.If | cst.While | cst.IfExp | cst.CompIf | cst.Assert)
