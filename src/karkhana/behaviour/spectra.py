"""Which lines each test runs, and how the failing ones fail.

Knows tests and lines; knows nothing of repair. The measurement happens in ``probes/spectrum.py``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from karkhana.behaviour.running import Run, ask

_BROKEN = frozenset({"failed", "error", "timeout", "crashed"})


class Frame(msgspec.Struct, frozen=True):
    """One frame of a traceback inside the repository."""

    path: str
    line: int
    function: str
    locals: dict[str, tuple[str, str]] = {}
    """Name → (type name, short text of plain values)."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How a test failed."""

    type: str
    bases: tuple[str, ...] = ()
    message: str = ""
    frames: tuple[Frame, ...] = ()
    """Outermost first."""
    name: str = ""
    """The name that a ``NameError``, ``AttributeError`` or ``ImportError`` is about."""


class TestRun(msgspec.Struct, frozen=True, kw_only=True):
    """One test under the tracer."""

    __test__ = False

    name: str
    outcome: str
    """``passed, failed, error, skipped, timeout, crashed``."""
    seconds: float
    """CPU seconds; of a failing test without the tracer."""
    failure: Failure | None = None
    alone: str = ""
    """Outcome of a failing test in a process of its own; differs when it depends on the order."""

    @property
    def broken(self) -> bool:
        return self.outcome in _BROKEN

    @property
    def order_dependent(self) -> bool:
        return bool(self.alone) and (self.alone in _BROKEN) != self.broken


class FunctionPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an outermost function or method stands."""

    name: str
    classes: tuple[str, ...] = ()
    top: int
    """Line of its first decorator."""
    start: int
    """Line of its ``def``."""
    end: int

    @property
    def qualified(self) -> str:
        return ".".join((*self.classes, self.name))


class Spectrum(msgspec.Struct, frozen=True, kw_only=True):
    """What one traced run of a suite showed."""

    tests: tuple[TestRun, ...]
    """In the suite's own order."""
    coverage: Mapping[str, Mapping[int, tuple[int, ...]]]
    """Path → line → numbers of the tests that ran it; see :func:`measure` for which lines."""
    functions: Mapping[str, tuple[FunctionPlace, ...]]
    types: Mapping[str, Mapping[int, Mapping[str, tuple[str, ...]]]] = {}
    """Path → first line of a function → variable → names of the types that failing tests saw in it."""
    rootdir: str = ""
    inifile: str = ""
    collected: int = 0
    collect_errors: tuple[tuple[str, str], ...] = ()
    """(node, message) of files that could not be collected."""

    @property
    def failing(self) -> tuple[int, ...]:
        return tuple(n for n, t in enumerate(self.tests) if t.broken)

    @property
    def passing(self) -> tuple[int, ...]:
        return tuple(n for n, t in enumerate(self.tests) if t.outcome == "passed")

    def number(self, name: str) -> int | None:
        return next((n for n, t in enumerate(self.tests) if t.name == name), None)

    def covering(self, path: str, first: int, last: int) -> tuple[int, ...]:
        """Tests that run any line from ``first`` to ``last``."""
        found: set[int] = set()
        for line, tests in self.coverage.get(path, {}).items():
            if first <= line <= last:
                found.update(tests)
        return tuple(sorted(found))

    def types_in(self, path: str, first: int, last: int) -> dict[str, frozenset[str]]:
        """Variable → names of the types seen in functions that start between two lines."""
        found: dict[str, set[str]] = {}
        for line, names in self.types.get(path, {}).items():
            if first <= line <= last:
                for name, kinds in names.items():
                    found.setdefault(name, set()).update(kinds)
        return {name: frozenset(kinds) for name, kinds in found.items()}

    def is_test_file(self, path: str) -> bool:
        """Whether tests are defined in ``path``, or it is a conftest."""
        return path.rsplit("/", 1)[-1] == "conftest.py" or any(t.name.startswith(path + "::") for t in self.tests)


def measure(
    run: Run,
    *,
    arguments: Iterable[str] = (),
    tests: Iterable[str] | None = None,
    limits: Mapping[str, float] | None = None,
    limit_s: float = 2.0,
    seconds: float = 60.0,
    everything: bool = False,
) -> Spectrum:
    """Trace a suite, or the named tests of it.

    ``limits`` and ``limit_s`` bound each test's CPU seconds, ``seconds`` those of the whole pass: tests that it
    does not reach are missing from the result. The lines told are those of functions that a failing test runs, or
    ``everything``. Raises ``ProbeFailed``.
    """
    job = {
        "pytest": list(arguments),
        "tests": None if tests is None else list(tests),
        "limits": dict(limits or {}),
        "limit": limit_s,
        "seconds": seconds,
        "everything": everything,
    }
    return _read(ask(run, "spectrum", job, seconds * 3 + 60))


def _read(answers: list[dict[str, Any]]) -> Spectrum:
    tests: list[TestRun] = []
    merged: dict[str, Any] = {}
    for answer in answers:
        if "test" in answer:
            tests.append(msgspec.convert(answer["test"], TestRun))
        else:
            merged.update(answer)
    session = merged.get("session", {})
    return Spectrum(
        tests=tuple(tests),
        coverage={
            path: {int(line): tuple(numbers) for line, numbers in lines.items()}
            for path, lines in merged.get("coverage", {}).items()
        },
        types={
            path: {int(line): {n: tuple(k) for n, k in names.items()} for line, names in places.items()}
            for path, places in merged.get("types", {}).items()
        },
        functions=msgspec.convert(merged.get("files", {}), dict[str, tuple[FunctionPlace, ...]]),
        rootdir=session.get("rootdir", ""),
        inifile=session.get("inifile", ""),
        collected=session.get("collected", 0),
        collect_errors=tuple((e["id"], e["message"]) for e in merged.get("collect_errors", ())),
    )
