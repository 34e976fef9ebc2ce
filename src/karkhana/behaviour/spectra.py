"""Which lines and branches each test runs, how the failing ones fail, and which statements had a part in it.

Knows tests and lines; knows nothing of repair. The measurement happens in ``probes/spectrum.py``.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec

from karkhana.behaviour.running import Run, ask, false_answer

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
    outcome: Literal["passed", "failed", "error", "skipped", "timeout", "crashed"]
    seconds: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
    """CPU seconds; of a failing test without the tracer."""
    failure: Failure | None = None
    alone: str = ""
    """Outcome of a failing test in a process of its own; differs when it depends on the order."""
    flaky: bool = False
    """Its outcome differed between identical runs: it says nothing about a change."""

    @property
    def broken(self) -> bool:
        return self.outcome in _BROKEN

    @property
    def order_dependent(self) -> bool:
        return not self.flaky and bool(self.alone) and (self.alone in _BROKEN) != self.broken


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
    arcs: Mapping[str, Mapping[tuple[int, int], tuple[int, ...]]] = {}
    """Path → (line, line that ran next) → numbers of the tests that went so, for lines of ``coverage`` from which tests
    went on in more than one way; a next line below 0 is the way out of the function that begins there."""
    influence: Mapping[str, Mapping[int, float]] = {}
    """Path → first line of a statement → how much it had a part in the failures, in [0,1]: a dynamic backward slice
    from where tests failed, weights falling with distance, the mean over the failing tests that were recorded (at
    most 8). Larger than need be, because names stand for values; statements that ran at import are missing."""
    types: Mapping[str, Mapping[int, Mapping[str, tuple[str, ...]]]] = {}
    """Path → first line of a function → variable → names of the types that failing tests saw in it."""
    rootdir: str = ""
    inifile: str = ""
    collected: int = 0
    collect_errors: tuple[tuple[str, str], ...] = ()
    """(node, message) of files that could not be collected."""

    @property
    def failing(self) -> tuple[int, ...]:
        """Tests that fail, without the flaky ones."""
        return tuple(n for n, t in enumerate(self.tests) if t.broken and not t.flaky)

    @property
    def passing(self) -> tuple[int, ...]:
        """Tests that pass, without the flaky ones."""
        return tuple(n for n, t in enumerate(self.tests) if t.outcome == "passed" and not t.flaky)

    @property
    def flaky(self) -> tuple[int, ...]:
        """Tests to set aside: their outcome changes by itself."""
        return tuple(n for n, t in enumerate(self.tests) if t.flaky)

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
    return _read(ask(run, "spectrum", job, seconds * 3 + 60, _Answer))


_Count = Annotated[int, msgspec.Meta(ge=0)]
_Line = Annotated[int, msgspec.Meta(ge=1)]
_Path = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern="^[^/]")]
_Rows = dict[_Path, dict[_Line, tuple[_Count, ...]]]
_Arc = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,9}>-?[0-9]{1,9}$")]


class _Session(msgspec.Struct, forbid_unknown_fields=True):
    rootdir: str
    inifile: str
    collected: _Count


class _CollectError(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    message: str


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the probe: a test, or one of the tables at the end."""

    test: TestRun | None = None
    coverage: _Rows = {}
    arcs: dict[_Path, dict[_Arc, tuple[_Count, ...]]] = {}
    influence: dict[_Path, dict[_Line, Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]]] = {}
    types: dict[_Path, dict[_Line, dict[str, tuple[str, ...]]]] = {}
    files: dict[_Path, tuple[FunctionPlace, ...]] = {}
    session: _Session | None = None
    collect_errors: tuple[_CollectError, ...] = ()
    reached: bool = False


def _read(answers: list[_Answer]) -> Spectrum:
    tests = tuple(answer.test for answer in answers if answer.test is not None)
    whole = _Answer()
    for answer in answers:
        for name in ("coverage", "arcs", "influence", "types", "files", "session", "collect_errors"):
            if getattr(answer, name):
                setattr(whole, name, getattr(answer, name))
    runners = [numbers for rows in whole.coverage.values() for numbers in rows.values()]
    runners += [numbers for found in whole.arcs.values() for numbers in found.values()]
    if any(numbers and max(numbers) >= len(tests) for numbers in runners):
        false_answer("spectrum", "a line is said to be run by a test that is not there")
    session = whole.session or _Session(rootdir="", inifile="", collected=0)
    return Spectrum(
        tests=tests,
        coverage=whole.coverage,
        arcs={path: {_arc(text): numbers for text, numbers in rows.items()} for path, rows in whole.arcs.items()},
        influence=whole.influence,
        types=whole.types,
        functions=whole.files,
        rootdir=session.rootdir,
        inifile=session.inifile,
        collected=session.collected,
        collect_errors=tuple((e.id, e.message) for e in whole.collect_errors),
    )


def _arc(text: str) -> tuple[int, int]:
    start, _, end = text.partition(">")
    return int(start), int(end)
