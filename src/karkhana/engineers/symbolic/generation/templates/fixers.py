"""Answers to an error message: each reads the failure and proposes what it nearly says itself."""

import difflib
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import BUILTINS
from karkhana.engineers.symbolic.generation.templates.guards import answers
from karkhana.engineers.symbolic.generation.templates.statements import insert_before, step_of, whole_lines

_MIXED_TYPES = re.compile(
    "concatenate|unsupported operand|must be str|not subscriptable|bytes-like|has no len|not callable|expected str|"
    "cannot be interpreted|unhashable|not iterable|has no attribute|not supported between"
)


def _here(scene: Scene, *types: str) -> Iterator[tuple[Failure, int]]:
    """Failures of these types and the line of this function that they passed through last."""
    first, last = scene.view.first_line, scene.view.first_line + scene.view.text.count("\n")
    for failure in scene.failures:
        if failure.type not in types:
            continue
        lines = [f.line for f in failure.frames if f.path == scene.path and first <= f.line <= last]
        if lines:
            yield failure, lines[-1]


def _close(word: str, words: tuple[str, ...]) -> list[tuple[str, float]]:
    """Words like ``word``, most alike first, with a weight."""
    scored = [
        (other, difflib.SequenceMatcher(None, word.lower(), other.lower()).ratio()) for other in dict.fromkeys(words)
    ]
    found = [(other, ratio) for other, ratio in scored if other != word and ratio > 0.45]
    return sorted(found, key=lambda pair: -pair[1])[:6]


@template("undefined-name")
def undefined_name(scene: Scene) -> Iterator[Idea]:
    """``NameError``: the name that was meant, ``self.name``, or a variable that is not set on every path."""
    view = scene.view
    for failure, line in _here(scene, "NameError", "UnboundLocalError"):
        match = re.search(r"name '(\w+)'|variable '(\w+)'", failure.message)
        name = failure.name or (match and (match[1] or match[2])) or ""
        options = _close(name, (*scene.variables, *view.globals, *sorted(BUILTINS)))
        options += [(other, 0.2) for other in scene.variables if other not in dict(options)]
        for node in view.all(cst.Name):
            if node.value != name or not view.is_load(node):
                continue
            if "self" in view.parameters:
                yield Idea(view.line(node), (view.replace(node, f"self.{name}"),), 1.0)
            for other, weight in options:
                yield Idea(view.line(node), (view.replace(node, other),), weight)
        if name in scene.variables or failure.type == "UnboundLocalError":
            root = view.root
            if isinstance(root, cst.FunctionDef) and isinstance(root.body, cst.IndentedBlock):
                first = root.body.body[0]
                for value, weight in (("None", 0.8), ("0", 0.8), ("[]", 0.7), ("''", 0.6), ("{}", 0.5), ("False", 0.5)):
                    yield Idea(line, (insert_before(view, first, f"{name} = {value}"),), weight)
                if name in view.globals:
                    yield Idea(line, (insert_before(view, first, f"global {name}"),), 1.0)


@template("unknown-attribute")
def unknown_attribute(scene: Scene) -> Iterator[Idea]:
    """``AttributeError``: the attribute that was meant; a guard when the object is ``None``."""
    view = scene.view
    for failure, line in _here(scene, "AttributeError"):
        match = re.search(r"has no attribute '(\w+)'(?:.*Did you mean: '\.?(\w+)')?", failure.message)
        if match is None:
            continue
        missing = match[1]
        known = tuple(re.findall(r"\bself\.(\w+)|\bdef (\w+)", view.module_text))
        words = tuple(w for pair in known for w in pair if w) + view.attributes
        options = [(match[2], 2.0)] if match[2] else []
        options += _close(missing, words)
        for node in view.all(cst.Attribute):
            if node.attr.value != missing:
                continue
            start, end = view.span(node.attr)
            for other, weight in options:
                yield Idea(view.line(node), (Edit(start, end, other),), weight)
            if "NoneType" in failure.message:
                yield from _none_guards(scene, node, line)


@template("none-value")
def none_value(scene: Scene) -> Iterator[Idea]:
    """``TypeError`` about ``None``: a guard around what uses it."""
    view = scene.view
    for failure, line in _here(scene, "TypeError"):
        if "NoneType" not in failure.message:
            continue
        for node in view.all(cst.Subscript, cst.Attribute, cst.Name):
            if isinstance(node, cst.Name) and not view.is_load(node):
                continue
            if view.line(node) == line:
                yield from _none_guards(scene, node, line)


def _none_guards(scene: Scene, node: cst.Attribute | cst.Subscript | cst.Name, line: int) -> Iterator[Idea]:
    view = scene.view
    owner = view.text_of(node if isinstance(node, cst.Name) else node.value)
    statement = view.statement(node)
    step = step_of(scene.view)
    options = list(answers(scene))
    if any(isinstance(a, cst.For | cst.While) for a in view.ancestors(node)):
        options += [("continue", 0.9), ("break", 0.8)]
    for answer, weight in options:
        edit = insert_before(view, statement, f"if {owner} is None:\n{step}{answer}")
        yield Idea(line, (edit,), 0.8 * weight)
    test = next((a for a in view.ancestors(node) if isinstance(a, cst.If | cst.While)), None)
    for ancestor in view.ancestors(node):
        if test is not None and view.parents.get(ancestor) == (test, "test"):
            break
    if test is not None and view.line(test.test) == line:
        text = view.tight(test.test, 2)
        yield Idea(line, (view.replace(test.test, f"{owner} is not None and {text}"),), 1.2)
        yield Idea(line, (view.replace(test.test, f"{owner} is None or {view.tight(test.test, 1)}"),), 1.2)
    if isinstance(statement, cst.SimpleStatementLine):
        start, end = whole_lines(view, statement)
        indent = view.indentation(statement)
        text = f"{indent}if {owner} is not None:\n{indent}{step}{view.text_of(statement)}\n"
        yield Idea(line, (Edit(start, end, text),), 1.0)


@template("missing-key")
def missing_key(scene: Scene) -> Iterator[Idea]:
    """``KeyError``: ``.get`` with and without a default, ``setdefault``, or a guard."""
    view = scene.view
    for _, line in _here(scene, "KeyError"):
        for node in view.all(cst.Subscript):
            if abs(view.line(node) - line) > 3 or view.is_store(node):
                continue
            if len(node.slice) != 1 or not isinstance(node.slice[0].slice, cst.Index):
                continue
            owner, key = view.text_of(node.value), view.text_of(node.slice[0].slice.value)
            near = 1.0 if view.line(node) == line else 0.3
            defaults = (
                ("", 1.0),
                ("0", 0.9),
                ("[]", 0.7),
                ("''", 0.5),
                ("{}", 0.6),
                ("None", 0.1),
                ("False", 0.4),
                (key, 0.3),
            )
            for default, weight in defaults:
                call = f"{owner}.get({key}, {default})" if default else f"{owner}.get({key})"
                yield Idea(line, (view.replace(node, call),), weight * near)
            for default, weight in (("[]", 0.9), ("{}", 0.6), ("0", 0.6), ("set()", 0.6)):
                yield Idea(line, (view.replace(node, f"{owner}.setdefault({key}, {default})"),), weight * near)
            yield from _when(scene, node, f"{key} in {owner}", f"{key} not in {owner}", near)
        for assign in view.all(cst.AugAssign):
            if view.line(assign) == line and isinstance(assign.target, cst.Subscript):
                target = view.text_of(assign.target)
                operator = view.text_of(assign.operator).strip()[:-1]
                owner, key = view.text_of(assign.target.value), view.text_of(assign.target.slice[0])
                start, end = view.span(assign)
                for default in ("0", "[]", "''", "1"):
                    text = f"{target} = {owner}.get({key}, {default}) {operator} {view.text_of(assign.value)}"
                    yield Idea(line, (Edit(start, end, text),), 1.2)


@template("out-of-range")
def out_of_range(scene: Scene) -> Iterator[Idea]:
    """``IndexError``: a guard on the length or on emptiness."""
    view = scene.view
    for _, line in _here(scene, "IndexError"):
        for node in view.all(cst.Subscript):
            if abs(view.line(node) - line) > 2 or len(node.slice) != 1:
                continue
            index = node.slice[0].slice
            if not isinstance(index, cst.Index):
                continue
            owner, place = view.text_of(node.value), view.text_of(index.value)
            near = 1.0 if view.line(node) == line else 0.3
            yield from _when(scene, node, f"{place} < len({owner})", f"{place} >= len({owner})", near)
            yield from _when(scene, node, owner, f"not {owner}", near)
        for call in view.all(cst.Call):
            if (
                view.line(call) == line
                and isinstance(call.func, cst.Attribute)
                and call.func.attr.value.startswith("pop")
            ):
                owner = view.text_of(call.func.value)
                yield from _when(scene, call, owner, f"not {owner}", 1.0)


@template("zero-division")
def zero_division(scene: Scene) -> Iterator[Idea]:
    """``ZeroDivisionError``: what to answer when the divisor is zero."""
    view = scene.view
    for _, line in _here(scene, "ZeroDivisionError"):
        for node in view.all(cst.BinaryOperation):
            if view.line(node) > line or not isinstance(node.operator, cst.Divide | cst.FloorDivide | cst.Modulo):
                continue
            divisor = view.text_of(node.right)
            yield from _when(scene, node, divisor, f"not {divisor}", 0.8)
            yield from _when(scene, node, f"{divisor} != 0", f"{divisor} == 0", 1.0)
            for other in ("0", "0.0", "1"):
                text = f"{view.tight(node, 1)} if {divisor} else {other}"
                yield Idea(line, (view.replace(node, text),), 0.7)


def _when(scene: Scene, node: cst.CSTNode, fine: str, wrong: str, weight: float) -> Iterator[Idea]:
    """Guards on a condition: in the test that uses ``node``, around its statement, or by leaving before it."""
    view = scene.view
    step = step_of(scene.view)
    statement = view.statement(node)
    line = view.line(node)
    inside = next((a for a in view.ancestors(node) if isinstance(a, cst.If | cst.While)), None)
    if inside is not None:
        start, end = view.span(inside.test)
        at = view.span(node)[0]
        if start <= at <= end:
            yield Idea(line, (view.replace(inside.test, f"{fine} and {view.tight(inside.test, 2)}"),), 1.5 * weight)
            yield Idea(line, (view.replace(inside.test, f"{wrong} or {view.tight(inside.test, 1)}"),), weight)
    options = list(answers(scene))
    if any(isinstance(a, cst.For | cst.While) for a in view.ancestors(node)):
        options += [("continue", 0.9), ("break", 0.8)]
    for answer, own in options:
        edit = insert_before(view, statement, f"if {wrong}:\n{step}{answer}")
        yield Idea(line, (edit,), own * weight)
    if isinstance(statement, cst.SimpleStatementLine) and not isinstance(statement.body[0], cst.Return):
        begin, end = whole_lines(view, statement)
        indent = view.indentation(statement)
        text = f"{indent}if {fine}:\n{indent}{step}{view.text_of(statement)}\n"
        yield Idea(line, (Edit(begin, end, text),), weight)


@template("unexpected-keyword")
def unexpected_keyword(scene: Scene) -> Iterator[Idea]:
    """``TypeError`` about arguments: rename, drop or add the one that the message names."""
    view = scene.view
    for failure, line in _here(scene, "TypeError"):
        match = re.search(r"unexpected keyword argument '(\w+)'(?:.*Did you mean '(\w+)')?", failure.message)
        if match is not None:
            for argument in view.all(cst.Arg):
                if argument.keyword is None or argument.keyword.value != match[1]:
                    continue
                start, end = view.span(argument.keyword)
                for other in [match[2]] if match[2] else []:
                    yield Idea(line, (Edit(start, end, other),), 2.0)
                for other, weight in _close(match[1], tuple(re.findall(r"\b(\w+)\b", view.module_text))):
                    yield Idea(line, (Edit(start, end, other),), weight)
        match = re.search(r"missing \d+ required (?:positional|keyword-only) arguments?: '(\w+)'", failure.message)
        if match is not None:
            for call in view.all(cst.Call):
                if abs(view.line(call) - line) > 1:
                    continue
                last = view.span(call.args[-1])[1] if call.args else view.span(call)[1] - 1
                comma = ", " if call.args else ""
                for value, weight in ((match[1], 1.5), ("None", 0.5), ("self", 0.4), ("0", 0.2), ("[]", 0.2)):
                    if value == match[1] and value not in scene.variables:
                        continue
                    yield Idea(line, (Edit(last, last, f"{comma}{match[1]}={value}"),), weight)
                    yield Idea(line, (Edit(last, last, f"{comma}{value}"),), weight * 0.5)


@template("missing-self")
def missing_self(scene: Scene) -> Iterator[Idea]:
    """``TypeError: f() takes 0 positional arguments but 1 was given``: a method without ``self``."""
    view = scene.view
    root = view.root
    if not view.classes or not isinstance(root, cst.FunctionDef) or {"self", "cls"} & set(view.parameters[:1]):
        return
    name = root.name.value
    for failure in scene.failures:
        if failure.type == "TypeError" and re.search(rf"\b{name}\(\) (takes|got)", failure.message):
            at = view.text.index("(", view.span(root.name)[1]) + 1
            tail = ", " if view.parameters else ""
            yield Idea(view.line(root), (Edit(at, at, "self" + tail),), 1.0, fresh=True)


@template("conversion")
def conversion(scene: Scene) -> Iterator[Idea]:
    """``TypeError`` about mixed types: ``str`` with ``int``, ``bytes`` with ``str``, a generator that is no list."""
    view = scene.view
    for failure, line in _here(scene, "TypeError", "ValueError", "AttributeError"):
        if not _MIXED_TYPES.search(failure.message):
            continue
        for node in view.all(cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.BinaryOperation):
            if view.line(node) != line or view.parents[node][1] in ("func", "attr") or view.is_store(node):
                continue
            if isinstance(node, cst.Name) and not view.is_load(node):
                continue
            text = view.text_of(node)
            for function, weight in (
                ("str", 1.0),
                ("int", 0.9),
                ("list", 0.8),
                ("tuple", 0.7),
                ("float", 0.4),
                ("sorted", 0.2),
            ):
                yield Idea(line, (view.replace(node, f"{function}({text})"),), weight)
            for method in ("encode()", "decode()"):
                yield Idea(line, (view.replace(node, f"{text}.{method}"),), 0.4)


@template("add-raise")
def add_raise(scene: Scene) -> Iterator[Idea]:
    """A test expects an exception: swap the one raised, or catch what happens and raise the right one."""
    view = scene.view
    for error in (e.partition("(")[0] for e in scene.raisable):
        for raised in view.all(cst.Raise):
            if isinstance(raised.exc, cst.Call):
                yield Idea(view.line(raised), (view.replace(raised.exc.func, error),), 1.0)
            elif isinstance(raised.exc, cst.Name):
                yield Idea(view.line(raised), (view.replace(raised.exc, error),), 1.0)
        for handler in view.all(cst.ExceptHandler):
            if handler.type is not None and view.text_of(handler.type) != error:
                yield Idea(view.line(handler), (view.replace(handler.type, error),), 0.5)
    for failure in scene.failures:
        for handler in view.all(cst.ExceptHandler):
            if handler.type is None or failure.type in ("AssertionError", "Failed"):
                continue
            names = view.text_of(handler.type).strip("()")
            if failure.type not in names:
                start, end = view.outer_span(handler.type)
                yield Idea(view.line(handler), (Edit(start, end, f"({names}, {failure.type})"),), 0.8)
                yield Idea(view.line(handler), (Edit(start, end, failure.type),), 0.6)
