"""Measures a suite inside a workspace: outcome and duration per test, coverage of chosen files.

The programs that do it (``probes/suite_probe.py``, and ``probes/line_probe.py`` for coverage) run in the sandbox with
the target's interpreter; nothing of the target is imported here. Per-test figures need a command that ends up in
pytest; for any other command only the totals are there. Coverage needs a command that ends up in Python.

    measure(context.after, ("python", "-m", "pytest", "-q"), cover=("src/cart.py",)).coverage["src/cart.py"].missing
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import Workspace


class LineCoverage(msgspec.Struct, frozen=True):
    """Executable lines of one file and those of them that no test reached."""

    statements: tuple[int, ...]
    missing: tuple[int, ...]
    owners: tuple[tuple[int, int], ...] = ()
    """``(line, first line)`` of every further line of a statement."""
    reach: dict[int, tuple[str, ...]] = {}
    """Line → names of the tests that ran it, for the lines that were asked for."""

    def touched(self, lines: Iterable[int]) -> frozenset[int]:
        """The first lines of the executable statements that ``lines`` are part of."""
        first = dict(self.owners)
        return frozenset(first.get(line, line) for line in lines) & frozenset(self.statements)

    @property
    def percent(self) -> float:
        """Covered share in percent; a file without statements counts as covered."""
        return 100.0 * (1 - len(self.missing) / len(self.statements)) if self.statements else 100.0


class TestTime(msgspec.Struct, frozen=True, array_like=True):
    """One test of a measured run."""

    __test__ = False

    name: str
    outcome: Outcome
    duration_s: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run of a suite."""

    exit_code: int
    timed_out: bool
    wall_s: float
    cpu_s: float
    output: str = ""
    tests: tuple[TestTime, ...] = ()
    coverage: dict[str, LineCoverage] | None = None
    """By path; ``None`` when the suite started no interpreter of Python."""

    def named(self, outcome: Outcome) -> frozenset[str]:
        return frozenset(t.name for t in self.tests if t.outcome is outcome)


def measure(
    workspace: Workspace,
    command: tuple[str, ...],
    *,
    cover: tuple[str, ...] = (),
    reach: Mapping[str, Sequence[tuple[int, int]]] = {},
    only: Sequence[str] = (),
    seed: int = 0,
    timeout_s: float = 300.0,
    test_cpu_s: float = 10.0,
) -> Measurement:
    """Run ``command`` in the workspace and measure it.

    ``cover``: paths of Python files whose line coverage is wanted; ``reach``: first and last lines in these of which it
    is wanted which tests run them (needs pytest). ``only``: names of the tests to run (needs pytest; all, when there
    are none); with a ``seed`` other than 0 all tests of their files, shuffled. ``timeout_s``: wall-clock seconds; past
    it the suite is killed and what is known by then is returned. ``test_cpu_s``: seconds that a single test of pytest
    may compute; see :func:`per_test_allowance`. Raises ``InfrastructureFailure`` when the probe gave no answer.
    """
    job = {"command": command, "root": workspace.root, "cover": cover, "timeout_s": timeout_s}
    job |= {"test_cpu_s": test_cpu_s, "reach": {path: list(spans) for path, spans in reach.items()}}
    job |= {"only": list(only), "seed": seed, "lines": _text("line_probe.py") if cover else ""}
    # json, not msgspec: names that are not UTF-8 hold lone surrogates, which only json can write
    program = _text("suite_probe.py") + f"\nmain(json.loads({json.dumps(job)!r}))\n"
    result = workspace.run(("python", "-I", "-"), stdin=program.encode(), timeout_s=timeout_s + 60)
    try:
        return msgspec.json.decode(result.stdout, type=Measurement)
    except msgspec.DecodeError as error:
        tail = result.stderr[-400:].decode("utf-8", "replace").strip()
        raise InfrastructureFailure(
            f"the suite could not be measured (exit code {result.exit_code}): {tail or error}",
            next="run the test command by hand in the repository",
        ) from error


def allowance(duration_s: float) -> float:
    """Wall-clock seconds to allow for a measured run of a suite that took ``duration_s`` on its own.

    A loop in a changed file may take a few times as long with its lines noted, and one that must be traced ten times.
    """
    return max(60.0, 12 * duration_s + 20)


def per_test_allowance(report: TestReport) -> float:
    """Seconds that each test may compute in a measured run of a suite that ended as in ``report``.

    Only tests that passed count: those that did not may be endless, and what they do is of no interest.
    """
    slowest = max((r.duration_s for r in report.results if r.outcome is Outcome.PASSED), default=0.25)
    return max(2.0, 20 * slowest)


@lru_cache(maxsize=2)
def _text(name: str) -> str:
    return resources.files("karkhana.quality").joinpath("probes", name).read_text("utf-8")
