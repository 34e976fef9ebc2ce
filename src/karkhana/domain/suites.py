"""What a run of a test suite said, test by test."""

import enum

import msgspec


class Outcome(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """It could not run: a fixture, an import or the collection broke."""
    SKIPPED = "skipped"


class TestResult(msgspec.Struct, frozen=True):
    """One test."""

    __test__ = False

    name: str
    """The runner's own identifier, e.g. ``tests/test_cart.py::test_total[2]``."""
    outcome: Outcome
    duration_s: float = 0.0
    message: str = ""
    """First lines of the failure."""
    traceback: str = ""


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a suite, or of part of it."""

    __test__ = False

    command: tuple[str, ...]
    exit_code: int
    results: tuple[TestResult, ...]
    duration_s: float
    timed_out: bool = False
    output: str = ""
    """Tail of what the runner printed, for a person to read."""

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.results if r.outcome is Outcome.PASSED)

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.results if r.outcome in (Outcome.FAILED, Outcome.ERROR))

    @property
    def green(self) -> bool:
        """Whether something ran and nothing failed."""
        return bool(self.passed) and not self.failing and not self.timed_out and self.exit_code == 0

    def counts(self) -> dict[str, int]:
        """``{"passed": n, "failed": n, "error": n, "skipped": n}``."""
        return {o.value: sum(r.outcome is o for r in self.results) for o in Outcome}
