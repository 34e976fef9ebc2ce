"""The gate ``suite``."""

import msgspec
from quality_contexts import still_context, suite_report

from karkhana.domain.evidence import GateResult, GateStatus, Severity
from karkhana.domain.suites import TestReport
from karkhana.quality.gates.suite import Suite


def check(before: TestReport, after: TestReport) -> GateResult:
    with still_context({}, {}, baseline=before, result=after) as context:
        return Suite().check(context)


def test_a_fix_passes() -> None:
    result = check(suite_report({"a": "passed", "b": "failed"}), suite_report({"a": "passed", "b": "passed"}))
    assert result.status is GateStatus.PASSED
    assert result.hard
    assert result.measures["passed_after"] == 2


def test_a_broken_test_fails_hard() -> None:
    result = check(suite_report({"a": "passed"}), suite_report({"a": "failed"}))
    assert (result.status, result.hard) == (GateStatus.FAILED, True)
    assert result.findings[0].rule == "suite:broken"


def test_a_vanished_and_a_newly_skipped_test_fail() -> None:
    result = check(suite_report({"a": "passed", "b": "passed"}), suite_report({"b": "skipped", "c": "passed"}))
    assert result.status is GateStatus.FAILED
    assert {f.rule for f in result.findings} == {"suite:vanished", "suite:skipped"}


def test_a_new_test_that_fails_counts() -> None:
    result = check(suite_report({"a": "passed"}), suite_report({"a": "passed", "new": "error"}))
    assert [f.rule for f in result.findings] == ["suite:new-failure"]
    assert result.status is GateStatus.FAILED


def test_what_failed_before_is_stated_and_not_blamed() -> None:
    result = check(suite_report({"a": "passed", "b": "failed"}), suite_report({"a": "passed", "b": "failed"}))
    assert result.status is GateStatus.PASSED
    assert [(f.rule, f.severity) for f in result.findings] == [("suite:failed-before", Severity.INFO)]
    assert "1 failed before the change too" in result.summary


def test_what_cannot_be_compared_is_unknown() -> None:
    good = suite_report({"a": "passed"})
    hung = msgspec.structs.replace(good, timed_out=True)
    for before, after in [
        (good, hung),
        (good, suite_report({}, exit_code=5)),
        (suite_report({}, exit_code=4), good),
        (good, suite_report({"a": "passed"}, exit_code=3)),
    ]:
        assert check(before, after).status is GateStatus.UNKNOWN


def test_a_test_that_became_parametrised_has_not_vanished() -> None:
    result = check(suite_report({"a": "passed"}), suite_report({"a[1]": "passed", "a[2]": "passed"}))
    assert result.status is GateStatus.PASSED
    assert [f.rule for f in result.findings] == ["suite:other-cases"]


def test_fewer_cases_or_failing_ones_are_lost() -> None:
    before = suite_report({"a[1]": "passed", "a[2]": "passed"})
    assert check(before, suite_report({"a[3]": "passed"})).status is GateStatus.FAILED
    assert check(before, suite_report({"a[3]": "passed", "a[4]": "failed"})).status is GateStatus.FAILED
    assert check(before, suite_report({"a[3]": "passed", "a[4]": "skipped"})).status is GateStatus.FAILED
