"""Where the names of an example come from, and whether the example may be run at all.

Names are looked for in what the sandbox found of the repository, then in the standard library's well-known ones
(``names.toml``). Knows nothing of what the example shows.

>>> missing("total = cart.sum()") == {"cart"}
True
"""

import ast
import builtins
import functools
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import msgspec

from karkhana.engineers.symbolic.reproduction.ticket import parsed

_KIND_ORDER = {"function": 0, "class": 0, "import": 1, "value": 2, "method": 9}


class Entry(msgspec.Struct, frozen=True):
    """A place where a name is defined or handed on."""

    module: str
    path: str
    name: str
    kind: str
    aside: bool
    """In tests, examples, documentation."""
    exported: bool


class Index(msgspec.Struct, frozen=True):
    """What the sandbox found of the repository."""

    found: Mapping[str, tuple[Entry, ...]] = {}
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


class Imports(msgspec.Struct, frozen=True):
    """Import lines that an example needs."""

    lines: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    """Names that nothing defines."""
    modules: tuple[str, ...] = ()
    """Paths of the repository's files that the names come from."""


@functools.cache
def table() -> dict[str, Any]:
    text = resources.files("karkhana.engineers.symbolic.reproduction").joinpath("names.toml").read_text("utf-8")
    return tomllib.loads(text)


def refusal(code: str) -> str:
    """Why an example may not be run; empty when it may."""
    tree = parsed(code)
    if tree is None:
        return "it is no Python"
    rules = table()["refused"]
    modules = set(rules["modules"])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if any(a.name == "os" and a.asname for a in node.names):
                return "it hides os behind another name"
            bad = [n for n in names if n in modules or n.split(".")[0] in modules]
            if bad:
                return f"it imports {bad[0]}"
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                return "it imports from os"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in rules["calls"]:
            return f"it calls {node.func.id}()"
        elif isinstance(node, ast.Attribute):
            root = _root(node)
            if node.attr in rules["anywhere"] or (node.attr in rules["attributes"] and root in rules["on"]):
                return f"it uses .{node.attr}"
            if isinstance(node.value, ast.Name) and root == "os" and node.attr not in rules["os"]:
                return f"it uses os.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            if any(isinstance(a, ast.Name) and a.id in ("os", "sys", "io") for a in node.args):
                return f"it calls {node.func.id}() on a module"
        elif isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and not _leaves(node):
            return "it loops without end"
    return ""


def _root(node: ast.Attribute) -> str:
    """The name at the beginning of a chain such as ``Path("x").unlink``."""
    base: ast.expr = node.value
    while isinstance(base, ast.Attribute | ast.Call):
        base = base.func if isinstance(base, ast.Call) else base.value
    return base.id if isinstance(base, ast.Name) else ""


def _leaves(loop: ast.While) -> bool:
    return any(isinstance(n, ast.Break | ast.Return | ast.Raise) for n in ast.walk(loop))


def missing(code: str) -> set[str]:
    """Names that a piece of code uses and neither binds nor gets from the language.

    Scopes inside functions are not told apart: a name bound anywhere counts as bound.
    """
    tree = parsed(code)
    if tree is None:
        return set()
    bound: set[str] = set(dir(builtins)) | {"__name__", "__file__"}
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return used - bound


def resolve(code: str, index: Index, ticket: str) -> Imports:
    """The imports that make ``code`` complete."""
    lines: list[str] = []
    unknown: list[str] = []
    paths: list[str] = []
    for name in sorted(missing(code)):
        line, path = _import_of(name, code, index, ticket)
        if line:
            lines.append(line)
        else:
            unknown.append(name)
        if path:
            paths.append(path)
    lines += _submodules(code, index, lines)
    tree = parsed(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                paths += [
                    e.path for e in index.found.get(alias.name, ()) if not e.aside and e.kind in ("function", "class")
                ]
    for name in attributes(code):
        paths += [e.path for e in index.found.get(name, ()) if not e.aside and e.kind in ("function", "method")][:2]
    return Imports(tuple(dict.fromkeys(lines)), tuple(unknown), tuple(dict.fromkeys(paths)))


def attributes(code: str) -> list[str]:
    """Names after a dot that are called."""
    tree = parsed(code)
    return [
        n.func.attr
        for n in (ast.walk(tree) if tree else ())
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    ]


def wanted(codes: Iterable[str]) -> list[str]:
    """Every name whose definition is worth knowing."""
    names: set[str] = set()
    for code in codes:
        tree = parsed(code)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.alias):
                names.add(node.name.rpartition(".")[2])
    return sorted(names - set(dir(builtins)))[:300]


def _submodules(code: str, index: Index, lines: list[str]) -> list[str]:
    """``import a.b`` for uses such as ``a.b.f()`` of a package that does not import ``b`` by itself."""
    modules = set(index.modules)
    found = []
    tree = parsed(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Attribute):
            dotted = dotted_name(node)
            if dotted in modules and f"import {dotted.split('.')[0]}" in lines:
                found.append(f"import {dotted}")
    return found


def dotted_name(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _import_of(name: str, code: str, index: Index, ticket: str) -> tuple[str, str]:
    if name in index.packages and f"{name}." in code:
        return f"import {name}", ""
    entry = best(index.found.get(name, ()), ticket, index)
    if entry is not None and not (name in index.packages and f"{name}." in code):
        return f"from {entry.module} import {name}", entry.path
    if name in index.packages:
        return f"import {name}", ""
    module = min((m for m in index.modules if m.endswith(f".{name}") and f"{name}." in code), key=len, default="")
    if module:
        return f"from {module.rpartition('.')[0]} import {name}", ""
    if name == "datetime" and _is_class(code):
        return "from datetime import datetime", ""
    known = table()["imports"].get(name, "")
    if known and (known.split()[1].split(".")[0] in sys.stdlib_module_names or known.split()[1] in index.imported):
        return known, ""
    if name in sys.stdlib_module_names and name not in table()["refused"]["modules"] and f"{name}." in code:
        return f"import {name}", ""
    return "", ""


def _is_class(code: str) -> bool:
    attributes_of = table()["datetime_class"]["attributes"]
    return "datetime(" in code.replace("datetime.datetime(", "") or (
        any(f"datetime.{a}(" in code for a in attributes_of) and "datetime.datetime" not in code
    )


def best(entries: Iterable[Entry], ticket: str, index: Index) -> Entry | None:
    """The place that a user would import a name from: named by the ticket, then public, then near the top."""
    candidates = [e for e in entries if not e.aside and e.kind != "method" and e.module.split(".")[0] in index.packages]
    if not candidates:
        return None
    tops = {package for package in index.packages if package in ticket}

    def rank(entry: Entry) -> tuple[object, ...]:
        parts = entry.module.split(".")
        named = entry.module in ticket or (len(parts) > 1 and f"{parts[-1]}." in ticket)
        private = any(p.startswith("_") for p in parts)
        defined = _KIND_ORDER.get(entry.kind, 5)
        top = parts[0] in tops
        return (not named, not top, private, len(parts) if entry.exported or defined < 2 else 9, defined, entry.module)

    return min(candidates, key=rank)
