"""What a file does not define: methods that its classes lack, parameters that its functions do not take.

The failure names what is missing. Changes here are about whole files and need a fresh interpreter.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import FileScene, Idea, file_template, words
from karkhana.engineers.symbolic.generation.surroundings import Signature

_KEYWORD = re.compile(r"(?:(?P<owner>\w+)\.)?(?P<function>\w+)\(\) got an unexpected keyword argument '(?P<name>\w+)'")
_ATTRIBUTE = re.compile(r"'(?P<class>\w+)' object has no attribute '(?P<name>\w+)'")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MAXIMUM_LINES = 40


class _File:
    """The tree of a file and where its lines start."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.tree = ast.parse(text)

    def classes(self) -> dict[str, ast.ClassDef]:
        return {n.name: n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)}

    def after(self, node: ast.stmt) -> int:
        return self.starts[node.end_lineno or node.lineno]

    def text_of(self, node: _Function) -> str:
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return "".join(self.lines[first - 1 : node.end_lineno])


def _file(scene: FileScene) -> _File | None:
    try:
        return _File(scene.text)
    # What Python's parser does with source that is odd or too deep for it.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@file_template("missing-method-definition")
def missing_method_definition(scene: FileScene) -> Iterator[Idea]:
    """A method that a class lacks: by what it has, or like its counterpart."""
    wanted = list(dict.fromkeys(_wanted(scene)))
    file = _file(scene) if wanted else None
    if file is None:
        return
    classes = file.classes()
    for owner, name in wanted:
        if owner not in classes or name in scene.around.methods.get(owner, ()):
            continue
        node = classes[owner]
        for body, weight in _bodies(scene, file, node, name):
            anchor = next((m for m in reversed(node.body) if isinstance(m, _Function)), node.body[-1])
            at = file.after(anchor)
            indent = " " * node.body[0].col_offset
            lead = "" if file.text[:at].endswith("\n") else "\n"
            text = lead + "\n" + textwrap.indent(body, indent)
            yield Idea(node.lineno, (Edit(at, at, text),), weight, fresh=True)


def _wanted(scene: FileScene) -> Iterator[tuple[str, str]]:
    """(class, method) that the failures ask for."""
    table = words()["protocols"]
    assert isinstance(table, list)
    for failure in scene.failures:
        for pattern, methods in table:
            match = re.search(pattern, failure.message)
            if match is None:
                continue
            for method in methods:
                group, _, name = method.rpartition(":")
                yield match[group or "class"], name
        match = _ATTRIBUTE.search(failure.message)
        if match is not None:
            yield match["class"], match["name"]


def _bodies(scene: FileScene, file: _File, node: ast.ClassDef, name: str) -> Iterator[tuple[str, float]]:
    """Definitions of ``name`` for a class, without indentation."""
    own = {m.name: m for m in node.body if isinstance(m, _Function)}
    attributes = list(scene.around.attributes.get(node.name, ()))[:8]
    recipes = words()["definitions"]
    assert isinstance(recipes, list)
    for method, parameters, needs, body, weight in recipes:
        if method != name or (needs and needs not in own):
            continue
        for attribute in attributes if "{attribute}" in body else [""]:
            text = body.replace("{attribute}", attribute).replace("\n", "\n    ")
            yield f"def {name}({parameters}):\n    {text}\n", weight
    for other, function in own.items():
        yield from _like(file, name, other, function)
    if not name.startswith("__"):
        for attribute in attributes:
            if attribute.strip("_") == name:
                yield f"@property\ndef {name}(self):\n    return self.{attribute}\n", 1.5


def _like(file: _File, name: str, other: str, function: _Function) -> Iterator[tuple[str, float]]:
    """A copy of another method with what tells the two apart exchanged."""
    if (function.end_lineno or 0) - function.lineno > _MAXIMUM_LINES:
        return
    text = textwrap.dedent(file.text_of(function))
    pairs = words()["counterparts"]
    assert isinstance(pairs, list)
    for pair in pairs:
        for one, another in (pair, pair[::-1]):
            # ``one`` and ``another`` list words of equal standing, the first tells the names apart.
            if other.replace(one[0], another[0]) == name and one[0] in other:
                yield _exchanged(text, one, another), 1.0
                renamed = re.sub(rf"(\bdef ){other}\b", rf"\g<1>{name}", text)
                yield renamed, 0.4
    if other.strip("_") == name.strip("_") or _close(name, other):
        yield f"{name} = {other}\n", 0.6


def _exchanged(text: str, one: list[str], another: list[str]) -> str:
    table = {**dict(zip(another, one, strict=True)), **dict(zip(one, another, strict=True))}
    pattern = "|".join(re.escape(w) for w in sorted(table, key=len, reverse=True))
    return re.sub(pattern, lambda match: table[match.group()], text)


def _close(name: str, other: str) -> bool:
    first, second = set(name.strip("_").split("_")), set(other.strip("_").split("_"))
    return len(first & second) * 2 >= len(first | second)


@file_template("missing-parameter")
def missing_parameter(scene: FileScene) -> Iterator[Idea]:
    """A keyword that callers give and the function does not take: pass it on, keep it, or rename one."""
    matches = [m for failure in scene.failures if (m := _KEYWORD.search(failure.message)) is not None]
    file = _file(scene) if matches else None
    if file is None:
        return
    seen: set[tuple[str, str]] = set()
    for match in matches:
        key = (match["function"], match["name"])
        if key in seen:
            continue
        seen.add(key)
        for node in ast.walk(file.tree):
            if isinstance(node, _Function) and node.name == match["function"]:
                yield from _with_parameter(scene, file, node, match["name"])


def _with_parameter(scene: FileScene, file: _File, node: _Function, name: str) -> Iterator[Idea]:
    place = _parameter_place(file, node)
    if place is None:
        return
    at, comma = place
    uses = list(_uses(scene, file, node, name))
    for default in ("None", "False", "True", "''", "0"):
        added = Edit(at, at, comma[0] + f"{name}={default}" + comma[1])
        for edits, own_default, weight in uses:
            fits = not own_default or own_default == default
            yield Idea(node.lineno, (added, *edits), weight * (1.0 if fits else 0.3), fresh=True)
        yield Idea(node.lineno, (added,), 0.15, fresh=True)


def _parameter_place(file: _File, node: _Function) -> tuple[int, tuple[str, str]] | None:
    """Offset for one more parameter with a default, and the text around it."""
    given = node.args
    last: ast.expr | ast.arg | None = None
    for argument in (*given.posonlyargs, *given.args):
        last = argument
    if given.defaults:
        last = given.defaults[-1]
    if given.kwonlyargs:
        last = given.kw_defaults[-1] or given.kwonlyargs[-1]
    elif given.vararg is not None:
        last = given.vararg
    if last is None:
        start = file.starts[node.lineno - 1]
        at = file.text.index("(", start + node.col_offset) + 1
        return at, ("", ", " if given.kwarg else "")
    if isinstance(last, ast.arg) and last.annotation is not None:
        last = last.annotation
    if last.end_lineno is None or last.end_col_offset is None:
        return None
    line = file.lines[last.end_lineno - 1]
    return file.starts[last.end_lineno - 1] + len(line.encode()[: last.end_col_offset].decode()), (", ", "")


def _uses(scene: FileScene, file: _File, node: _Function, name: str) -> Iterator[tuple[tuple[Edit, ...], str, float]]:
    """(edits of the body, default that fits, weight)."""
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
        if any(k.arg == name for k in call.keywords):
            continue
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        signature = _taking(scene.around.signatures.get(called, ()), name)
        at = _end_of_call(file, call)
        if at is None:
            continue
        comma = ", " if call.args or call.keywords else ""
        weight = 2.0 if signature is not None else 0.3
        yield (Edit(at, at, f"{comma}{name}={name}"),), signature.defaults.get(name, "") if signature else "", weight
    if node.name == "__init__" and node.body:
        at = file.after(node.body[-1])
        indent = " " * node.body[0].col_offset
        for attribute in (name, "_" + name):
            yield (Edit(at, at, f"{indent}self.{attribute} = {name}\n"),), "", 0.8


def _taking(signatures: tuple[Signature, ...], name: str) -> Signature | None:
    return next((s for s in signatures if name in (*s.positional, *s.optional)), None)


def _end_of_call(file: _File, call: ast.Call) -> int | None:
    """Offset of the closing bracket."""
    if call.end_lineno is None or call.end_col_offset is None:
        return None
    line = file.lines[call.end_lineno - 1]
    at = file.starts[call.end_lineno - 1] + len(line.encode()[: call.end_col_offset].decode()) - 1
    before = file.text[:at].rstrip()
    return None if before.endswith(",") else at
