"""Faults that strike while a test file is imported: its tests cannot even be collected, so nothing traces them.

What is known is the traceback of the import. From it comes a spectrum of the same form as a traced one: the tests that
the file's text defines fail, at the frames of the traceback. Knows texts and tracebacks; runs nothing.
"""

import ast
import re
from collections.abc import Callable, Iterator

from karkhana.behaviour.spectra import Failure, Frame, FunctionPlace, Spectrum, TestRun

_FRAME = re.compile(r"(?m)^(?!/)([^\s:][^:\n]*\.py):(\d+): in (\S+)$")
_ERROR = re.compile(r"(?m)^E\s+([A-Za-z_][\w.]*)(?:: (.*))?$")
_TESTS = 40
_SUPPOSED_S = 0.5
"""CPU seconds supposed for a test that never ran."""


def at_import(spectrum: Spectrum, read: Callable[[str], str | None]) -> Spectrum | None:
    """The spectrum of files that cannot be collected; ``None`` when the traceback names no function of the repository.

    ``read`` gives the text of a file.
    """
    tests: list[TestRun] = []
    coverage: dict[str, dict[int, tuple[int, ...]]] = {}
    functions: dict[str, tuple[FunctionPlace, ...]] = {}
    for node, message in spectrum.collect_errors:
        path = node.split("::")[0]
        names = list(_test_names(read(path) or ""))[: _TESTS - len(tests)]
        frames = [Frame(m[1], int(m[2]), m[3]) for m in _FRAME.finditer(message) if m[1] != path]
        told = _ERROR.findall(message)
        kind, text = told[-1] if told else ("", "")
        failure = Failure(type=kind.rsplit(".", 1)[-1], message=text, frames=tuple(frames))
        numbers = tuple(range(len(tests), len(tests) + len(names)))
        tests += [
            TestRun(name=f"{path}::{name}", outcome="error", seconds=_SUPPOSED_S, failure=failure) for name in names
        ]
        for frame in frames:
            if frame.path not in functions:
                functions[frame.path] = tuple(_functions(read(frame.path) or ""))
            place = next((p for p in functions[frame.path] if p.start <= frame.line <= p.end), None)
            # Which lines of the function ran before the error is not known; any of them may have.
            for line in range(place.start, place.end + 1) if place else ():
                here = coverage.setdefault(frame.path, {})
                here[line] = tuple(sorted({*here.get(line, ()), *numbers}))
    if not tests or not coverage:
        return None
    return Spectrum(
        tests=tuple(tests),
        coverage=coverage,
        functions=functions,
        rootdir=spectrum.rootdir,
        inifile=spectrum.inifile,
        collect_errors=spectrum.collect_errors,
    )


def _test_names(text: str) -> Iterator[str]:
    """Names of a test file's tests below its path, without those that have parameter sets or other decorators."""
    for node in _body(text):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.ClassDef) and ("Test" in node.name or node.bases):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test") and not inner.decorator_list:
                    yield f"{node.name}::{inner.name}"


def _functions(text: str) -> Iterator[FunctionPlace]:
    """Functions of a module and methods of its classes."""
    waiting: list[tuple[ast.stmt, tuple[str, ...]]] = [(node, ()) for node in _body(text)]
    while waiting:
        node, classes = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            top = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            end = node.end_lineno or node.lineno
            yield FunctionPlace(name=node.name, classes=classes, top=top, start=node.lineno, end=end)
        elif isinstance(node, ast.ClassDef):
            waiting += [(inner, (*classes, node.name)) for inner in node.body]


def _body(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
