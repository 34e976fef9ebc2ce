"""The gate ``target_tests``, on real suites."""

from quality_contexts import real_context, still_context, suite_report

from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.target_tests import TargetTests, named_tests

BUGGY = "def add(a, b):\n    return a - b\n"
FIXED = "def add(a, b):\n    return a + b\n"
TEST = (
    "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
    "def test_zero():\n    assert add(0, 0) == 0\n"
)


def test_a_fixed_test_is_the_target() -> None:
    before, after = {"calc.py": BUGGY, "test_calc.py": TEST}, {"calc.py": FIXED, "test_calc.py": TEST}
    with real_context(before, after) as context:
        result = TargetTests().check(context)
    assert (result.status, result.hard) == (GateStatus.PASSED, True)
    assert result.measures["fixed"] == 1
    assert "test_calc.py::test_add" in result.summary


def test_new_tests_are_run_on_the_old_code() -> None:
    with real_context({"calc.py": BUGGY}, {"calc.py": FIXED, "test_calc.py": TEST}) as context:
        result = TargetTests().check(context)
        assert context.before.read("test_calc.py") is None, "the old workspace is as it was"
    assert result.status is GateStatus.PASSED
    assert result.measures["new_tests_that_need_it"] == 1
    assert result.measures["new_tests_that_do_not"] == 1


def test_new_tests_that_pass_anyway_prove_nothing() -> None:
    idle = "from calc import add\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
    with real_context({"calc.py": BUGGY}, {"calc.py": FIXED, "test_calc.py": idle}) as context:
        result = TargetTests().check(context)
    assert result.status is GateStatus.UNKNOWN
    assert "pass without the change as well" in result.summary


def test_an_extended_test_file_is_put_back() -> None:
    old = "def test_nothing():\n    pass\n"
    with real_context(
        {"calc.py": BUGGY, "test_calc.py": old}, {"calc.py": FIXED, "test_calc.py": old + TEST}
    ) as context:
        result = TargetTests().check(context)
        assert context.before.read("test_calc.py") == old.encode()
    assert result.status is GateStatus.PASSED


def test_a_test_that_the_ticket_names_must_pass() -> None:
    before = suite_report({"t.py::test_a": "failed", "t.py::test_b": "failed"})
    after = suite_report({"t.py::test_a": "failed", "t.py::test_b": "passed"})
    with still_context({}, {}, baseline=before, result=after, ticket="test_a fails since Monday") as context:
        result = TargetTests().check(context)
    assert (result.status, result.hard) == (GateStatus.FAILED, True)
    assert result.findings[0].rule == "target_tests:unsolved"


def test_without_any_target_nothing_is_claimed() -> None:
    with still_context({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as context:
        assert TargetTests().check(context).status is GateStatus.UNKNOWN


def test_named_tests_by_id_or_by_bare_name() -> None:
    names = ("t.py::TestA::test_x[1]", "t.py::test_y", "t.py::check")
    assert named_tests("see t.py::test_y please", names) == ["t.py::test_y"]
    assert named_tests("`test_x` is red.", names) == ["t.py::TestA::test_x[1]"]
    assert named_tests("please check", names) == []
