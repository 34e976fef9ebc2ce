"""Sorting, smallest and largest: the other direction, the key to go by."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template


@template("sorting")
def sorting(scene: Scene) -> Iterator[Idea]:
    """The other direction, or no key where one is needed."""
    view = scene.view
    for node in view.suspicious(cst.Lambda):
        parent = view.parent(node)
        if isinstance(parent, cst.Arg) and parent.keyword is not None and parent.keyword.value == "key":
            body = view.text_of(node.body)
            changed = body[1:] if body.startswith("-") else f"-{view.tight(node.body, 11)}"
            yield Idea(view.line(node), (view.replace(node.body, changed),), 1.0)
    for call in view.suspicious(cst.Call):
        name = view.text_of(call.func).rpartition(".")[2]
        if name not in ("sort", "sorted", "min", "max"):
            continue
        given = {a.keyword.value: a for a in call.args if a.keyword is not None}
        end = view.span(call.args[-1])[1] if call.args else view.span(call)[1] - 1
        comma = ", " if call.args else ""
        if name in ("sort", "sorted"):
            if "reverse" in given:
                value = view.text_of(given["reverse"].value)
                yield Idea(view.line(call), (view.replace(given["reverse"].value, f"not {value}"),), 0.3)
            else:
                yield Idea(view.line(call), (Edit(end, end, f"{comma}reverse=True"),), 0.8)
        if "key" not in given and (name in ("sort", "sorted") or len(call.args) == 1):
            for key, weight in (("len", 0.6), ("str", 0.5), ("abs", 0.4), ("str.lower", 0.4), ("sum", 0.1)):
                yield Idea(view.line(call), (Edit(end, end, f"{comma}key={key}"),), weight)
