"""What several gates want to know of the same run: the suite with line coverage, and which tests reach the change.

Running a suite under a tracer costs more than all that is done with its result, so it is run once per workspace; a
workspace does not change between gates. Knows nothing of what the lines are worth.
"""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from karkhana.behaviour.running import Run, pytest_arguments
from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import Outcome
from karkhana.domain.tools import CommandResult
from karkhana.ports import GateContext, Workspace
from karkhana.quality import paths, suite
from karkhana.quality.changed import ChangedFile, changed_functions
from karkhana.quality.suite import Measurement
from karkhana.syntax import Unparsable

_Key = tuple[tuple[str, ...], tuple[str, ...]]
_KNOWN: WeakKeyDictionary[Workspace, dict[_Key, Measurement]] = WeakKeyDictionary()


def python_code(context: GateContext) -> list[str]:
    """The changed Python files that are not tests."""
    found = [p for p in context.change.paths if p.endswith(".py") and not paths.is_test(p)]
    return [p for p in found if paths.is_executable_kind(p)]


def changed_files(context: GateContext) -> list[ChangedFile]:
    """What changed in the Python code that stands after the change. Raises ``Unparsable``."""
    found = []
    for path in python_code(context):
        before, after = context.contents[path]
        if after is not None:
            found.append(changed_functions(path, before, after))
    return found


def measured(context: GateContext, *, after: bool) -> Measurement | None:
    """The suite with coverage of the changed code, and after the change its ``reach``; ``None``: no such code there.

    Raises ``InfrastructureFailure``.
    """
    cover = tuple(p for p in python_code(context) if context.contents[p][1 if after else 0] is not None)
    if not cover:
        return None
    workspace, report = (context.after, context.result) if after else (context.before, context.baseline)
    known = _KNOWN.setdefault(workspace, {})
    key = (context.test_command, cover)
    if key not in known:
        known[key] = suite.measure(
            workspace,
            context.test_command,
            cover=cover,
            reach=_spans(context) if after else {},
            timeout_s=suite.allowance(max(report.duration_s, context.result.duration_s)),
            test_cpu_s=suite.per_test_allowance(report),
        )
    return known[key]


def _spans(context: GateContext) -> dict[str, list[tuple[int, int]]]:
    try:
        files = changed_files(context)
    except Unparsable:
        return {}
    found = {}
    for file in files:
        inside = [(f.place.start, f.place.end) for f in file.functions]
        found[file.path] = inside + [(line, line) for line in file.lines]
    return found


def target_tests(context: GateContext) -> frozenset[str]:
    """Tests that pass after the change and failed, or were not there, before it."""
    before = set(context.baseline.passed)
    return frozenset(n for n in context.result.passed if n not in before)


def run_in(workspace: Workspace) -> Run:
    """How probes get run in a workspace."""

    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

    return run


def arguments_for(context: GateContext, tests: Iterable[str]) -> tuple[str, ...]:
    """What the user's command gives to pytest, with the files of ``tests`` in place of everything, where that is sure.

    Collecting a large suite costs more than running a few tests of it.
    """
    given = pytest_arguments(context.test_command)
    files = tuple(dict.fromkeys(test.partition("::")[0] for test in tests))
    kept = tuple(a for a in given if not any(_holds(a, file) for file in files))
    try:
        known = all(context.after.read(file) is not None for file in files)
    except ToolRefused:  # not the name of a file
        return given
    # Any other word that is no option may be a folder, or the value of an option.
    certain = len(kept) < len(given) or all(a.startswith("-") for a in given)
    return (*kept, *files) if known and certain else given


def _holds(argument: str, file: str) -> bool:
    place = argument.partition("::")[0].rstrip("/")
    return bool(place) and (place in (".", file) or file.startswith(place + "/"))


def tests_reaching(measurement: Measurement | None, path: str, lines: Iterable[int]) -> frozenset[str]:
    """Names of the tests that passed and ran any of the lines."""
    if measurement is None or measurement.coverage is None or path not in measurement.coverage:
        return frozenset()
    coverage = measurement.coverage[path]
    wanted = {*lines, *coverage.touched(lines)}
    reached = {test for line in wanted for test in coverage.reach.get(line, ())}
    return frozenset(reached & measurement.named(Outcome.PASSED))
