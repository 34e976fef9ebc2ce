"""Conditions by what depends on them, and what is left out: a call, a default, a word on each of two sides."""

import itertools
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import AND, FunctionView
from karkhana.engineers.symbolic.generation.templates.guards import body_of
from karkhana.engineers.symbolic.generation.templates.statements import insert_before, leaves

_USED = 6
_METHODS = 12


@template("used-value")
def used_value(scene: Scene) -> Iterator[Idea]:
    """A condition that does not ask whether what its block uses is there: ``if a`` → ``if a and b is not None``."""
    view = scene.view
    for branch in view.suspicious(cst.If, cst.IfExp):
        asked = view.text_of(branch.test)
        if "\n" in asked:
            continue
        base = view.tight(branch.test, AND)
        for rank, text in enumerate(_used(scene, branch.body, asked)):
            weight = 1.0 if rank < 2 else 0.5
            for part, own in ((f"{text} is not None", 1.0), (text, 0.8)):
                edit = view.replace(branch.test, f"{base} and {part}", AND)
                yield Idea(view.line(branch), (edit,), weight * own)


def _used(scene: Scene, body: cst.CSTNode, asked: str) -> list[str]:
    """Attributes and variables that a block reads and its condition does not ask about, attributes first."""
    view = scene.view
    start, end = view.span(body)
    found: dict[str, None] = {}
    inner = [n for n in view.all(cst.Attribute) if start <= view.span(n)[0] < end]
    for node in inner:
        parent, field = view.parents[node]
        text = view.text_of(node)
        if isinstance(parent, cst.Attribute) or view.is_store(node) or text.count(".") > 2 or "(" in text:
            continue
        if isinstance(parent, cst.Call) and field == "func":
            text = view.text_of(node.value)
        if text not in ("self", "cls") and text not in view.globals and text not in asked:
            found.setdefault(text)
    for name in view.names_in(body):
        free = name.value in scene.variable_set and name.value not in ("self", "cls") and name.value not in asked
        if free and view.is_load(name) and _is_bound_before(scene, name.value, start):
            found.setdefault(name.value)
    return list(itertools.islice(found, _USED))


def _is_bound_before(scene: Scene, name: str, offset: int) -> bool:
    return name in scene.bound_at(offset, scene.view.root)


@template("own-call")
def own_call(scene: Scene) -> Iterator[Idea]:
    """A call of another method of the object that is missing, at the start or before the function is left."""
    view = scene.view
    root = view.root
    if not isinstance(root, cst.FunctionDef) or not view.classes or view.parameters[:1] != ("self",):
        return
    calls = _callable_methods(scene, root.name.value)
    for node in _ways_out(scene):
        for call, weight in calls:
            yield Idea(view.line(node), (insert_before(view, node, call),), weight)


def _callable_methods(scene: Scene, own: str) -> list[tuple[str, float]]:
    """(call, weight) of methods that need no argument; those that the ticket mentions first."""
    view = scene.view
    found = []
    for name in scene.around.methods.get(view.classes[-1], ()):
        signatures = [s for s in scene.around.signatures.get(name, ()) if s.classes[-1:] == view.classes[-1:]]
        if name == own or name.startswith("__") or f"self.{name}(" in view.text or not signatures:
            continue
        if all(p in signatures[0].optional for p in signatures[0].positional):
            told = any(len(w) > 3 and w[:4] == part[:4] for w in scene.told.words for part in name.split("_"))
            found.append((f"self.{name}()", 1.0 if told else 0.2))
    return sorted(found, key=lambda pair: -pair[1])[:_METHODS]


def _ways_out(scene: Scene) -> Iterator[cst.CSTNode]:
    """The first statement, and those that leave the function."""
    view = scene.view
    seen = []
    for node in [*body_of(scene)[:1], *(n for n in view.suspicious(cst.SimpleStatementLine) if leaves(n))]:
        if node not in seen:
            seen.append(node)
            yield node


@template("missing-default")
def missing_default(scene: Scene) -> Iterator[Idea]:
    """``d.pop(k)`` → ``d.pop(k, None)``, ``next(x)`` → ``next(x, None)``, ``max(x)`` → ``max(x, default=None)``."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        plain = [a for a in call.args if a.keyword is None and not a.star]
        if len(plain) != 1 or len(call.args) != 1:
            continue
        name = call.func.attr.value if isinstance(call.func, cst.Attribute) else view.text_of(call.func)
        end = view.span(plain[0])[1]
        method = isinstance(call.func, cst.Attribute)
        if (method and name == "pop") or (not method and name == "next"):
            yield Idea(view.line(call), (Edit(end, end, ", None"),), 1.0)
        elif not method and name in ("max", "min"):
            for value, weight in (("0", 0.6), ("None", 0.6)):
                yield Idea(view.line(call), (Edit(end, end, f", default={value}"),), weight)


@template("both-lists")
def both_lists(scene: Scene) -> Iterator[Idea]:
    """Two collections of one function that lack a word each: what one branch takes, and what its counterpart takes."""
    view = scene.view
    homes = [node for node in view.suspicious(cst.Tuple, cst.List, cst.Set) if _is_words(view, node)]
    words = [literal[1:-1] for literal in scene.literals if literal[:1] in "'\"" and literal[1:-1].isalnum()]
    for one, other in itertools.pairwise(sorted(homes, key=lambda n: view.span(n)[0])):
        taken = view.text_of(one) + view.text_of(other)
        free = [w for w in words if f"'{w}'" not in taken and f'"{w}"' not in taken][:_USED]
        for first, second in itertools.permutations(free, 2):
            near = 1.0 if abs(free.index(first) - free.index(second)) == 1 else 0.5
            edits = (_one_more(view, one, first), _one_more(view, other, second))
            yield Idea(view.line(one), edits, near)


def _is_words(view: FunctionView, node: cst.Tuple | cst.List | cst.Set) -> bool:
    strings = all(isinstance(e.value, cst.SimpleString) for e in node.elements)
    return len(node.elements) > 1 and strings and not view.is_store(node)


def _one_more(view: FunctionView, node: cst.Tuple | cst.List | cst.Set, word: str) -> Edit:
    last = node.elements[-1].value
    end = view.span(last)[1]
    quote = view.text_of(last)[0]
    return Edit(end, end, f", {quote}{word}{quote}")
