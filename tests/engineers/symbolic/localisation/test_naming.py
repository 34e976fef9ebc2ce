"""Names of tests across runners."""

import pytest

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.engineers.symbolic.localisation.naming import as_pytest_name, is_one_test, renamed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tests.test_a.Case.test_x", "tests/test_a.py::Case::test_x"),
        ("tests/test_a.py::test_x[1.5]", "tests/test_a.py::test_x[1.5]"),
        ("make test", "make test"),
        ("test_a.Case", "test_a.Case"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert as_pytest_name(name) == expected


def test_a_name_from_a_start_folder_is_completed_when_only_one_fits() -> None:
    one = "tests/test_a.py::Case::test_x"
    assert as_pytest_name("test_a.Case.test_x", {one}) == one
    assert as_pytest_name("test_a.Case.test_x", {one, "other/test_a.py::Case::test_x"}) == "test_a.py::Case::test_x"


def test_reports() -> None:
    whole = report_of("make test")
    assert is_one_test(whole)
    other = report_of("t.test_a.C.test_x")
    assert not is_one_test(other)
    assert renamed(other).passed == ("t/test_a.py::C::test_x",)


def report_of(name: str) -> TestReport:
    results = (TestResult(name, Outcome.PASSED),)
    return TestReport(command=("make", "test"), exit_code=0, results=results, duration_s=1.0)
