"""Values that are only right in some cases: nothing in place of a missing part, a function or its result, texts."""

import re
from collections import Counter
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, is_truth, template
from karkhana.engineers.symbolic.generation.source import AND, OR, TERNARY
from karkhana.engineers.symbolic.generation.templates.statements import step_of, view_edit

_WRAPPERS = 5
_ATTRIBUTES = 5
_FLAGS = 4
_OPPOSITE = {"==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in"}
_EMPTY = ((cst.List, "[]"), (cst.Tuple, "()"), (cst.Set, "set()"), (cst.Dict, "{}"))


@template("conditional-value")
def conditional_value(scene: Scene) -> Iterator[Idea]:
    """``[x]`` → ``[x] if x else []``, ``f(x)`` → ``f(x) if x else None``, ``k=v`` → ``k=v if flag else None``."""
    view = scene.view
    for node, weight in _places(scene):
        text = view.text_of(node)
        if "\n" in text or isinstance(node, cst.IfExp | cst.Lambda | cst.GeneratorExp):
            continue
        base = view.tight(node, OR)
        empty = next((made for kind, made in _EMPTY if isinstance(node, kind)), "None")
        for part in _parts(scene, node):
            for asked, own in ((part, 1.0), (f"{part} is not None", 0.7)):
                edit = view.replace(node, f"{base} if {asked} else {empty}", TERNARY)
                yield Idea(view.line(node), (edit,), weight * own)
        for flag, own in _flags(scene, node):
            if flag not in text:
                edit = view.replace(node, f"{base} if {flag} else {empty}", TERNARY)
                yield Idea(view.line(node), (edit,), weight * own)


def _places(scene: Scene) -> Iterator[tuple[cst.BaseExpression, float]]:
    view = scene.view
    for assign in view.suspicious(cst.Assign):
        yield assign.value, 0.7
    for back in view.suspicious(cst.Return):
        if back.value is not None:
            yield back.value, 0.7
    for argument in view.suspicious(cst.Arg):
        if argument.keyword is not None and not argument.star:
            yield argument.value, 0.8


def _parts(scene: Scene, node: cst.BaseExpression) -> list[str]:
    """What an expression is directly made of and may be missing."""
    inner: list[cst.BaseExpression] = []
    if isinstance(node, cst.Call):
        inner = [a.value for a in node.args if not a.star]
    elif isinstance(node, cst.List | cst.Tuple | cst.Set) and len(node.elements) == 1:
        inner = [e.value for e in node.elements]
    elif isinstance(node, cst.Attribute):
        inner = [node.value]
    found = [scene.view.text_of(n) for n in inner if isinstance(n, cst.Name | cst.Attribute)]
    return [text for text in found[:2] if text not in ("self", "cls") and text not in scene.view.globals]


def _flags(scene: Scene, node: cst.CSTNode) -> list[tuple[str, float]]:
    """Variables that say whether something is wanted: unused ones first."""
    rows = []
    root = scene.view.root
    given = (*root.params.params, *root.params.kwonly_params) if isinstance(root, cst.FunctionDef) else ()
    switches = {p.name.value for p in given if p.default is not None and is_truth(p.default)}
    for name in scene.in_scope(node):
        if name in ("self", "cls"):
            continue
        if scene.known(name, "bool") or (name in switches and scene.might_be(name, "bool")):
            rows.append((name, 1.0 if name in scene.unused else 0.6))
        elif name in scene.unused:
            rows.append((name, 0.8))
    return sorted(rows, key=lambda row: -row[1])[:_FLAGS]


@template("callable-or-value")
def callable_or_value(scene: Scene) -> Iterator[Idea]:
    """``f(x)`` → ``f(x) if callable(f) else f`` for a variable ``f``."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        name = view.text_of(call.func)
        if isinstance(call.func, cst.Name) and name in scene.variable_set:
            edit = view.replace(call, f"{view.text_of(call)} if callable({name}) else {name}", TERNARY)
            yield Idea(view.line(call), (edit,), 1.0)


@template("joined-texts")
def joined_texts(scene: Scene) -> Iterator[Idea]:
    """``', '.join(x)`` where ``x`` holds other things than texts."""
    view = scene.view
    for call in view.suspicious(cst.Call):
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "join" and len(call.args) == 1:
            value = call.args[0].value
            text = view.text_of(value)
            if isinstance(value, cst.GeneratorExp | cst.ListComp):
                edit = view.replace(value.elt, f"str({view.text_of(value.elt)})")
                yield Idea(view.line(call), (edit,), 1.0)
            elif "os.path" not in view.text_of(call.func):
                yield Idea(view.line(call), (view.replace(value, f"map(str, {text})"),), 1.0)
                yield Idea(view.line(call), (view.replace(value, f"filter(None, {text})"),), 0.4)


@template("dropped-result")
def dropped_result(scene: Scene) -> Iterator[Idea]:
    """A comparison whose result nobody looks at: ``a == b`` → ``if a != b: return False``."""
    view = scene.view
    step = step_of(view)
    for line in view.suspicious(cst.SimpleStatementLine):
        first = line.body[0]
        if len(line.body) != 1 or not isinstance(first, cst.Expr) or not isinstance(first.value, cst.Comparison):
            continue
        comparison, indent = first.value, view.indentation(line)
        text = view.text_of(comparison)
        denied = f"not {text}"
        if len(comparison.comparisons) == 1:
            operator = comparison.comparisons[0].operator
            word = " ".join(view.text_of(operator).split())
            if word in _OPPOSITE:
                start, end = (at - view.span(comparison)[0] for at in view.span(operator))
                denied = f"{text[:start]}{_OPPOSITE[word]}{text[end:]}"
        for answer, weight in (("return False", 1.0), ("continue", 0.3), ("return True", 0.2)):
            made = f"if {denied}:\n{indent}{step}{answer}"
            yield Idea(view.line(line), (view_edit(view, line, made),), weight)
        yield Idea(view.line(line), (view_edit(view, line, f"return {text}"),), 0.6)


@template("wrapped-result")
def wrapped_result(scene: Scene) -> Iterator[Idea]:
    """A result that is not made into what similar functions return: ``return x`` → ``return Markup(x)``."""
    view = scene.view
    used = Counter(re.findall(r"\breturn ([^\W\d][\w.]*)\((?!\))", view.module_text))
    makers = [name for name, _ in used.most_common() if not name.startswith("self.")][:_WRAPPERS]
    for back in view.suspicious(cst.Return):
        if back.value is None or isinstance(back.value, cst.Tuple):
            continue
        text = view.text_of(back.value)
        for maker in makers:
            if "\n" not in text and not text.startswith(f"{maker}("):
                yield Idea(view.line(back), (view.replace(back.value, f"{maker}({text})"),), 0.5)


@template("comprehension-attribute")
def comprehension_attribute(scene: Scene) -> Iterator[Idea]:
    """A comprehension that should leave out items by what they say about themselves: ``if not x.hidden``."""
    view = scene.view
    for node in view.suspicious(cst.CompFor):
        names = [n.value for n in view.names_in(node.target)]
        for name in names:
            attributes = Counter(re.findall(rf"\b{re.escape(name)}\.([^\W\d]\w*)\b(?!\()", view.module_text))
            for attribute, _ in attributes.most_common(_ATTRIBUTES):
                for asked, weight in ((f"not {name}.{attribute}", 1.0), (f"{name}.{attribute}", 0.8)):
                    if asked in view.text_of(node):
                        continue
                    if node.ifs:
                        test = node.ifs[-1].test
                        edit = view.replace(test, f"{view.tight(test, AND)} and {asked}", AND)
                    else:
                        at = view.outer_span(node.iter)[1]
                        edit = Edit(at, at, f" if {asked}")
                    yield Idea(view.line(node), (edit,), weight)
