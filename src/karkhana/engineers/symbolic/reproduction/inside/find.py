"""Runs inside the sandbox with the target's interpreter: finds where names are defined. Imports nothing of the target.

``python -c THIS < job.json`` prints one JSON object. Standard library only.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

FILES_MAX = 4000
SKIPPED = {
    ".git",
    ".hg",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    "env",
    "node_modules",
    "build",
    "dist",
    "__pycache__",
    ".eggs",
}
ROOTS = ("src", "lib", "python")


def python_files() -> Iterator[str]:
    found = 0
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.endswith(".egg-info"))
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)[2:].replace(os.sep, "/")
                found += 1
                if found >= FILES_MAX:
                    return


def module_of(path: str) -> tuple[str, bool]:
    """Dotted name, and whether it is a test's or other by-work."""
    parts = path[:-3].split("/")
    aside = any(
        p in ("tests", "test", "docs", "doc", "examples", "example", "benchmarks", "scripts") for p in parts[:-1]
    )
    aside = aside or parts[-1].startswith("test_") or parts[-1].endswith("_test") or parts[-1] in ("setup", "conftest")
    if parts[0] in ROOTS and len(parts) > 1 and not os.path.exists(os.path.join(parts[0], "__init__.py")):
        parts = parts[1:]
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts), aside


def tree_of(path: str) -> ast.Module | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(file.read(2_000_000))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try, ast.With)):
                yield from flat(getattr(node, name, []) or [])
        for handler in getattr(node, "handlers", []):
            yield from flat(handler.body)


def definitions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, kind) of what a module holds at its top; ``Class.method`` too."""
    for node in flat(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, "function"
        elif isinstance(node, ast.ClassDef):
            yield node.name, "class"
            for inner in node.body:
                if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield node.name + "." + inner.name, "method"
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield name.id, "value"
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, "value"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, "import"


def exported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in flat(tree.body):
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
                names |= {
                    c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant) and isinstance(c.value, str)
                }
    return names


def find(wanted: list[str]) -> dict[str, Any]:
    """Where names are defined or handed on, the importable packages, and what the repository itself imports."""
    names = set(wanted)
    found: dict[str, list[dict[str, Any]]] = {}
    stars: list[tuple[str, str, bool]] = []
    packages: set[str] = set()
    modules: list[str] = []
    imported: set[str] = set()
    for path in python_files():
        module, aside = module_of(path)
        tree = tree_of(path)
        if not module or tree is None:
            continue
        modules.append(module)
        if not aside:
            packages.add(module.split(".")[0])
        public = exported(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
            if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names) and not aside:
                base = module.split(".") if path.endswith("__init__.py") else module.split(".")[:-1]
                base = base[: len(base) - node.level + 1] if node.level else []
                stars.append((module, ".".join([*base, *([node.module] if node.module else [])]), aside))
        for name, kind in definitions(tree):
            short = name.rpartition(".")[2] if kind == "method" else name
            if short in names or name in names:
                key = name if name in names else short
                entry = {"module": module, "path": path, "name": name, "kind": kind, "aside": aside}
                found.setdefault(key, []).append({**entry, "exported": short in public})
    for _ in range(3):
        for module, source, aside in stars:
            for entries in found.values():
                here = {e["module"] for e in entries}
                origin = next((e for e in entries if e["module"] == source and e["kind"] != "method"), None)
                if (
                    origin is not None
                    and module not in here
                    and (origin["exported"] or not origin["name"].startswith("_"))
                ):
                    entries.append({**origin, "module": module, "kind": "import", "aside": aside, "exported": True})
    return {
        "found": {name: entries[:40] for name, entries in found.items()},
        "packages": sorted(packages),
        "modules": sorted(modules)[:FILES_MAX],
        "imported": sorted(imported),
    }


print(json.dumps(find(json.load(sys.stdin)["find"])))
