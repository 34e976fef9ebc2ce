"""Statements of the wrong kind: `if` for `while`, `return` for `yield`, another result."""

from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.templates.statements import insert_after, leaves, view_edit


@template("statement-kind")
def statement_kind(scene: Scene) -> Iterator[Idea]:
    """``if`` for ``while``, ``break`` for ``continue``, ``return`` for ``yield``, a missing ``return``."""
    view = scene.view
    text = view.text
    for branch in view.suspicious(cst.If):
        start, _ = view.span(branch)
        if text.startswith("if", start):
            if branch.orelse is None:
                yield Idea(view.line(branch), (Edit(start, start + 2, "while"),), 0.8)
            parent = view.parent(branch)
            if not isinstance(parent, cst.If):
                yield from _as_elif(view, branch)
        elif text.startswith("elif", start):
            yield Idea(view.line(branch), (Edit(start, start + 4, "if"),), 0.6)
    for loop in view.suspicious(cst.While):
        start, _ = view.span(loop)
        yield Idea(view.line(loop), (Edit(start, start + 5, "if"),), 0.6)
    for kinds, other in (((cst.Break,), "continue"), ((cst.Continue,), "break")):
        for node in view.suspicious(*kinds):
            yield Idea(view.line(node), (view_edit(view, node, other),))
            yield Idea(view.line(node), (view_edit(view, node, "return"),), 0.3)
    for back in view.suspicious(cst.Return):
        if back.value is not None:
            start = view.span(back)[0]
            yield Idea(view.line(back), (Edit(start, start + 6, "yield"),), 0.3)
    for expression in view.suspicious(cst.Expr):
        if isinstance(expression.value, cst.Call | cst.Comparison | cst.BinaryOperation | cst.Name):
            start = view.span(expression)[0]
            yield Idea(view.line(expression), (Edit(start, start, "return "),), 1.0)
            if isinstance(expression.value, cst.Call) and isinstance(expression.value.func, cst.Attribute):
                owner = view.text_of(expression.value.func.value)
                if owner.isidentifier():
                    yield Idea(view.line(expression), (Edit(start, start, f"{owner} = "),), 0.5)
            if isinstance(expression.value, cst.Call):
                yield Idea(view.line(expression), (Edit(start, start, "yield from "),), 0.4)
                if isinstance(view.root, cst.FunctionDef) and view.root.asynchronous is not None:
                    yield Idea(view.line(expression), (Edit(start, start, "await "),), 1.0)


def _as_elif(view: FunctionView, branch: cst.If) -> Iterator[Idea]:
    block = view.parent(branch)
    if not isinstance(block, cst.IndentedBlock):
        return
    position = list(block.body).index(branch)
    if position and isinstance(block.body[position - 1], cst.If):
        start = view.span(branch)[0]
        yield Idea(view.line(branch), (Edit(start, start, "el"),), 0.5)


@template("yield-kind")
def yield_kind(scene: Scene) -> Iterator[Idea]:
    """``yield x`` for ``yield from x`` and the reverse, a missing or superfluous ``await``."""
    view = scene.view
    for node in view.suspicious(cst.Yield):
        start, end = view.span(node)
        if isinstance(node.value, cst.From):
            yield Idea(view.line(node), (Edit(start, end, f"yield {view.text_of(node.value.item)}"),))
        elif node.value is not None:
            yield Idea(view.line(node), (Edit(start, end, f"yield from {view.text_of(node.value)}"),))
    if isinstance(view.root, cst.FunctionDef) and view.root.asynchronous is not None:
        for call in view.suspicious(cst.Call):
            if not isinstance(view.parent(call), cst.Await):
                yield Idea(view.line(call), (view.replace(call, f"await {view.text_of(call)}"),))
    for awaited in view.suspicious(cst.Await):
        yield Idea(view.line(awaited), (view.replace(awaited, view.text_of(awaited.expression)),), 0.3)


@template("return-value")
def return_value(scene: Scene) -> Iterator[Idea]:
    """Another value returned; a result that is computed and not returned."""
    view = scene.view
    for back in view.suspicious(cst.Return):
        old = view.text_of(back.value) if back.value is not None else ""
        start, end = view.span(back)
        options = {
            "True": 0.3,
            "False": 0.3,
            "None": 0.2,
            "0": 0.3,
            "[]": 0.3,
            "''": 0.1,
            "1": 0.15,
            "-1": 0.15,
            "{}": 0.1,
        }
        for name in scene.in_scope(back):
            options[name] = 0.8 if name != "self" else 0.4
            if name not in ("self", "cls"):
                options[f"[{name}]"] = 0.2
                options[f"{name} == 0"] = 0.5 if scene.known(name, "int", "float") else 0.0
                options[f"not {name}"] = 0.2
        options.pop(old, None)
        for text, weight in options.items():
            if weight:
                yield Idea(view.line(back), (Edit(start, end, f"return {text}"),), weight)
    if isinstance(view.root, cst.FunctionDef) and isinstance(view.root.body, cst.IndentedBlock):
        last = view.root.body.body[-1]
        if not leaves(last):
            for name in scene.variables:
                if name not in ("self", "cls"):
                    yield Idea(view.line(last), (insert_after(view, last, f"return {name}"),), 0.7)
            if "self" in view.parameters:
                yield Idea(view.line(last), (insert_after(view, last, "return self"),), 0.5)
