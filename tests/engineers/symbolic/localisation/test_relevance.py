"""Which tests of a dear suite are traced."""

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.engineers.symbolic.localisation.relevance import worth_tracing

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def report(*results: TestResult, timed_out: bool = False) -> TestReport:
    return TestReport(command=("pytest",), exit_code=1, results=results, duration_s=1.0, timed_out=timed_out)


SUITE = (
    TestResult("tests/test_other.py::test_quick", PASSED, 0.1),
    TestResult("tests/test_cart.py::test_slow", PASSED, 3.0),
    TestResult("tests/test_cart.py::test_quick", PASSED, 0.5),
    TestResult("tests/test_cart.py::test_total", FAILED, 1.0),
    TestResult("tests/test_cart_items.py::test_items", PASSED, 0.5),
    TestResult("tests/test_skipped.py::test_no", Outcome.SKIPPED, 0.0),
)


def test_a_cheap_suite_is_traced_whole() -> None:
    assert worth_tracing(report(*SUITE), "", seconds=11.0) is None


def test_failing_tests_then_their_neighbours_then_those_of_like_names() -> None:
    assert worth_tracing(report(*SUITE), "", seconds=2.5) == ("tests/test_cart.py::test_total",)
    assert worth_tracing(report(*SUITE), "", seconds=3.5) == (
        "tests/test_cart.py::test_quick",
        "tests/test_cart.py::test_total",
    )
    assert worth_tracing(report(*SUITE), "", seconds=10.0) == tuple(r.name for r in SUITE[1:5])


def test_failing_tests_that_the_ticket_names_come_first() -> None:
    many = [TestResult(f"tests/test_a.py::test_case_{n:03}", FAILED, 0.1 + n) for n in range(100)]
    chosen = worth_tracing(report(*many), "test_case_099 fails", seconds=1.0)
    assert chosen is not None
    assert len(chosen) == 60
    assert "tests/test_a.py::test_case_099" in chosen
    assert "tests/test_a.py::test_case_098" not in chosen


def test_without_a_known_failure_nothing_is_left_out() -> None:
    assert worth_tracing(report(*SUITE, timed_out=True), "", seconds=1.0) is None
    assert worth_tracing(report(SUITE[1]), "", seconds=1.0) is None
