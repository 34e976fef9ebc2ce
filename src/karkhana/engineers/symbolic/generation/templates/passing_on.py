"""Arguments and calls to pass on: to functions that take them, to the base class, to a better receiver."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.surroundings import Signature
from karkhana.engineers.symbolic.generation.templates.guards import body_of
from karkhana.engineers.symbolic.generation.templates.statements import insert_after, insert_before

_RECEIVERS = {"str": ("lower", "strip", "upper", "casefold"), "dict": ("copy",), "list": ("copy",), "set": ("copy",)}


@template("argument-left-out")
def argument_left_out(scene: Scene) -> Iterator[Idea]:
    """A parameter that the called function has and the call leaves out."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
        if not isinstance(name, cst.Name):
            continue
        for signature in _called(scene, call, name.value):
            given = {a.keyword.value for a in call.args if a.keyword is not None}
            given |= set(signature.positional[: sum(a.keyword is None and not a.star for a in call.args)])
            for parameter in (*signature.positional, *signature.optional):
                if parameter not in given:
                    yield from _given(scene, call, signature, parameter)
    yield from _keywords_on(scene)


def _called(scene: Scene, call: cst.Call, name: str) -> tuple[Signature, ...]:
    found = scene.around.signatures.get(name, ())
    if name in ("cls", "__class__") and scene.view.classes:
        found = scene.around.signatures.get(scene.view.classes[-1], ())
    if not found and scene.view.text_of(call.func).startswith("self.__class__") and scene.view.classes:
        found = scene.around.signatures.get(scene.view.classes[-1], ())
    return found[:3]


def _given(scene: Scene, call: cst.Call, signature: Signature, parameter: str) -> Iterator[Idea]:
    default = signature.defaults.get(parameter, "")
    values: dict[str, float] = {}
    if parameter in scene.in_scope(call):
        values[parameter] = 2.0
    for attribute in (parameter, "_" + parameter):
        if attribute in scene.self_attributes:
            values[f"self.{attribute}"] = 1.8
    for value in {"False": ("True",), "True": ("False",), "None": ("True", "[]", "{}"), "": ("None",)}.get(default, ()):
        values[value] = 0.5
    for name in scene.in_scope(call):
        if name not in ("self", "cls"):
            values.setdefault(name, 0.2)
    end = _end_of_arguments(scene, call)
    comma = ", " if call.args else ""
    for value, weight in values.items():
        edit = Edit(end, end, f"{comma}{parameter}={value}")
        yield Idea(scene.view.line(call), (edit,), weight)


def _end_of_arguments(scene: Scene, call: cst.Call) -> int:
    view = scene.view
    plain = [a for a in call.args if a.star != "**"]
    if plain:
        return view.span(plain[-1])[1]
    return view.span(call.args[0])[0] if call.args else view.span(call)[1] - 1


def _keywords_on(scene: Scene) -> Iterator[Idea]:
    """``**kwargs`` and ``*args`` of this function that a call does not pass on."""
    view = scene.view
    root = view.root
    if not isinstance(root, cst.FunctionDef):
        return
    stars = []
    if isinstance(root.params.star_arg, cst.Param):
        stars.append(("*", root.params.star_arg.name.value))
    if root.params.star_kwarg is not None:
        stars.append(("**", root.params.star_kwarg.name.value))
    for call in view.suspicious(cst.Call):
        present = {a.star for a in call.args}
        for star, name in stars:
            if star not in present and "**" not in present:
                end = view.span(call.args[-1])[1] if call.args else view.span(call)[1] - 1
                text = f"{', ' if call.args else ''}{star}{name}"
                yield Idea(view.line(call), (Edit(end, end, text),), 0.6)


@template("receiver-method")
def receiver_method(scene: Scene) -> Iterator[Idea]:
    """``x.startswith(…)`` where ``x.lower().startswith(…)`` was meant."""
    view = scene.view
    called = dict.fromkeys(
        c.func.attr.value for c in view.all(cst.Call) if isinstance(c.func, cst.Attribute) and not c.args
    )
    for call in view.suspicious(cst.Call):
        if not isinstance(call.func, cst.Attribute):
            continue
        owner = call.func.value
        text = view.text_of(owner)
        if text in ("self", "cls") or text in view.globals or isinstance(owner, cst.BaseString):
            continue
        options = dict.fromkeys(called, 0.4)
        for kind, methods in _RECEIVERS.items():
            if scene.might_be(text, kind):
                options |= {m: 0.8 if scene.known(text, kind) else 0.3 for m in methods}
        for method, weight in options.items():
            if call.func.attr.value != method and not text.endswith(f".{method}()"):
                yield Idea(view.line(call), (view.replace(owner, f"{text}.{method}()"),), weight)


@template("base-class")
def base_class(scene: Scene) -> Iterator[Idea]:
    """A call of the base class's method that is missing."""
    view = scene.view
    root = view.root
    body = body_of(scene)
    if not isinstance(root, cst.FunctionDef) or not view.classes or not body or view.parameters[:1] != ("self",):
        return
    if "super(" in view.text:
        return
    star = root.params.star_arg.name.value if isinstance(root.params.star_arg, cst.Param) else ""
    stars = root.params.star_kwarg.name.value if root.params.star_kwarg is not None else ""
    arguments = [f"*{n}" if n == star else f"**{n}" if n == stars else n for n in view.parameters[1:]]
    call = f"super().{root.name.value}({', '.join(arguments)})"
    options = {call: 1.0, f"super().{root.name.value}()": 0.6}
    for text, weight in options.items():
        yield Idea(view.line(body[0]), (insert_before(view, body[0], text),), weight)
        if not isinstance(body[-1], cst.SimpleStatementLine) or not isinstance(body[-1].body[-1], cst.Return):
            yield Idea(view.line(body[-1]), (insert_after(view, body[-1], text),), weight * 0.7)
            yield Idea(view.line(body[-1]), (insert_after(view, body[-1], f"return {text}"),), weight * 0.5)
