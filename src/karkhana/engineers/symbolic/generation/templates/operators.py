"""Operators that were mistaken for another, and conditions that say the opposite."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template

_COMPARISONS: dict[str, tuple[tuple[str, float], ...]] = {
    "<": (("<=", 1.0), (">", 0.6), (">=", 0.5), ("!=", 0.3), ("==", 0.2)),
    "<=": (("<", 1.0), (">=", 0.6), (">", 0.5), ("==", 0.3), ("!=", 0.2)),
    ">": ((">=", 1.0), ("<", 0.6), ("<=", 0.5), ("!=", 0.3), ("==", 0.2)),
    ">=": ((">", 1.0), ("<=", 0.6), ("<", 0.5), ("==", 0.3), ("!=", 0.2)),
    "==": (("!=", 0.8), ("<=", 0.5), (">=", 0.5), ("<", 0.3), (">", 0.3), ("is", 0.1), ("in", 0.2)),
    "!=": (("==", 0.8), ("<", 0.4), (">", 0.4), ("<=", 0.2), (">=", 0.2), ("is not", 0.1)),
    "in": (("not in", 0.8), ("==", 0.2)),
    "not in": (("in", 0.8),),
    "is": (("is not", 0.8), ("==", 0.5), ("in", 0.3)),
    "is not": (("is", 0.8), ("!=", 0.5)),
}
_ARITHMETIC: dict[str, tuple[tuple[str, float], ...]] = {
    "+": (("-", 1.0), ("*", 0.6), ("//", 0.2), ("/", 0.2), ("|", 0.2), ("%", 0.2)),
    "-": (("+", 1.0), ("*", 0.4), ("//", 0.2), ("/", 0.2), ("%", 0.3), ("^", 0.2)),
    "*": (("+", 0.7), ("**", 0.6), ("/", 0.5), ("//", 0.5), ("-", 0.4), ("%", 0.2)),
    "/": (("//", 1.0), ("*", 0.7), ("%", 0.4), ("-", 0.2), ("+", 0.2)),
    "//": (("/", 0.8), ("%", 1.0), ("*", 0.5), ("-", 0.3), ("+", 0.2)),
    "%": (("//", 1.0), ("/", 0.5), ("*", 0.3), ("-", 0.3), ("+", 0.2)),
    "**": (("*", 1.0), ("^", 0.3), ("+", 0.2)),
    "<<": ((">>", 1.0), ("*", 0.2)),
    ">>": (("<<", 1.0), ("//", 0.2)),
    "&": (("|", 1.0), ("^", 0.8), ("and", 0.1)),
    "|": (("&", 1.0), ("^", 0.8), ("+", 0.3)),
    "^": (("&", 1.0), ("|", 0.8), ("**", 0.5), ("-", 0.2)),
    "@": (("*", 1.0),),
}


@template("comparison-operator")
def comparison_operator(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for node in view.suspicious(cst.ComparisonTarget):
        operator = node.operator
        for other, weight in _COMPARISONS.get(" ".join(view.text_of(operator).split()), ()):
            start, end = view.span(operator)
            yield Idea(view.line(operator), (Edit(start, end, other),), weight)


@template("comparison-bound")
def comparison_bound(scene: Scene) -> Iterator[Idea]:
    """Operator and number of a comparison both wrong: ``n == 0`` for ``n <= 1``."""
    view = scene.view
    for node in view.suspicious(cst.ComparisonTarget):
        if not isinstance(node.comparator, cst.Integer) or not node.comparator.value.isdigit():
            continue
        start, end = view.span(node.operator)
        number = int(node.comparator.value)
        for other, weight in _COMPARISONS.get(view.text_of(node.operator).strip(), ()):
            for value in (number + 1, number - 1):
                if value >= 0 and not other.isalpha():
                    edits = (Edit(start, end, other), view.replace(node.comparator, str(value)))
                    yield Idea(view.line(node.operator), edits, weight)


@template("arithmetic-operator")
def arithmetic_operator(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for node in view.suspicious(cst.BinaryOperation):
        old = view.text_of(node.operator).strip()
        start, end = view.span(node.operator)
        for other, weight in _ARITHMETIC.get(old, ()):
            if other.isalpha():
                continue
            yield Idea(view.line(node.operator), (Edit(start, end, other),), weight)
    for augmented in view.suspicious(cst.AugAssign):
        old = view.text_of(augmented.operator).strip()[:-1]
        start, end = view.span(augmented.operator)
        for other, weight in _ARITHMETIC.get(old, ()):
            if not other.isalpha():
                yield Idea(view.line(augmented), (Edit(start, end, other + "="),), weight)
        yield Idea(view.line(augmented), (Edit(start, end, "="),), 0.5)


@template("augmented-assignment")
def augmented_assignment(scene: Scene) -> Iterator[Idea]:
    """``x = y`` that should have added to ``x``."""
    view = scene.view
    for node in view.suspicious(cst.Assign):
        if len(node.targets) != 1 or isinstance(node.targets[0].target, cst.Tuple | cst.List):
            continue
        at = view.span(node.targets[0].target)[1]
        equals = view.text.index("=", at)
        for operator, weight in (("+", 1.0), ("-", 0.4), ("*", 0.2), ("|", 0.2)):
            yield Idea(view.line(node), (Edit(equals, equals, operator),), weight)


@template("boolean-operator")
def boolean_operator(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for node in view.suspicious(cst.BooleanOperation):
        start, end = view.span(node.operator)
        other = "or" if isinstance(node.operator, cst.And) else "and"
        yield Idea(view.line(node.operator), (Edit(start, end, other),))


def _conditions(scene: Scene) -> Iterator[cst.BaseExpression]:
    view = scene.view
    for node in view.suspicious(cst.If, cst.While, cst.IfExp, cst.Assert, cst.CompIf):
        yield node.test
    for operation in view.suspicious(cst.BooleanOperation):
        yield operation.left
        yield operation.right
    for back in view.suspicious(cst.Return):
        if isinstance(back.value, cst.Comparison | cst.BooleanOperation | cst.Name | cst.Call | cst.Attribute):
            yield back.value


@template("negation")
def negation(scene: Scene) -> Iterator[Idea]:
    """A condition that is missing a ``not``, or has one too many."""
    view = scene.view
    for node in view.suspicious(cst.UnaryOperation):
        if isinstance(node.operator, cst.Not):
            yield Idea(view.line(node), (view.replace(node, view.text_of(node.expression)),))
    for condition in _conditions(scene):
        if isinstance(condition, cst.UnaryOperation) or _is_constant(condition):
            continue
        if isinstance(condition, cst.Comparison) and len(condition.comparisons) == 1:
            continue
        text = view.text_of(condition)
        loose = isinstance(condition, cst.BooleanOperation | cst.IfExp)
        yield Idea(view.line(condition), (view.replace(condition, f"not ({text})" if loose else f"not {text}"),))


@template("sign")
def sign(scene: Scene) -> Iterator[Idea]:
    """A missing or superfluous minus (or ``~``)."""
    view = scene.view
    for node in view.suspicious(cst.UnaryOperation):
        if not isinstance(node.operator, cst.Not):
            yield Idea(view.line(node), (view.replace(node, view.text_of(node.expression)),))
    for name in view.suspicious(cst.Name):
        if view.is_load(name) and scene.known(name.value, "int", "float"):
            yield Idea(view.line(name), (view.replace(name, "-" + name.value),), 0.3)
    for back in view.suspicious(cst.Return):
        if isinstance(back.value, cst.BinaryOperation | cst.Call | cst.Subscript | cst.Attribute):
            text = view.text_of(back.value)
            loose = isinstance(back.value, cst.BinaryOperation)
            yield Idea(view.line(back), (view.replace(back.value, f"-({text})" if loose else f"-{text}"),), 0.5)


@template("operand-order")
def operand_order(scene: Scene) -> Iterator[Idea]:
    """The two sides of an operator or comparison, exchanged."""
    view = scene.view
    for node in view.suspicious(cst.BinaryOperation):
        if isinstance(node.operator, cst.Multiply | cst.BitAnd | cst.BitOr | cst.BitXor):
            continue
        yield Idea(view.line(node), _exchange(scene, node.left, node.right), 0.7)
    for comparison in view.suspicious(cst.Comparison):
        if len(comparison.comparisons) == 1:
            other = comparison.comparisons[0].comparator
            if isinstance(comparison.comparisons[0].operator, cst.In | cst.NotIn):
                yield Idea(view.line(comparison), _exchange(scene, comparison.left, other), 0.5)


def _exchange(scene: Scene, one: cst.BaseExpression, other: cst.BaseExpression) -> tuple[Edit, ...]:
    view = scene.view
    return (view.replace(one, view.text_of(other)), view.replace(other, view.text_of(one)))


@template("association")
def association(scene: Scene) -> Iterator[Idea]:
    """Parentheses that bind the wrong operands: ``a + b // c`` against ``(a + b) // c``."""
    view = scene.view
    for node in view.suspicious(cst.BinaryOperation):
        for side, inner in (("left", node.left), ("right", node.right)):
            if not isinstance(inner, cst.BinaryOperation):
                continue
            outer_op, inner_op = view.text_of(node.operator).strip(), view.text_of(inner.operator).strip()
            a, b = view.tight(inner.left, 10), view.tight(inner.right, 10)
            other = view.tight(node.right if side == "left" else node.left, 10)
            if side == "left":
                text = f"{a} {inner_op} ({b} {outer_op} {other})"
            else:
                text = f"({other} {outer_op} {a}) {inner_op} {b}"
            yield Idea(view.line(node), (view.replace(node, text),))


def _is_constant(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.BaseNumber | cst.BaseString) or (
        isinstance(node, cst.Name) and node.value in ("True", "False", "None")
    )
