"""One value for another of the same content: a copy for an alias, all items for one, a bare name for an attribute."""

from collections.abc import Iterator

import libcst as cst

from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template

_COLLECTORS = ((cst.List, "list"), (cst.Tuple, "tuple"), (cst.Set, "set"))


@template("collected-items")
def collected_items(scene: Scene) -> Iterator[Idea]:
    """``[x]`` where ``list(x)`` was meant, or the reverse; the same for tuples and sets."""
    view = scene.view
    for kind, name in _COLLECTORS:
        for node in view.suspicious(kind):
            if view.is_store(node) or len(node.elements) != 1:
                continue
            element = node.elements[0]
            if isinstance(element, cst.Element) and isinstance(element.value, cst.Name | cst.Attribute | cst.Call):
                text = view.text_of(element.value)
                likely = 1.0 if scene.might_be(text, "list", "tuple", "set", "generator", "str") else 0.3
                yield Idea(view.line(node), (view.replace(node, f"{name}({text})"),), likely)
    forms = {"list": "[{}]", "tuple": "({},)", "set": "{{{}}}"}
    for call in view.suspicious(cst.Call):
        form = forms.get(view.text_of(call.func))
        if form is not None and len(call.args) == 1 and not call.args[0].star:
            text = view.text_of(call.args[0].value)
            yield Idea(view.line(call), (view.replace(call, form.format(text)),), 0.3)


@template("alias")
def alias(scene: Scene) -> Iterator[Idea]:
    """A container that is handed out, kept or passed on itself where a copy should be."""
    view = scene.view
    for node, weight in _handed_on(scene):
        text = view.text_of(node)
        options: dict[str, float] = {}
        if scene.known(text, "list"):
            options = {f"{text}.copy()": 1.0, f"list({text})": 0.9}
        elif scene.known(text, "dict", "defaultdict", "OrderedDict", "set"):
            options = {f"{text}.copy()": 1.0, f"dict({text})": 0.5 if scene.known(text, "dict") else 0.0}
        elif not scene.types.get(text):
            options = {f"{text}.copy()": 0.6, f"list({text})": 0.5, f"dict({text})": 0.3}
        for made, own in options.items():
            if own:
                yield Idea(view.line(node), (view.replace(node, made),), weight * own)


def _handed_on(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    """Names and attributes whose value leaves its place, and how likely it matters that it is the same object."""
    view = scene.view
    for node in view.suspicious(cst.Name, cst.Attribute):
        if not isinstance(node, cst.Name | cst.Attribute):
            continue
        if isinstance(node, cst.Name) and (not view.is_load(node) or node.value not in scene.variable_set):
            continue
        if isinstance(node, cst.Name) and node.value in ("self", "cls"):
            continue
        parent, field = view.parents[node]
        holder: cst.CSTNode | None = parent
        while isinstance(holder, cst.Element | cst.Tuple):
            holder = view.parent(holder)
        if isinstance(holder, cst.Return | cst.Yield):
            yield node, 1.0
        elif isinstance(parent, cst.Assign) and field == "value":
            yield node, 0.6
        elif isinstance(parent, cst.Arg) and field == "value":
            yield node, 0.4


@template("bare-name")
def bare_name(scene: Scene) -> Iterator[Idea]:
    """``self.x`` where the variable, parameter or function ``x`` was meant."""
    view = scene.view
    for node in view.suspicious(cst.Attribute):
        if not isinstance(node.value, cst.Name) or view.is_store(node):
            continue
        name, owner = node.attr.value, node.value.value
        local = name in scene.in_scope(node)
        inner = name in {f.name.value for f in view.all(cst.FunctionDef) if f is not view.root}
        if not (local or inner or name in view.globals):
            continue
        # An attribute that nothing else of the class has is hardly an attribute.
        strange = owner not in view.parameters or name not in scene.self_attributes or not view.classes
        yield Idea(view.line(node), (view.replace(node, name),), 1.0 if strange else 0.4)


@template("attribute-default")
def attribute_default(scene: Scene) -> Iterator[Idea]:
    """``hasattr(x, 'y')`` where ``y`` may be there and ``None``; ``getattr(x, 'y')`` where it may not be there."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        name = view.text_of(call.func)
        if name not in ("hasattr", "getattr") or len(call.args) != 2:
            continue
        inside = ", ".join(view.text_of(a) for a in call.args)
        asked = f"getattr({inside}, None)"
        yield Idea(view.line(call), (view.replace(call, asked),), 1.0)
        if name == "hasattr":
            yield Idea(view.line(call), (view.replace(call, f"callable({asked})"),), 0.5)
            yield Idea(view.line(call), (view.replace(call, f"{asked} is not None", 5),), 0.7)
