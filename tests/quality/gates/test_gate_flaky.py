"""The gate ``flaky``, on real suites."""

from quality_contexts import PYTEST, real_context, still_context, suite_report, with_reports

from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.flaky import Flaky
from karkhana.quality.gates.suite import Suite

CODE = "def twice(n):\n    return n + n\n"
OTHER = CODE.replace("n + n", "2 * n")
STEADY = "from calc import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n"
LATELY = STEADY + "\n\ndef test_chance():\n    import calc\n    assert calc\n"
ORDER = (
    "state = []\n\n\ndef test_a():\n    state.append(1)\n\n\ndef test_b():\n    assert state\n\n\n"
    "def test_c():\n    assert True\n"
)


def test_nothing_broke() -> None:
    with still_context({}, {}) as found:
        result = Flaky().check(found)
    assert (result.status, result.measures) == (GateStatus.PASSED, {"flaky": 0, "blamed": 0, "only_after": 0})


def test_what_passes_again_and_what_needs_its_order_is_not_blamed() -> None:
    files = {"calc.py": CODE, "test_calc.py": LATELY, "test_order.py": ORDER}
    with real_context(files, {**files, "calc.py": OTHER.replace("2 * n", "3 * n")}) as found:
        names = dict.fromkeys(found.baseline.passed, "passed")
        once = {**names, "test_calc.py::test_twice": "failed", "test_calc.py::test_chance": "failed"}
        broken = with_reports(found, suite_report(names), suite_report(once))
        result, suite = Flaky().check(broken), Suite().check(broken)
    assert result.measures == {"flaky": 1, "blamed": 1, "only_after": 1}
    assert [f.message.split()[0] for f in result.findings] == ["test_calc.py::test_chance"]
    assert suite.measures["broken"] == 1
    assert {f.rule for f in suite.findings} == {"suite:broken", "suite:flaky"}


def test_a_test_that_fails_alone_before_the_change_is_not_blamed() -> None:
    hostile = ORDER.replace("assert state", "import calc\n    assert state and calc.twice(2) == 4")
    files = {"calc.py": CODE, "test_order.py": hostile}
    with real_context(files, {**files, "calc.py": OTHER.replace("2 * n", "3 * n")}) as found:
        assert found.test_command == PYTEST
        result = Flaky().check(found)
    assert (result.status, result.measures) == (GateStatus.FAILED, {"flaky": 1, "blamed": 0, "only_after": 0})
