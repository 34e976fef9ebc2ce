"""Parameters that may come in another shape than the function works with: made what they should be at its start."""

import re
from collections.abc import Iterator

import libcst as cst

from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template, words
from karkhana.engineers.symbolic.generation.templates.guards import body_of
from karkhana.engineers.symbolic.generation.templates.statements import insert_before, step_of

_CLASSES = 6


@template("normalise-parameter")
def normalise_parameter(scene: Scene) -> Iterator[Idea]:
    """``x = list(x)``, ``if x is None: x = []``, ``if not isinstance(x, Key): x = Key(x)``."""
    view = scene.view
    first = next(iter(body_of(scene)), None)
    if first is None:
        return
    step = step_of(view)
    several = _several(scene)
    for name in view.parameters:
        if name in ("self", "cls"):
            continue
        for text, weight in _conversions(scene, name, several):
            yield Idea(view.line(first), (insert_before(view, first, f"{name} = {text}"),), weight)
        for condition, text, weight in _cases(scene, name, several):
            edit = insert_before(view, first, f"if {condition}:\n{step}{name} = {text}")
            yield Idea(view.line(first), (edit,), weight)


def _several(scene: Scene) -> frozenset[str]:
    """Parameters that hold positional or keyword arguments and so always have the same type."""
    root = scene.view.root
    found = set()
    if isinstance(root, cst.FunctionDef):
        if isinstance(root.params.star_arg, cst.Param):
            found.add(root.params.star_arg.name.value)
        if root.params.star_kwarg is not None:
            found.add(root.params.star_kwarg.name.value)
    return frozenset(found)


def _conversions(scene: Scene, name: str, several: frozenset[str]) -> Iterator[tuple[str, float]]:
    table = words()["normal_forms"]
    assert isinstance(table, list)
    for kinds, text, weight in table:
        if name in several:
            continue
        seen = scene.known(name, *kinds)
        if seen or scene.might_be(name, *kinds):
            yield text.replace("{name}", name), weight * (1.0 if seen else 0.5)


def _cases(scene: Scene, name: str, several: frozenset[str]) -> Iterator[tuple[str, str, float]]:
    """(condition, new value, weight)."""
    if name in several:
        return
    none = 1.0 if scene.known(name, "NoneType") else 0.3
    for value, weight in (
        ("[]", 1.0),
        ("{}", 0.8),
        ("''", 0.6),
        ("()", 0.5),
        ("0", 0.4),
        ("set()", 0.3),
        ("bool", 0.1),
    ):
        yield f"{name} is None", value, none * weight
    for other in scene.self_attributes[:8]:
        yield f"{name} is None", f"self.{other}", none * (1.0 if other.strip("_") == name else 0.3)
    for kind in scene.seen_types:
        if kind in scene.types.get(name, ()):
            for value, weight in (
                (f"[{name}]", 0.8),
                (f"({name},)", 0.4),
                (f"str({name})", 0.4),
                (f"list({name})", 0.4),
            ):
                yield f"isinstance({name}, {kind})", value, weight
            if kind in ("str", "bytes"):
                turned = "encode" if kind == "str" else "decode"
                yield f"isinstance({name}, {kind})", f"{name}.{turned}('utf-8')", 0.8
    default = _default_class(scene, name)
    if default:
        yield f"isinstance({name}, str)", f"{default}({name})", 1.0
        yield f"not isinstance({name}, {default})", f"{default}({name})", 1.0
    for kind in _classes(scene):
        yield f"not isinstance({name}, {kind})", f"{kind}({name})", 0.5
        yield f"isinstance({name}, str)", f"{kind}({name})", 0.3
    yield f"not isinstance({name}, (list, tuple))", f"[{name}]", 0.4
    yield f"callable({name})", f"{name}()", 0.3


def _default_class(scene: Scene, name: str) -> str:
    """The class that stands as the default of a parameter; empty when it has none."""
    root = scene.view.root
    for parameter in root.params.params if isinstance(root, cst.FunctionDef) else ():
        if parameter.name.value == name and isinstance(parameter.default, cst.Name):
            text = parameter.default.value
            return text if text[:1].isupper() and text not in ("None", "True", "False") else ""
    return ""


def _classes(scene: Scene) -> list[str]:
    """Classes that the file asks for with ``isinstance``, then those that it defines."""
    text = scene.view.module_text
    asked = re.findall(r"\bisinstance\([^()]{1,80}?,\s*([A-Z]\w*)\)", text)
    return list(dict.fromkeys([*asked, *re.findall(r"(?m)^class ([A-Z]\w*)", text)]))[:_CLASSES]
