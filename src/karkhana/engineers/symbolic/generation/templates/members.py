"""Collections written out in the text: a member that is missing or too many, a type that is not provided for."""

import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template

_MEMBERS = 16
_WORDS = 4
_TYPES = (
    "list",
    "tuple",
    "dict",
    "set",
    "frozenset",
    "str",
    "bytes",
    "int",
    "float",
    "bool",
    "bytearray",
    "type(None)",
)


@template("member")
def member(scene: Scene) -> Iterator[Idea]:
    """A tuple, list or set literal with a member too few or too many."""
    view = scene.view
    for node in view.suspicious(cst.Tuple, cst.List, cst.Set):
        if view.is_store(node) or not node.elements:
            continue
        texts = [view.text_of(e.value) for e in node.elements]
        end = view.span(node.elements[-1].value)[1]
        if len(texts) > 1:
            for position, element in enumerate(node.elements):
                start, stop = view.span(element.value)
                if position + 1 < len(texts):
                    stop = view.span(node.elements[position + 1].value)[0]
                else:
                    start = view.span(node.elements[position - 1].value)[1]
                if position or len(texts) > 2 or not isinstance(node, cst.Tuple):
                    yield Idea(view.line(element), (Edit(start, stop, ""),), 0.25)
        for text, weight in _more(scene, texts):
            yield Idea(view.line(node), (Edit(end, end, f", {text}"),), weight)
            if weight >= 0.3:
                first = view.span(node.elements[0].value)[0]
                yield Idea(view.line(node), (Edit(first, first, f"{text}, "),), weight * 0.3)


def _more(scene: Scene, texts: list[str]) -> Iterator[tuple[str, float]]:
    """What else could stand among ``texts``: things of the same kind."""
    if all(t[:1] in "'\"" for t in texts):
        quote = texts[0][0]
        for literal in scene.literals[:_MEMBERS]:
            if literal[:1] in "'\"" and literal[1:-1] not in [t[1:-1] for t in texts] and "\\" not in literal:
                yield f"{quote}{literal[1:-1]}{quote}", 0.5
        for word, weight in scene.told.words_like([t[1:-1] for t in texts])[:_WORDS]:
            yield f"{quote}{word}{quote}", 0.9 * weight
    elif all(re.fullmatch(r"-?[\d.]+", t) for t in texts):
        for literal in scene.literals[:_MEMBERS]:
            if re.fullmatch(r"-?[\d.]+", literal) and literal not in texts:
                yield literal, 0.2
    elif all(re.fullmatch(r"[\w.]+", t) for t in texts):
        owners = {t.rpartition(".")[0] for t in texts}
        if len(owners) == 1 and (owner := next(iter(owners))):
            for name in dict.fromkeys(re.findall(rf"\b{re.escape(owner)}\.\w+(?:\.\w+)*", scene.view.module_text)):
                if name not in texts:
                    yield name, 0.4
        elif any(t in _TYPES for t in texts):
            for kind in dict.fromkeys((*scene.seen_types, *_TYPES)):
                if kind not in texts:
                    yield kind, 0.6 if kind in scene.seen_types else 0.3


@template("isinstance-kinds")
def isinstance_kinds(scene: Scene) -> Iterator[Idea]:
    """``isinstance`` with a type too few."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        if view.text_of(call.func) not in ("isinstance", "issubclass") or len(call.args) != 2:
            continue
        kinds = call.args[1].value
        text = view.text_of(kinds)
        if isinstance(kinds, cst.Tuple):
            continue
        for kind in dict.fromkeys((*scene.seen_types, *_TYPES, *_classes(scene))):
            if kind != text:
                weight = 1.0 if kind in scene.seen_types else 0.4
                yield Idea(view.line(call), (view.replace(kinds, f"({text}, {kind})"),), weight)
                yield Idea(view.line(call), (view.replace(kinds, kind),), weight * 0.4)


def _classes(scene: Scene) -> list[str]:
    """Classes that the file tests for elsewhere."""
    found = re.findall(r"\bisinstance\([^()]+?,\s*([A-Z_a-z][\w.]*)\)", scene.view.module_text)
    return list(dict.fromkeys(found))[:8]


@template("dictionary-entry")
def dictionary_entry(scene: Scene) -> Iterator[Idea]:
    """A key of a dictionary or the value beside it, exchanged for a literal of the test or a variable."""
    view = scene.view
    for element in view.suspicious(cst.DictElement):
        for name in scene.in_scope(element):
            if name not in ("self", "cls") and view.text_of(element.value) != name:
                yield Idea(view.line(element), (view.replace(element.value, name),), 0.4)
        if isinstance(element.key, cst.SimpleString):
            for literal in scene.literals[:_MEMBERS]:
                if literal[:1] in "'\"" and literal[1:-1].isidentifier():
                    yield Idea(view.line(element), (view.replace(element.key, literal),), 0.3)
