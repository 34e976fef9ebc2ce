"""Expressions with a part too many, a part too few, or another expression of the function in their place."""

import itertools
from collections.abc import Iterator, Mapping

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, is_truth, template
from karkhana.engineers.symbolic.generation.source import ADD, AND, MULTIPLY, OR, UNARY, FunctionView

_SEQUENCES = ("list", "str", "tuple", "deque", "bytes")


@template("superfluous-operand")
def superfluous_operand(scene: Scene) -> Iterator[Idea]:
    """``a + b``, ``a and b``, ``a if c else b`` where only one part was meant."""
    view = scene.view
    for node in view.suspicious(cst.BinaryOperation, cst.BooleanOperation):
        for part in (node.left, node.right):
            yield Idea(view.line(node), (view.replace(node, view.text_of(part)),))
    for ternary in view.suspicious(cst.IfExp):
        for part in (ternary.body, ternary.orelse):
            yield Idea(view.line(ternary), (view.replace(ternary, view.text_of(part)),), 0.6)
    for comparison in view.suspicious(cst.Comparison):
        if len(comparison.comparisons) == 1:
            yield Idea(view.line(comparison), (view.replace(comparison, view.text_of(comparison.left)),), 0.3)
    for subscript in view.suspicious(cst.Subscript):
        yield Idea(view.line(subscript), (view.replace(subscript, view.text_of(subscript.value)),), 0.5)
    for tuple_ in view.suspicious(cst.Tuple):
        if len(tuple_.elements) == 2 and not view.is_store(tuple_):
            for element in tuple_.elements:
                yield Idea(view.line(tuple_), (view.replace(tuple_, view.text_of(element.value)),), 0.3)
    for condition in view.suspicious(cst.CompIf):
        start, end = view.span(condition)
        while start and view.text[start - 1] in " \t\n":
            start -= 1
        yield Idea(view.line(condition), (Edit(start, end, ""),), 0.5)


@template("missing-operand")
def missing_operand(scene: Scene) -> Iterator[Idea]:
    """``x`` where ``x + y`` or ``x - y`` was meant, for a ``y`` of the function."""
    view = scene.view
    for node, weight in _value_places(scene):
        text = view.text_of(node)
        if isinstance(node, cst.Comparison | cst.BooleanOperation | cst.Lambda) or is_truth(node):
            continue
        base = view.tight(node, 9)
        if _numeric(scene, text) and not isinstance(node, cst.BaseNumber | cst.List | cst.Dict | cst.ListComp):
            for tail, own in (("** 2", 0.3), ("* 2", 0.3), ("// 2", 0.2), ("/ 2", 0.15)):
                left = view.tight(node, 13 if tail.startswith("**") else 10)
                yield Idea(view.line(node), (view.replace(node, f"{left} {tail}"),), weight * own)
        for other, own in _addends(scene, node):
            if other == text:
                continue
            for operator, factor in (("+", 1.0), ("-", 0.8), ("*", 0.4), ("//", 0.1), ("%", 0.2)):
                if operator != "+" and not _numeric(scene, other):
                    continue
                left = base if operator in "+-" else view.tight(node, 10)
                if operator == "+" and not scene.known(other, "int", "float"):
                    yield Idea(view.line(node), (view.replace(node, f"{other} + {text}", ADD),), weight * own * 0.8)
                edit = view.replace(node, f"{left} {operator} {other}", ADD if operator in "+-" else MULTIPLY)
                yield Idea(view.line(node), (edit,), weight * own * factor)


def _addends(scene: Scene, node: cst.BaseExpression) -> Iterator[tuple[str, float]]:
    view = scene.view
    for name in scene.in_scope(node):
        if name in ("self", "cls") or scene.known(name, "dict", "set", "NoneType", "bool", "function"):
            continue
        yield name, 0.8
        if scene.known(name, "list", "str", "tuple"):
            yield f"len({name})", 0.2
    for donor in _donors(scene):
        if isinstance(donor, cst.List | cst.ListComp | cst.Call | cst.Attribute | cst.Subscript):
            yield view.text_of(donor), 0.3


def _numeric(scene: Scene, text: str) -> bool:
    return text not in scene.types or scene.known(text, "int", "float")


def _value_places(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    view = scene.view
    for back in view.suspicious(cst.Return):
        if back.value is not None:
            yield back.value, 0.9
    for assign in view.suspicious(cst.Assign, cst.AugAssign):
        yield assign.value, 0.7
    for call in view.suspicious(cst.Call):
        for argument in call.args:
            if not argument.star:
                yield argument.value, 0.7
    for index in view.suspicious(cst.Index):
        yield index.value, 0.5
    for part in view.suspicious(cst.Slice):
        for bound in (part.lower, part.upper):
            if bound is not None:
                yield bound, 0.6
    for comparison in view.suspicious(cst.Comparison):
        yield comparison.left, 0.4
        for target in comparison.comparisons:
            yield target.comparator, 0.5
    for loop in view.suspicious(cst.For):
        yield loop.iter, 0.3
    for element in view.suspicious(cst.Element):
        yield element.value, 0.3
    for operation in view.suspicious(cst.BinaryOperation):
        yield operation.left, 0.3
        yield operation.right, 0.3


@template("missing-condition")
def missing_condition(scene: Scene) -> Iterator[Idea]:
    """A condition that needs another part: ``a`` → ``a and b``, ``a or b``, ``b and a``; and ``while True``."""
    view = scene.view
    for node, weight in condition_places(scene):
        text = view.text_of(node)
        always = text == "True"
        extra = list(_conditions(scene, node))
        for condition, own in extra:
            if condition == text:
                continue
            if always:
                yield Idea(view.line(node), (view.replace(node, condition),), weight * own * 2.0)
                continue
            for operator, level in (("and", AND), ("or", OR)):
                part = condition if operator == "and" or " or " not in condition else f"({condition})"
                base = view.tight(node, level)
                front = view.replace(node, f"{part} {operator} {base}", level)
                yield Idea(view.line(node), (front,), weight * own * 0.8)
                yield Idea(view.line(node), (view.replace(node, f"{base} {operator} {part}", level),), weight * own)


@template("other-condition")
def other_condition(scene: Scene) -> Iterator[Idea]:
    """Another condition in place of the one that is there."""
    view = scene.view
    for node, weight in condition_places(scene):
        for condition, own in _conditions(scene, node):
            if condition != view.text_of(node):
                yield Idea(view.line(node), (view.replace(node, condition),), weight * own)


def condition_places(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    """Conditions that failing tests ask, with a weight."""
    view = scene.view
    for node in view.suspicious(cst.If, cst.While):
        yield node.test, 1.0
    for claim in view.suspicious(cst.Assert):
        yield claim.test, 0.5
    for other in view.suspicious(cst.IfExp, cst.CompIf):
        yield other.test, 0.6
    for back in view.suspicious(cst.Return):
        if isinstance(back.value, cst.Comparison | cst.BooleanOperation) or (
            isinstance(back.value, cst.Name) and back.value.value in ("True", "False")
        ):
            yield back.value, 0.6


def _conditions(scene: Scene, node: cst.CSTNode) -> Iterator[tuple[str, float]]:
    """Conditions that can be asked at ``node``, from its variables and the function's own conditions."""
    view = scene.view
    for name in scene.in_scope(node):
        if name in ("self", "cls"):
            continue
        if scene.sized(name) or scene.might_be(name, "bool", "NoneType"):
            yield name, 0.5
            yield f"not {name}", 0.5
        if scene.known(name, "int", "float"):
            for text in (f"{name} == 0", f"{name} > 0", f"{name} < 0", f"{name} == 1", f"{name} <= 0"):
                yield text, 0.3
        if scene.known(name, "list", "str", "tuple", "deque"):
            yield f"len({name}) == 1", 0.3
            yield f"len({name}) <= 1", 0.2
            yield f"len({name}) > 1", 0.2
        if not scene.known(name, "int", "float", "list", "str", "dict"):
            yield f"{name} is None", 0.5
            yield f"{name} is not None", 0.4
    seen: set[str] = set()
    for donor in view.all(cst.Comparison, cst.UnaryOperation):
        text = view.text_of(donor)
        if text not in seen and "\n" not in text:
            seen.add(text)
            yield text, 0.4
            yield f"not ({text})", 0.15
    for attribute in view.all(cst.Attribute, cst.Subscript):
        text = view.text_of(attribute)
        parent = view.parents[attribute]
        if text in seen or "\n" in text or (isinstance(parent[0], cst.Call) and parent[1] == "func"):
            continue
        seen.add(text)
        yield text, 0.2
        yield f"not {text}", 0.2
        yield f"{text} is None", 0.3
        yield f"{text} is not None", 0.2
    for name in scene.in_scope(node):
        if scene.known(name, *_SEQUENCES):
            for own in scene.self_attributes[:8]:
                yield f"len({name}) != len(self.{own})", 0.15
    yield from _kinds_asked(scene, node)
    yield from _permuted(scene, node)
    names = [n for n in scene.in_scope(node) if n not in ("self", "cls")]
    for one in names:
        for other in names:
            if one == other:
                continue
            if scene.known(one, "int", "float", "str") and scene.known(other, "int", "float", "str"):
                if scene.alike(one, other):
                    for operator in ("==", "<", ">", "<=", ">=", "!="):
                        yield f"{one} {operator} {other}", 0.12
            elif one < other and scene.known(one, *_SEQUENCES) and scene.known(other, *_SEQUENCES):
                for operator in ("!=", "==", "<", ">"):
                    yield f"len({one}) {operator} len({other})", 0.2
            elif scene.known(other, "list", "set", "dict", "tuple", "deque"):
                yield f"{one} in {other}", 0.15
                yield f"{one} not in {other}", 0.15


def _permuted(scene: Scene, node: cst.CSTNode) -> Iterator[tuple[str, float]]:
    """The function's comparisons with two variables exchanged, or one in the place of another."""
    view = scene.view
    own = [n for n in scene.in_scope(node) if n not in ("self", "cls")]
    made: dict[str, float] = {}
    for donor in view.all(cst.Comparison):
        text, begin = view.text_of(donor), view.span(donor)[0]
        names = [n for n in view.names_in(donor) if n.value in own]
        if "\n" in text or len(text) > 60 or not names:
            continue
        used = list(dict.fromkeys(n.value for n in names))
        for one, other in itertools.combinations(used, 2):
            if scene.alike(one, other):
                made.setdefault(_renamed(view, names, text, begin, {one: other, other: one}), 0.3)
        for name in used if len(own) <= 8 else ():
            for other in own:
                if other not in used and scene.alike(name, other):
                    made.setdefault(_renamed(view, names, text, begin, {name: other}), 0.2)
    yield from list(made.items())[:24]


def _renamed(view: FunctionView, names: list[cst.Name], text: str, begin: int, to: Mapping[str, str]) -> str:
    for name in reversed(names):
        start, end = (place - begin for place in view.span(name))
        text = text[:start] + to.get(name.value, name.value) + text[end:]
    return text


def _kinds_asked(scene: Scene, node: cst.CSTNode) -> Iterator[tuple[str, float]]:
    """Whether a variable has a type that failing tests saw it with, or that the function asks others for."""
    asked = dict.fromkeys(
        scene.view.text_of(c.args[1].value)
        for c in scene.view.all(cst.Call)
        if scene.view.text_of(c.func) == "isinstance" and len(c.args) == 2
    )
    for name in scene.in_scope(node):
        if name in ("self", "cls"):
            continue
        seen = [k for k in scene.seen_types if k in scene.types.get(name, ())]
        for kind, weight in {**dict.fromkeys(asked, 0.2), **dict.fromkeys(seen, 0.35)}.items():
            yield f"isinstance({name}, {kind})", weight
            yield f"not isinstance({name}, {kind})", weight


@template("other-expression")
def other_expression(scene: Scene) -> Iterator[Idea]:
    """Another expression of the same function in the place of this one."""
    view = scene.view
    donors: dict[str, cst.BaseExpression] = {}
    for donor in _donors(scene):
        donors.setdefault(view.text_of(donor), donor)
    kinds = (cst.Name, cst.Attribute, cst.Subscript, cst.Call, cst.BinaryOperation, cst.List, cst.Integer, cst.Dict)
    for node in view.suspicious(*kinds):
        assert isinstance(node, cst.BaseExpression)
        parent, field = view.parents[node]
        if isinstance(node, cst.Name) and (not view.is_load(node) or (node.value not in scene.variables)):
            continue
        if field == "func" or isinstance(parent, cst.Attribute | cst.Expr | cst.Del):
            continue
        text = view.text_of(node)
        stored = isinstance(parent, cst.AssignTarget | cst.AugAssign) and field == "target"
        if stored and isinstance(node, cst.Name):
            continue
        if not isinstance(node, cst.Name | cst.Integer | cst.List | cst.Dict):
            for name in scene.in_scope(node):
                if name not in ("self", "cls"):
                    yield Idea(view.line(node), (view.replace(node, name),), 0.3 if stored else 0.5)
                    if scene.known(name, "int", "float") and not stored:
                        yield Idea(view.line(node), (view.replace(node, f"-{name}", UNARY),), 0.25)
        for other, donor in donors.items():
            if stored and not isinstance(donor, cst.Subscript | cst.Attribute):
                continue
            if other == text or not _bound_here(scene, donor, node):
                continue
            weight = 0.5 if type(donor) is type(node) else 0.3
            if isinstance(donor, cst.Subscript) and isinstance(node, cst.Subscript):
                weight = 0.8
            yield Idea(view.line(node), (view.replace(node, other),), weight)


def _donors(scene: Scene) -> Iterator[cst.BaseExpression]:
    view = scene.view
    for node in view.all(cst.Attribute, cst.Subscript, cst.Call, cst.BinaryOperation, cst.List, cst.ListComp):
        assert isinstance(node, cst.BaseExpression)
        text = view.text_of(node)
        parent, field = view.parents[node]
        if "\n" in text or len(text) > 80 or field == "func":
            continue
        if isinstance(parent, cst.Expr) or text in ("[]", "{}"):
            continue
        yield node


def _bound_here(scene: Scene, donor: cst.CSTNode, place: cst.CSTNode) -> bool:
    view = scene.view
    if view.line(donor) == view.line(place):
        return True
    allowed = scene.bound_at(view.span(place)[1], place)
    return all(n.value in allowed or n.value not in scene.variable_set for n in view.names_in(donor))


@template("ternary-swap")
def ternary_swap(scene: Scene) -> Iterator[Idea]:
    """The two results of a conditional expression, exchanged."""
    view = scene.view
    for node in view.suspicious(cst.IfExp):
        edits = (view.replace(node.body, view.text_of(node.orelse)), view.replace(node.orelse, view.text_of(node.body)))
        yield Idea(view.line(node), edits)


@template("comprehension-filter")
def comprehension_filter(scene: Scene) -> Iterator[Idea]:
    """A comprehension that should leave something out."""
    view = scene.view
    for node in view.suspicious(cst.CompFor):
        if node.ifs or node.inner_for_in is not None:
            continue
        at = view.outer_span(node.iter)[1]
        names = [n.value for n in view.names_in(node) if view.is_store(n)]
        for name in names:
            for text, weight in ((name, 1.0), (f"{name} is not None", 0.6), (f"not {name}", 0.3)):
                yield Idea(view.line(node), (Edit(at, at, f" if {text}"),), weight)
            for other in scene.in_scope(view.statement(node)):
                if other != name and not scene.known(other, "int", "float", "NoneType"):
                    yield Idea(view.line(node), (Edit(at, at, f" if {name} not in {other}"),), 0.4)
                    yield Idea(view.line(node), (Edit(at, at, f" if {name} in {other}"),), 0.3)
                if other != name:
                    yield Idea(view.line(node), (Edit(at, at, f" if {name} != {other}"),), 0.3)
