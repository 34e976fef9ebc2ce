"""Arguments in the wrong order, too many, too few; calls that are missing or superfluous."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, is_truth, template, words
from karkhana.engineers.symbolic.generation.source import POSTFIX


@template("argument-order")
def argument_order(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for node in view.suspicious(cst.Call):
        plain = [a for a in node.args if not a.star and a.keyword is None]
        for i, one in enumerate(plain):
            for other in plain[i + 1 :]:
                edits = (
                    view.replace(one.value, view.text_of(other.value)),
                    view.replace(other.value, view.text_of(one.value)),
                )
                yield Idea(view.line(node), edits)
        if len(plain) == 3:
            texts = [view.text_of(a.value) for a in plain]
            for turned in (texts[1:] + texts[:1], texts[2:] + texts[:2]):
                three = tuple(view.replace(a.value, t) for a, t in zip(plain, turned, strict=True))
                yield Idea(view.line(node), three, 0.5)
        if (
            len(plain) == 1
            and isinstance(node.func, cst.Attribute)
            and isinstance(plain[0].value, cst.Name | cst.Attribute)
        ):
            edits = (
                view.replace(node.func.value, view.text_of(plain[0].value)),
                view.replace(plain[0].value, view.text_of(node.func.value)),
            )
            yield Idea(view.line(node), edits, 0.5)


@template("superfluous-argument")
def superfluous_argument(scene: Scene) -> Iterator[Idea]:
    view = scene.view
    for node in view.suspicious(cst.Call):
        for position, argument in enumerate(node.args):
            start, end = view.span(argument)
            if position + 1 < len(node.args):
                end = view.span(node.args[position + 1])[0]
            elif position:
                start = view.span(node.args[position - 1])[1]
            yield Idea(view.line(argument), (Edit(start, end, ""),))


@template("missing-argument")
def missing_argument(scene: Scene) -> Iterator[Idea]:
    """A variable in scope, or the key-word of a parameter of the same name, that was not passed on."""
    view = scene.view
    for node in view.suspicious(cst.Call):
        given = {view.text_of(a.value) for a in node.args}
        keywords = {a.keyword.value for a in node.args if a.keyword is not None}
        if node.args:
            first, last = view.span(node.args[0])[0], view.span(node.args[-1])[1]
        else:
            first = last = view.span(node)[1] - 1
        for name in scene.in_scope(node):
            if name in given or name in ("self", "cls"):
                continue
            tail = f", {name}" if node.args else name
            if not keywords:
                yield Idea(view.line(node), (Edit(last, last, tail),), 0.6)
                if node.args:
                    yield Idea(view.line(node), (Edit(first, first, f"{name}, "),), 0.3)
            if name in view.parameters and name not in keywords:
                text = f"{name}={name}"
                yield Idea(view.line(node), (Edit(last, last, f", {text}" if node.args else text),), 0.5)
        for attribute in scene.self_attributes[:12] if not keywords else ():
            if f"self.{attribute}" not in given:
                tail = f", self.{attribute}" if node.args else f"self.{attribute}"
                yield Idea(view.line(node), (Edit(last, last, tail),), 0.25)
    yield from _in_all_calls(scene)


def _in_all_calls(scene: Scene) -> Iterator[Idea]:
    """One more variable for every call of the same function."""
    view = scene.view
    calls: dict[str, list[cst.Call]] = {}
    for node in view.suspicious(cst.Call):
        if node.args and not any(a.star for a in node.args):
            calls.setdefault(view.text_of(node.func), []).append(node)
    for same in calls.values():
        ends = sorted({view.span(node.args[-1])[1] for node in same})
        if not 1 < len(ends) <= 6:
            continue
        for name in view.parameters:
            if name not in ("self", "cls") and all(name not in {view.text_of(a.value) for a in n.args} for n in same):
                for text, weight in ((f", {name}", 0.4), (f", {name}={name}", 0.3)):
                    yield Idea(view.line(same[0]), tuple(Edit(end, end, text) for end in ends), weight)


@template("superfluous-call")
def superfluous_call(scene: Scene) -> Iterator[Idea]:
    """``f(x)`` or ``x.f()`` where ``x`` was meant; a nested call that should not be made."""
    view = scene.view
    for node in view.suspicious(cst.Call):
        for argument in node.args:
            if not argument.star:
                yield Idea(view.line(node), (view.replace(node, view.text_of(argument.value)),))
        if isinstance(node.func, cst.Attribute):
            weight = 0.8 if not node.args else 0.3
            yield Idea(view.line(node), (view.replace(node, view.text_of(node.func.value)),), weight)
        elif not node.args:
            yield Idea(view.line(node), (view.replace(node, view.text_of(node.func)),), 0.3)


@template("missing-call")
def missing_call(scene: Scene) -> Iterator[Idea]:
    """An expression that should go through a function: those called here, then the usual ones."""
    view = scene.view
    names: dict[str, float] = {}
    for call in view.all(cst.Call):
        if isinstance(call.func, cst.Name) and len(call.args) == 1:
            names.setdefault(call.func.value, 0.8)
    if isinstance(view.root, cst.FunctionDef) and len(view.parameters) == 1:
        names.setdefault(view.root.name.value, 0.8)
    wrappers = words()["wrappers"]
    assert isinstance(wrappers, list)
    for name, weight in wrappers:
        names.setdefault(name, weight)
    for node, weight in _wrappable(scene):
        text = view.text_of(node)
        if is_truth(node):
            continue
        for name, own in names.items():
            if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == name:
                continue
            yield Idea(view.line(node), (view.replace(node, f"{name}({text})"),), weight * own)
    for one, other in _both_sides(scene):
        for name, own in names.items():
            edits = tuple(view.replace(side, f"{name}({view.text_of(side)})") for side in (one, other))
            yield Idea(view.line(one), edits, own)


def _both_sides(scene: Scene) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """Two values that are compared or put together, when neither is a constant."""
    view = scene.view
    plain = cst.BaseString | cst.BaseNumber
    for comparison in view.suspicious(cst.Comparison):
        if len(comparison.comparisons) == 1 and not isinstance(comparison.comparisons[0].operator, cst.Is | cst.IsNot):
            right = comparison.comparisons[0].comparator
            if not isinstance(comparison.left, plain) and not isinstance(right, plain) and not is_truth(right):
                yield comparison.left, right
    for operation in view.suspicious(cst.BinaryOperation):
        if not isinstance(operation.left, plain) and not isinstance(operation.right, plain):
            yield operation.left, operation.right


@template("item-or-call")
def item_or_call(scene: Scene) -> Iterator[Idea]:
    """One item of a sequence where its sum (or size, or largest) was meant, and the reverse."""
    view = scene.view
    for node in view.suspicious(cst.Subscript):
        if len(node.slice) != 1 or view.is_store(node):
            continue
        whole = view.text_of(node.value)
        bare = isinstance(node.value, cst.ListComp)
        for name, weight in (("sum", 1.0), ("max", 0.8), ("min", 0.8), ("len", 0.8), ("any", 0.2), ("all", 0.2)):
            inner = whole[1:-1] if bare and name != "len" else whole
            yield Idea(view.line(node), (view.replace(node, f"{name}({inner})"),), weight)
    for call in view.suspicious(cst.Call):
        one = len(call.args) == 1 and not isinstance(call.args[0].value, cst.GeneratorExp)
        if one and view.text_of(call.func) in ("sum", "max", "min", "len", "next", "any", "all"):
            text = view.tight(call.args[0].value, POSTFIX)
            for index in ("0", "-1"):
                yield Idea(view.line(call), (view.replace(call, f"{text}[{index}]"),), 0.6)


@template("missing-method")
def missing_method(scene: Scene) -> Iterator[Idea]:
    """``x`` where ``x.method()`` was meant: methods called here without arguments, then the usual ones by type."""
    view = scene.view
    usual = {
        "str": ("strip", "lower", "upper", "split"),
        "dict": ("items", "values", "keys", "copy"),
        "list": ("copy",),
        "set": ("copy",),
    }
    called = dict.fromkeys(
        c.func.attr.value for c in view.all(cst.Call) if isinstance(c.func, cst.Attribute) and not c.args
    )
    for node, weight in _wrappable(scene):
        if is_truth(node) or isinstance(node, cst.BinaryOperation | cst.Comparison | cst.BooleanOperation):
            continue
        text = view.text_of(node)
        options = dict.fromkeys(called, 0.6)
        for kind, methods in usual.items():
            known = scene.known(text, kind) or text not in scene.types
            if known and scene.might_be(text, kind):
                for method in methods:
                    options.setdefault(method, 0.3 if scene.known(text, kind) else 0.1)
        for method, own in options.items():
            yield Idea(view.line(node), (view.replace(node, f"{text}.{method}()"),), weight * own)
    for one, other in _both_sides(scene):
        texts = (view.text_of(one), view.text_of(other))
        simple = all(isinstance(side, cst.Name | cst.Attribute | cst.Subscript | cst.Call) for side in (one, other))
        for method in dict.fromkeys((*called, *usual["str"])) if simple else ():
            if all(scene.might_be(text, "str") or method in called for text in texts):
                edits = tuple(view.replace(s, f"{t}.{method}()") for s, t in zip((one, other), texts, strict=True))
                yield Idea(view.line(one), edits, 0.5)


@template("clamp")
def clamp(scene: Scene) -> Iterator[Idea]:
    """A value that must not pass a limit: ``max(0, x)``, ``x = max(x, …)``, ``min(x, limit)``."""
    view = scene.view
    for assign in view.suspicious(cst.Assign):
        target, value = view.text_of(assign.targets[0].target), view.text_of(assign.value)
        if isinstance(assign.targets[0].target, cst.Tuple | cst.List):
            continue
        limits = {target: 1.0, "0": 1.0, "1": 0.4}
        if isinstance(assign.targets[0].target, cst.Name) and scene.known(target, "list", "dict", "str", "bool", "set"):
            continue
        for name in scene.in_scope(assign):
            if name not in ("self", "cls") and scene.might_be(name, "int", "float"):
                limits.setdefault(name, 0.3)
        for limit, weight in limits.items():
            if limit == value:
                continue
            for function in ("max", "min"):
                yield Idea(view.line(assign), (view.replace(assign.value, f"{function}({limit}, {value})"),), weight)
    for back in view.suspicious(cst.Return):
        if (
            back.value is None
            or is_truth(back.value)
            or isinstance(back.value, cst.Tuple | cst.List | cst.Comparison | cst.BooleanOperation)
        ):
            continue
        value = view.text_of(back.value)
        limits = {"0": 0.8, "1": 0.4}
        for name in scene.in_scope(back):
            if name not in ("self", "cls") and scene.might_be(name, "int", "float"):
                limits.setdefault(name, 0.4)
        for limit, weight in limits.items():
            if limit != value:
                for function in ("max", "min"):
                    edit = view.replace(back.value, f"{function}({limit}, {value})")
                    yield Idea(view.line(back), (edit,), weight)


def _wrappable(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    view = scene.view
    for back in view.suspicious(cst.Return):
        if back.value is not None:
            yield back.value, 1.0
    for assign in view.suspicious(cst.Assign, cst.AugAssign):
        yield assign.value, 0.7
    for loop in view.suspicious(cst.For, cst.CompFor):
        yield loop.iter, 0.7
    for call in view.suspicious(cst.Call):
        for argument in call.args:
            if not argument.star:
                yield argument.value, 0.5
    for comparison in view.suspicious(cst.Comparison):
        yield comparison.left, 0.6
        for target in comparison.comparisons:
            yield target.comparator, 0.5
    for element in view.suspicious(cst.Element):
        yield element.value, 0.4
    for operation in view.suspicious(cst.BinaryOperation):
        yield operation.left, 0.5
        yield operation.right, 0.5
    for index in view.suspicious(cst.Index):
        yield index.value, 0.3
    for generator in view.suspicious(cst.GeneratorExp, cst.ListComp, cst.SetComp):
        yield generator.elt, 0.4
    for produced in view.suspicious(cst.Yield):
        if isinstance(produced.value, cst.BaseExpression):
            yield produced.value, 0.5
    for ternary in view.suspicious(cst.IfExp):
        yield ternary.body, 0.4
        yield ternary.orelse, 0.4
