"""What a hand-over may say about tests."""

import pytest

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import CommandResult, EditFile, EditResult, PushChanges, RunCommand, RunTests
from karkhana.engineers.llm.claims import RULE, Claims, claims_success

EDIT = EditFile(path="cart.py", old="a", new="b")
EDITED = EditResult("cart.py", "-a\n+b\n")
SILENT = PushChanges(title="Count every price", summary="One price was taken away.")
PROUD = PushChanges(title="Count every price", summary="One was taken away. All tests pass, test_total too.")


def report(**outcomes: Outcome) -> TestReport:
    results = tuple(TestResult(f"test_cart.py::{name}", outcome) for name, outcome in outcomes.items())
    failed = any(outcome is not Outcome.PASSED for outcome in outcomes.values())
    return TestReport(command=(), exit_code=int(failed), results=results, duration_s=0.1)


def command(*changed: str) -> CommandResult:
    return CommandResult(exit_code=0, stdout=b"5 passed", stderr=b"", duration_s=0.1, changed=changed)


def seen(*steps: tuple[object, object], failing: tuple[str, ...] = ()) -> Claims:
    claims = Claims(failing)
    for call, result in steps:
        claims.saw(call, result)  # type: ignore[arg-type]
    return claims


def test_what_was_tested_after_the_last_edit_may_be_said() -> None:
    claims = seen((EDIT, EDITED), (RunTests(), report(test_total=Outcome.PASSED)))
    assert claims.objection(PROUD) == ""
    assert claims.standing(PROUD) == ()


def test_an_edit_after_the_tests_is_objected_to_once() -> None:
    claims = seen((RunTests(), report(test_total=Outcome.PASSED)), (EDIT, EDITED))
    assert "cart.py" in claims.objection(PROUD)
    assert claims.objection(PROUD) == ""
    assert [finding.rule for finding in claims.standing(PROUD)] == [RULE]
    assert claims.standing(SILENT) == ()


def test_an_edit_by_a_command_is_an_edit() -> None:
    run = RunCommand(argv=("sh", "-c", "sed -i s/a/b/ cart.py"))
    claims = seen((RunTests(), report(test_total=Outcome.PASSED)), (run, command("cart.py")))
    assert "cart.py" in claims.objection(SILENT)


def test_litter_is_no_edit_and_a_command_is_no_test_run() -> None:
    litter = command(".pytest_cache/v/x", "__pycache__/a.pyc")
    run = RunCommand(argv=("python", "-m", "pytest"))
    assert seen((RunTests(), report(test_total=Outcome.PASSED)), (run, litter)).objection(PROUD) == ""
    assert seen((EDIT, EDITED), (run, command())).objection(PROUD) != ""


def test_a_failure_is_not_called_a_success() -> None:
    tests = report(test_total=Outcome.PASSED, test_tax=Outcome.FAILED)
    claims = seen((EDIT, EDITED), (RunTests(), tests))
    assert "test_tax" in claims.objection(PROUD)
    assert "test_tax" in claims.standing(PROUD)[0].message
    assert claims.standing(SILENT) == ()


def test_what_failed_before_does_not_count_against_the_change() -> None:
    tests = report(test_total=Outcome.PASSED, test_tax=Outcome.FAILED)
    claims = seen((EDIT, EDITED), (RunTests(), tests), failing=("test_cart.py::test_tax",))
    assert claims.standing(PROUD) == ()


def test_a_named_test_must_have_passed() -> None:
    claims = seen((EDIT, EDITED), (RunTests(), report(test_total=Outcome.PASSED)))
    named = PushChanges(title="Count", summary="I verified it: test_discount passes.")
    assert "test_discount" in claims.standing(named)[0].message


def test_a_later_run_replaces_what_an_earlier_one_said() -> None:
    claims = seen(
        (EDIT, EDITED),
        (RunTests(), report(test_total=Outcome.FAILED, test_tax=Outcome.PASSED)),
        (RunTests(tests=("x",)), report(test_total=Outcome.PASSED)),
    )
    assert claims.standing(PROUD) == ()


def test_a_run_in_which_nothing_ran_is_none() -> None:
    claims = seen((EDIT, EDITED), (RunTests(), report()))
    assert claims.objection(SILENT) != ""


def test_without_a_suite_nothing_is_asked_for() -> None:
    assert Claims(tests_known=False).objection(SILENT) == ""


@pytest.mark.parametrize(
    "said",
    [
        "All tests pass.",
        "The suite is green.",
        "pytest: 3 tests passed",
        "Verified with the test suite.",
        "Everything passes",
    ],
)
def test_success_is_recognised(said: str) -> None:
    assert claims_success(said)


@pytest.mark.parametrize(
    "said", ["The total was one too low.", "I could not run the tests, so nothing passed.", "Adds a test for total()."]
)
def test_other_words_are_no_claim(said: str) -> None:
    assert not claims_success(said)
