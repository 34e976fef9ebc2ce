"""The gate ``duration``."""

import msgspec
import pytest
from quality_contexts import real_context, still_context, suite_report, with_reports

from karkhana.domain.evidence import GateStatus
from karkhana.domain.suites import TestReport
from karkhana.quality.gates.duration import Duration, slower
from karkhana.quality.gates.limits import limits
from karkhana.workspace.memory import TemporaryWorkspace

FAST = "def work():\n    return 1\n"
SLOW = "import time\n\n\ndef work():\n    time.sleep(0.4)\n    return 1\n"
TEST = "from calc import work\n\n\ndef test_work():\n    assert work() == 1\n"


def report(seconds: float) -> TestReport:
    return suite_report({"test_calc.py::test_work": "passed"}, seconds=seconds)


def test_equal_times_pass_without_another_run() -> None:
    with still_context({}, {}, baseline=report(1.0), result=report(1.1)) as context:
        result = Duration().check(context)
    assert result.status is GateStatus.PASSED
    assert "measurements" not in result.summary


def test_a_slower_change_is_confirmed_by_measuring_again() -> None:
    with real_context({"calc.py": FAST, "test_calc.py": TEST}, {"calc.py": SLOW, "test_calc.py": TEST}) as context:
        result = Duration().check(context)
    assert result.status is GateStatus.FAILED
    assert result.measures["ratio"] > 2
    assert not result.hard


def test_noise_is_found_out_by_measuring_again() -> None:
    files = {"calc.py": FAST, "test_calc.py": TEST}
    with real_context(files, {**files, "calc.py": FAST + "\n"}) as context:
        result = Duration().check(with_reports(context, report(0.01), report(5.0)))
    assert result.status is GateStatus.PASSED
    assert "measurements" in result.summary


def test_a_runner_without_names_is_compared_as_a_whole() -> None:
    files = {"calc.py": FAST, "check.py": "from calc import work\nfor _ in range(3):\n    work()\n"}
    busy = "def work():\n    return sum(i for i in range(3_000_000))\n"
    with real_context(files, {**files, "calc.py": busy}, command=("python", "check.py")) as context:
        assert context.result.passed == context.baseline.passed
        looks_slower = with_reports(
            context,
            msgspec.structs.replace(context.baseline, results=report(0.01).results),
            msgspec.structs.replace(context.result, results=report(5.0).results),
        )
        assert Duration().check(looks_slower).status is GateStatus.FAILED


def test_without_common_tests_it_is_unknown() -> None:
    with still_context({}, {}, baseline=suite_report({"a": "failed"}), result=suite_report({"b": "passed"})) as context:
        assert Duration().check(context).status is GateStatus.UNKNOWN


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.05), (1.0, 1.2), (5.0, 4.0)])
def test_small_differences_are_not_slower(before: float, after: float) -> None:
    assert not slower(before, after)


def test_past_the_margin_is_slower() -> None:
    limit = limits("duration")
    assert slower(1.0, limit["ratio"] + limit["noise_s"] + 0.01)


def test_the_run_with_coverage_may_be_enough() -> None:
    files = {"calc.py": FAST, "test_calc.py": TEST}
    with real_context(files, {**files, "calc.py": FAST.replace("1", "1 + 0")}) as context, TemporaryWorkspace({}) as no:
        quick = with_reports(msgspec.structs.replace(context, before=no), report(0.5), report(5.0))
        result = Duration().check(quick)
    assert result.status is GateStatus.PASSED
    assert result.summary.endswith("after, the best of 2 measurements")
