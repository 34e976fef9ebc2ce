"""Runs inside the sandbox with the target's interpreter: finds where names are defined, and tries examples.

``python -c THIS < job.json`` prints one JSON object. Standard library only. Each example runs in a child of its own
with a time limit, so that whatever it does ends with it.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import json
import math
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

FILES_MAX = 4000
TEXT_MAX = 2000
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


def short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # whatever a repr of the target raises
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def failure(error: BaseException) -> dict[str, Any]:
    frames: list[Any] = []
    trace = error.__traceback__
    root = os.getcwd() + os.sep
    while trace is not None and len(frames) < 60:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(root):
            frames.append([path[len(root) :], trace.tb_lineno, trace.tb_frame.f_code.co_name])
        trace = trace.tb_next
    try:
        message = str(error)[:TEXT_MAX]
    except Exception:  # whatever a str of the target raises
        message = ""
    return {
        "type": type(error).__name__,
        "bases": [kind.__name__ for kind in type(error).__mro__],
        "module": type(error).__module__,
        "message": message,
        "frames": frames,
    }


def same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))
    except Exception:  # whatever a comparison of the target raises
        return False


def plain(value: Any) -> tuple[Any, bool]:
    """The items of an iterator, so that it can be compared."""
    if hasattr(value, "__next__") and hasattr(value, "__iter__"):
        return list(itertools.islice(value, 1000)), True
    return value, False


def squeezed(text: str) -> str:
    return " ".join(text.split())


def compared(
    value: Any, said: dict[str, Any], names: dict[str, Any], printed: str, was_iterator: bool
) -> dict[str, Any]:
    """How a result agrees with one that was told."""
    answer: dict[str, Any] = {"equal": False, "evaluated": False, "repr": False, "text": False, "printed": False}
    if said["text"]:
        try:
            other = eval(said["text"], dict(names))
            if not isinstance(value, type(other)) and hasattr(other, "__next__"):
                other, _ = plain(other)
            answer["evaluated"] = True
            answer["type"] = type(other).__name__
            answer["plain"] = isinstance(
                other, (int, float, str, bytes, bool, list, tuple, dict, set, frozenset, type(None))
            )
            answer["equal"] = same(value, other)
            answer["alike"] = type(value) is type(other) or (
                isinstance(value, (int, float)) and isinstance(other, (int, float))
            )
            if isinstance(value, tuple) and isinstance(other, list) and was_iterator:
                answer["equal"] = list(value) == other
            if isinstance(value, float) and isinstance(other, float):
                answer["close"] = math.isclose(value, other, rel_tol=1e-12)
        except Exception as error:  # what the ticket wrote may be no value here
            answer["error"] = f"{type(error).__name__}: {error}"[:300]
    words = said["words"].strip()
    if words:
        answer["repr"] = squeezed(short(value)) == squeezed(words)
        try:
            answer["text"] = str(value).strip() == words
        except Exception:  # whatever a str of the target raises
            answer["text"] = False
        answer["printed"] = bool(printed) and squeezed(printed) == squeezed(words)
    return answer


def carry_out(scene: dict[str, Any], tell: dict[str, Any]) -> None:
    names: dict[str, Any] = {"__name__": "ticket"}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        stage, index = "import", 0
        try:
            for line in scene["imports"]:
                exec(line, names)
            stage = "setup"
            for number, line in enumerate(scene["setup"]):
                index = number
                exec(compile(line, "<ticket>", "exec"), names)
            stage = "subject"
            before = out.tell()
            if scene["statement"]:
                exec(compile(scene["subject"], "<ticket>", "exec"), names)
                value: Any = None
            else:
                value = eval(compile(scene["subject"], "<ticket>", "eval"), names)
            tell["iterator"] = hasattr(value, "__next__")
            value, iterator = plain(value)
        except BaseException as error:  # the point is to see what is raised
            tell.update(stage=stage, index=index, raised=failure(error), printed=out.getvalue()[-TEXT_MAX:])
            return
        printed = out.getvalue()[before:]
        tell.update(
            stage="done", iterator=iterator, repr=short(value), type=type(value).__name__, printed=printed[:TEXT_MAX]
        )
        tell["said"] = [compared(value, said, names, printed, iterator) for said in scene["said"]]


def attempt(scene: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One example in a child of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        tell: dict[str, Any] = {}
        try:
            os.close(read)
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            carry_out(scene, tell)
            data = json.dumps(tell).encode()
            while data:
                data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    data, deadline = b"", time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(read)
            return {"stage": "late"}
        part = os.read(read, 1 << 16)
        if not part:
            break
        data += part
    os.close(read)
    os.waitpid(pid, 0)
    try:
        answer: dict[str, Any] = json.loads(data)
        return answer
    except ValueError:
        return {"stage": "died"}


def main() -> None:
    job = json.load(sys.stdin)
    for folder in (*ROOTS, "."):
        place = os.path.abspath(folder)
        if os.path.isdir(place) and place not in sys.path:
            sys.path.append(place)
    sys.path[:] = [entry or os.getcwd() for entry in sys.path]
    answer: dict[str, Any] = {}
    if "find" in job:
        answer.update(find(job["find"]))
    if "scenes" in job:
        deadline = time.monotonic() + job["total"]
        answer["outcomes"] = [
            attempt(scene, job["seconds"]) if time.monotonic() < deadline else {"stage": "late"}
            for scene in job["scenes"]
        ]
    print(json.dumps(answer))


main()
