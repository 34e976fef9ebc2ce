"""A suite that cannot run for reasons outside of the code is told from one that shows a bug."""

import pytest

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.factory.faults import environment_fault


def report(message: str, *, passed: int = 0) -> TestReport:
    results = [TestResult(f"ok{i}", Outcome.PASSED) for i in range(passed)]
    results.append(TestResult("tests/test_a.py", Outcome.ERROR, 0.0, message))
    return TestReport(command=("pytest",), exit_code=2, results=tuple(results), duration_s=1.0)


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ("E   OSError: [Errno 28] No space left on device", "KARKHANA_SANDBOX_DISK_MB"),
        ("E   MemoryError", "KARKHANA_SANDBOX_MEMORY_MB"),
        ("E   ModuleNotFoundError: No module named 'numpy.linalg'", "package that brings numpy"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "no network"),
    ],
)
def test_a_fault_names_its_remedy(message: str, step: str) -> None:
    fault = environment_fault(report(message), modules={"shop"})
    assert fault is not None
    assert step in fault.next


@pytest.mark.parametrize("text", ["\n", " ", "E", "E \n"])
def test_endless_output_is_read_in_linear_time(text: str) -> None:
    assert environment_fault(report(text * 300_000), modules=()) is None


def test_a_missing_module_of_the_repository_is_a_bug() -> None:
    assert environment_fault(report("ModuleNotFoundError: No module named 'shop.prices'"), modules={"shop"}) is None


def test_one_passing_test_shows_that_the_environment_works() -> None:
    assert environment_fault(report("No space left on device", passed=1), modules=()) is None


def test_ordinary_failures_are_no_fault() -> None:
    assert environment_fault(report("assert 1 == 2"), modules=()) is None
