"""Numbers, limits and edges: off by one, wrong constants, slices and ranges."""

import itertools
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, is_truth, template
from karkhana.engineers.symbolic.generation.source import ADD, FunctionView

_COUNTED = r"(?:len\(|//|int\(|\.index\(|\.find\()"
"""What gives a whole number."""


@template("off-by-one")
def off_by_one(scene: Scene) -> Iterator[Idea]:
    """One more or one less, where a number counts: bounds, indices, arguments, comparisons, results."""
    view = scene.view
    for node in view.suspicious(cst.Integer):
        try:
            value = int(node.value.replace("_", ""), 0)
        except ValueError:
            continue
        minus = isinstance(view.parent(node), cst.UnaryOperation)
        for other in (value + 1, value - 1):
            if other < 0 and minus:
                continue
            yield Idea(view.line(node), (view.replace(node, str(other)),), 0.8)
    for place, weight in _counting_places(scene):
        if isinstance(place, cst.BaseNumber | cst.BaseString | cst.Tuple | cst.List | cst.Dict | cst.Comparison):
            continue
        if _ends_with_one(view, place):
            continue
        if isinstance(place, cst.Name) and (is_truth(place) or not scene.might_be(place.value, "int", "float")):
            continue
        base = view.tight(place, ADD)
        for operator in ("+", "-"):
            yield Idea(view.line(place), (view.replace(place, f"{base} {operator} 1"),), weight)


def _ends_with_one(view: FunctionView, node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.BinaryOperation)
        and isinstance(node.operator, cst.Add | cst.Subtract)
        and isinstance(node.right, cst.Integer)
    )


def _counting_places(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    view = scene.view
    for index in view.suspicious(cst.Index):
        yield index.value, 0.7
    for part in view.suspicious(cst.Slice):
        for bound in (part.lower, part.upper):
            if bound is not None:
                yield bound, 0.9
    for call in view.suspicious(cst.Call):
        weight = 1.0 if isinstance(call.func, cst.Name) and call.func.value == "range" else 0.6
        for argument in call.args:
            if not argument.star:
                yield argument.value, weight
    for comparison in view.suspicious(cst.Comparison):
        if isinstance(comparison.comparisons[0].operator, cst.In | cst.NotIn | cst.Is | cst.IsNot):
            continue
        yield comparison.left, 0.5
        for target in comparison.comparisons:
            yield target.comparator, 0.6
    for back in view.suspicious(cst.Return):
        if back.value is not None:
            yield back.value, 0.6
    for assign in view.suspicious(cst.Assign):
        yield assign.value, 0.4
    for tuple_ in view.suspicious(cst.Element):
        yield tuple_.value, 0.3
    for operation in view.suspicious(cst.BinaryOperation):
        yield operation.left, 0.2
        yield operation.right, 0.2


@template("constant")
def constant(scene: Scene) -> Iterator[Idea]:
    """Another constant: the usual ones, those of the function, and (as a weak hint) those of the test."""
    view = scene.view
    numbers = dict.fromkeys(("0", "1", "2", "-1", "10"), 0.5)
    for other in view.all(cst.Integer, cst.Float):
        numbers[other.value] = 0.6
    for literal in scene.literals:
        if re.fullmatch(r"-?\d+(\.\d+)?", literal):
            numbers.setdefault(literal, 0.12)
    strings = {view.text_of(s): 0.6 for s in view.all(cst.SimpleString) if len(s.value) < 80}
    for literal in scene.literals:
        if literal[:1] in "'\"":
            strings.setdefault(literal, 0.12)
    strings.setdefault("''", 0.3)
    strings.setdefault("' '", 0.3)
    for node in view.suspicious(cst.Integer, cst.Float):
        for text, weight in numbers.items():
            if text != node.value:
                yield Idea(view.line(node), (view.replace(node, text),), weight)
    for node_ in view.suspicious(cst.SimpleString):
        if _is_docstring(view, node_):
            continue
        for text, weight in strings.items():
            if text != node_.value:
                yield Idea(view.line(node_), (view.replace(node_, text),), weight)
        start = view.span(node_)[0]
        if node_.prefix.lower() == "b":
            yield Idea(view.line(node_), (Edit(start, start + 1, ""),), 0.5)
        elif not node_.prefix:
            yield Idea(view.line(node_), (Edit(start, start, "b"),), 0.4 if "bytes" in scene.seen_types else 0.15)
        yield from _one_character(scene, node_)
        yield from _another_sign(scene, node_)
        if node_.raw_value in scene.in_scope(node_):
            # A variable that was written in quotes.
            yield Idea(view.line(node_), (view.replace(node_, node_.raw_value),), 1.5)


def _one_character(scene: Scene, node: cst.SimpleString) -> Iterator[Idea]:
    """A letter too many, too few, or of the wrong case in a short string."""
    view = scene.view
    body, quote = node.value[len(node.prefix) + 1 : -1], node.value[len(node.prefix)]
    if not 1 <= len(body) <= 24 or node.quote not in ("'", '"') or "\\" in body:
        return
    texts = {body.lower(), body.upper(), body.capitalize(), body.strip(), body + " ", body[:-1], body[1:]} - {body}
    for text in sorted(texts):
        yield Idea(view.line(node), (view.replace(node, f"{node.prefix}{quote}{text}{quote}"),), 0.2)


def _another_sign(scene: Scene, node: cst.SimpleString) -> Iterator[Idea]:
    """A single character that is no letter: another one of those that the tests write."""
    if len(node.raw_value) != 1 or node.raw_value.isalnum():
        return
    written = "".join(literal[1:-1] for literal in scene.literals if literal[:1] in "'\"")
    for sign in dict.fromkeys(written):
        if not sign.isalnum() and sign not in "\\'\"" and sign != node.raw_value:
            edit = scene.view.replace(node, f"{node.prefix}{node.quote}{sign}{node.quote}")
            yield Idea(scene.view.line(node), (edit,), 0.4)


def _is_docstring(view: FunctionView, node: cst.CSTNode) -> bool:
    return isinstance(view.parent(node), cst.Expr)


@template("truth-value")
def truth_value(scene: Scene) -> Iterator[Idea]:
    """``True``, ``False`` and ``None`` exchanged."""
    view = scene.view
    for node in view.suspicious(cst.Name):
        if node.value in ("True", "False", "None") and view.is_load(node):
            for other in ("True", "False", "None"):
                if other != node.value:
                    weight = 1.0 if "None" not in (other, node.value) else 0.4
                    yield Idea(view.line(node), (view.replace(node, other),), weight)


@template("slice-bounds")
def slice_bounds(scene: Scene) -> Iterator[Idea]:
    """A slice that is missing, superfluous, or has the wrong ends."""
    view = scene.view
    for node in view.suspicious(cst.Slice):
        lower = view.text_of(node.lower) if node.lower else ""
        upper = view.text_of(node.upper) if node.upper else ""
        step = view.text_of(node.step) if node.step else ""
        tail = f":{step}" if step else ""
        start, end = view.span(node)
        options = {f"{lower}:{tail}", f":{upper}{tail}", f"{upper}:{lower}{tail}", f"{upper}:{tail}", f":{lower}{tail}"}
        if not step:
            options |= {f"{lower}:{upper}:-1", f"{lower}:{upper}:2", f"{lower}:{upper}"}
        else:
            options |= {f"{lower}:{upper}", f"{lower}:{upper}:-{step}".replace("--", "")}
        for text in sorted(options - {view.text[start:end], ":", "::"}):
            yield Idea(view.line(node), (Edit(start, end, text),), 0.6)
        for name, weight in _whole_numbers(scene, node).items():
            for text in [f"{name}:{upper}{tail}", f"-{name}:{upper}{tail}"] if not lower else []:
                yield Idea(view.line(node), (Edit(start, end, text),), 0.4 * weight)
            for text in [f"{lower}:{name}{tail}", f"{lower}:-{name}{tail}"] if not upper else []:
                yield Idea(view.line(node), (Edit(start, end, text),), 0.4 * weight)
    for whole in view.suspicious(cst.Subscript):
        if isinstance(whole.slice[0].slice, cst.Slice):
            yield Idea(view.line(whole), (view.replace(whole, view.text_of(whole.value)),), 0.5)


@template("missing-slice")
def missing_slice(scene: Scene) -> Iterator[Idea]:
    """Only part of a sequence was meant."""
    view = scene.view
    for node in view.suspicious(cst.Name, cst.Attribute):
        if isinstance(node, cst.Name) and (not view.is_load(node) or node.value not in scene.variables):
            continue
        parent, field = view.parents[node]
        if isinstance(parent, cst.Attribute | cst.Subscript | cst.Del) or field == "func" or view.is_store(node):
            continue
        text = view.text_of(node)
        if isinstance(node, cst.Name):
            if node.value in ("self", "cls") or not scene.sized(node.value):
                continue
            if scene.known(node.value, "dict", "set", "int", "float"):
                continue
        bounds = [("1:", 1.0), (":-1", 1.0), ("::-1", 0.6), (":", 0.3), ("2:", 0.2), ("-1", 0.4), ("0", 0.5)]
        for name, weight in _whole_numbers(scene, node).items():
            if name != text:
                forms = (("{}:", 0.6), (":{}", 0.6), ("{}", 0.5), ("{} + 1:", 0.4), ("-{}:", 0.3), (":-{}", 0.3))
                bounds += [(form.format(name), share * weight) for form, share in (*forms, (":{} + 1", 0.2))]
        for bound, weight in bounds:
            yield Idea(view.line(node), (view.replace(node, f"{text}[{bound}]"),), weight)


def _whole_numbers(scene: Scene, node: cst.CSTNode) -> dict[str, float]:
    """Variables in scope that are whole numbers; at less weight those that were never seen but are counted up."""
    found: dict[str, float] = {}
    for name in scene.in_scope(node):
        if scene.known(name, "int"):
            found[name] = 1.0
        elif name not in scene.types and re.search(rf"\b{name}\b[^=\n]*= .*{_COUNTED}", scene.view.text):
            found[name] = 0.4
    return found


@template("subscript-order")
def subscript_order(scene: Scene) -> Iterator[Idea]:
    """``x[i, j]`` or ``x[i][j]`` with the indices exchanged, and pairs in the wrong order."""
    view = scene.view
    for node in view.suspicious(cst.Subscript):
        parts = node.slice
        if len(parts) == 2:
            yield Idea(view.line(node), _swap(view, parts[0].slice, parts[1].slice))
        if isinstance(node.value, cst.Subscript) and len(parts) == 1 and len(node.value.slice) == 1:
            yield Idea(view.line(node), _swap(view, node.value.slice[0].slice, parts[0].slice), 0.7)
    for group in view.suspicious(cst.Tuple, cst.List):
        members = [e.value for e in group.elements]
        if 2 <= len(members) <= 5:
            for one, other in itertools.pairwise(members):
                yield Idea(view.line(group), _swap(view, one, other), 0.6 if len(members) == 2 else 0.3)


def _swap(view: FunctionView, one: cst.CSTNode, other: cst.CSTNode) -> tuple[Edit, ...]:
    first, second = view.outer_span(one), view.outer_span(other)
    return (
        Edit(first[0], first[1], view.text[second[0] : second[1]]),
        Edit(second[0], second[1], view.text[first[0] : first[1]]),
    )


@template("range-bounds")
def range_bounds(scene: Scene) -> Iterator[Idea]:
    """``range`` with a start, a stop or a step that is missing or superfluous."""
    view = scene.view
    for node in view.suspicious(cst.Call):
        if not (isinstance(node.func, cst.Name) and node.func.value == "range"):
            continue
        texts = [view.text_of(a.value) for a in node.args]
        options: dict[str, float] = {}
        if len(texts) == 1:
            options = {
                f"1, {texts[0]}": 1.0,
                f"1, {texts[0]} + 1": 0.8,
                f"{texts[0]} - 1, -1, -1": 0.4,
                f"2, {texts[0]}": 0.2,
            }
        elif len(texts) == 2:
            options = {texts[1]: 0.7, f"{texts[1]}, {texts[0]}": 0.3, f"{texts[0]}, {texts[1]}, -1": 0.3}
            options[f"{texts[0]}, {texts[1]}, 2"] = 0.2
            options[f"{texts[0]} + 1, {texts[1]} + 1"] = 0.3
        elif len(texts) == 3:
            options = {f"{texts[0]}, {texts[1]}": 0.5, f"{texts[1]}, {texts[0]}, {texts[2]}": 0.4}
            options[f"{texts[0]}, {texts[1]}, -{texts[2]}".replace("--", "")] = 0.5
        start, end = view.span(node.args[0])[0], view.span(node.args[-1])[1]
        for text, weight in options.items():
            yield Idea(view.line(node), (Edit(start, end, text),), weight)


@template("empty-collection")
def empty_collection(scene: Scene) -> Iterator[Idea]:
    """An empty list (dict, set, string) that should hold something, or another kind of emptiness."""
    view = scene.view
    for node in view.suspicious(cst.List, cst.Dict, cst.Tuple):
        if node.elements:
            if len(node.elements) == 1 and isinstance(node, cst.List):
                yield Idea(view.line(node), (view.replace(node, "[]"),), 0.4)
            continue
        options = {"[]": 0.5, "{}": 0.3, "()": 0.2, "set()": 0.3, "None": 0.3}
        if isinstance(node, cst.List):
            options |= {"[[]]": 1.0, "[0]": 0.5, "[()]": 0.2, "[None]": 0.2, "[1]": 0.3, "''": 0.2}
            options |= {f"[{name}]": 1.0 for name in scene.in_scope(node) if name not in ("self", "cls")}
        options.pop(view.text_of(node), None)
        for text, weight in options.items():
            yield Idea(view.line(node), (view.replace(node, text),), weight)
