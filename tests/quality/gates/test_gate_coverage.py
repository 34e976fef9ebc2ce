"""The gate ``coverage``, on real suites."""

import msgspec
import pytest
from quality_contexts import real_context, still_context, suite_report

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.tools import CommandResult
from karkhana.quality.gates.coverage import CoverageGate
from karkhana.workspace.memory import TemporaryWorkspace

BUGGY = "def sign(x):\n    if x < 0:\n        return 1\n    return 1\n"
FIXED = "def sign(x):\n    if x < 0:\n        return -1\n    return 1\n"
COVERING = "from calc import sign\n\n\ndef test_sign():\n    assert sign(-3) == -1\n"
MISSING = "from calc import sign\n\n\ndef test_sign():\n    assert sign(3) == 1\n"


def check(before: dict[str, str], after: dict[str, str], command: tuple[str, ...] | None = None) -> GateResult:
    with real_context(before, after, **({"command": command} if command else {})) as context:
        return CoverageGate().check(context)


def test_a_covered_line() -> None:
    result = check({"calc.py": BUGGY, "test_calc.py": COVERING}, {"calc.py": FIXED, "test_calc.py": COVERING})
    assert result.status is GateStatus.PASSED
    assert (result.measures["changed_lines"], result.measures["covered_lines"]) == (1, 1)
    assert result.measures["coverage_delta"] == 0


def test_an_uncovered_line_is_named() -> None:
    result = check({"calc.py": BUGGY, "test_calc.py": MISSING}, {"calc.py": FIXED, "test_calc.py": MISSING})
    assert result.status is GateStatus.FAILED
    assert [(f.path, f.line) for f in result.findings] == [("calc.py", 3)]


def test_a_pragma_excuses_nothing() -> None:
    excused = FIXED.replace("return -1", "return -1  # pragma: no cover")
    result = check({"calc.py": BUGGY, "test_calc.py": MISSING}, {"calc.py": excused, "test_calc.py": MISSING})
    assert (result.status, result.measures["covered_lines"]) == (GateStatus.FAILED, 0)


def test_new_tests_raise_the_percentage() -> None:
    result = check({"calc.py": BUGGY, "test_calc.py": MISSING}, {"calc.py": FIXED, "test_calc.py": COVERING})
    assert result.measures["percent_before"] == 75
    assert result.measures["percent_after"] == 75
    both = COVERING + MISSING.replace("def test_sign", "def test_other")
    more = check({"calc.py": BUGGY, "test_calc.py": MISSING}, {"calc.py": FIXED, "test_calc.py": both})
    assert more.measures["coverage_delta"] == 25


def test_removed_lines_must_have_been_covered() -> None:
    longer = FIXED.replace("    return 1\n", "    x += 0\n    return 1\n")
    covered = check({"calc.py": longer, "test_calc.py": MISSING}, {"calc.py": FIXED, "test_calc.py": MISSING})
    assert (covered.status, covered.measures["changed_lines"]) == (GateStatus.PASSED, 1)
    result = check({"calc.py": longer, "test_calc.py": COVERING}, {"calc.py": FIXED, "test_calc.py": COVERING})
    assert result.status is GateStatus.FAILED


def test_code_in_a_subprocess_counts() -> None:
    test = (
        "import subprocess, sys\n\n\ndef test_it():\n"
        "    assert subprocess.run([sys.executable, '-c', 'import calc; calc.sign(-1)']).returncode == 0\n"
    )
    result = check({"calc.py": BUGGY, "test_calc.py": test}, {"calc.py": FIXED, "test_calc.py": test})
    assert result.status is GateStatus.PASSED


def test_unittest_is_measured_too() -> None:
    test = (
        "import unittest\nfrom calc import sign\n\n\nclass TestSign(unittest.TestCase):\n"
        "    def test_sign(self):\n        self.assertEqual(sign(-2), -1)\n"
    )
    command = ("python", "-m", "unittest", "-q")
    files = {"calc.py": BUGGY, "test_calc.py": test}
    assert check(files, {**files, "calc.py": FIXED}, command).status is GateStatus.PASSED


def test_an_odd_path_is_measured() -> None:
    test = "import importlib.util\n\n\ndef test_it():\n" + (
        "    spec = importlib.util.spec_from_file_location('odd', 'we [ird]/a b.py')\n"
        "    module = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(module)\n"
        "    assert module.sign(-1) == -1\n"
    )
    files = {"we [ird]/a b.py": BUGGY, "test_calc.py": test}
    assert check(files, {**files, "we [ird]/a b.py": FIXED}).status is GateStatus.PASSED


def test_documents_have_nothing_to_cover() -> None:
    with still_context({"README.md": "a\n"}, {"README.md": "b\n"}) as context:
        result = CoverageGate().check(context)
    assert (result.status, result.measures["changed_lines"]) == (GateStatus.PASSED, 0)


def test_other_languages_cannot_be_measured() -> None:
    with still_context({"a.js": "1\n"}, {"a.js": "2\n"}) as context:
        assert CoverageGate().check(context).status is GateStatus.UNKNOWN


def test_a_suite_that_leaves_no_data_is_unknown() -> None:
    files = {"calc.py": BUGGY, "check.sh": "exit 0\n"}
    result = check(files, {**files, "calc.py": FIXED}, ("sh", "check.sh"))
    assert result.status is GateStatus.UNKNOWN


def test_a_file_that_nothing_imports_is_uncovered() -> None:
    files = {"calc.py": BUGGY, "other.py": "x = 1\n", "test_calc.py": MISSING}
    result = check(files, {**files, "other.py": "x = 2\n"})
    assert (result.status, result.measures["covered_lines"]) == (GateStatus.FAILED, 0)


def test_a_file_this_interpreter_cannot_parse_is_unknown() -> None:
    files = {"calc.py": BUGGY, "old.py": "x = 1\n", "test_calc.py": MISSING}
    assert check(files, {**files, "old.py": "print 'two'\n"}).status is GateStatus.UNKNOWN


def test_a_line_within_a_statement_belongs_to_it() -> None:
    old = "@wrap(\n    1,\n)\ndef sign(\n    x,\n):\n    return [\n        -1,\n        1,\n    ][x > 0]\n"
    old = "def wrap(n):\n    return lambda f: f\n\n\n" + old
    files = {"calc.py": old, "test_calc.py": MISSING}
    for before, after, line in (
        ("        1,\n    ]", "        +1,\n    ]", 11),
        ("    1,\n)", "    2,\n)", 5),
        ("x,\n", "x=0,\n", 8),
    ):
        assert before in old
        result = check(files, {**files, "calc.py": old.replace(before, after)})
        assert (result.status, result.measures["changed_lines"]) == (GateStatus.PASSED, 1), line
    idle = {"calc.py": old, "test_calc.py": "import calc\n\n\ndef test_it():\n    pass\n"}
    uncovered = check(idle, {**idle, "calc.py": old.replace("        1,\n    ]", "        +1,\n    ]")})
    assert [(f.path, f.line) for f in uncovered.findings] == [("calc.py", 11)]


def test_comments_are_no_statements() -> None:
    files = {"calc.py": BUGGY, "test_calc.py": MISSING}
    result = check(files, {**files, "calc.py": "# signs\n" + BUGGY})
    assert (result.status, result.summary[:20]) == (GateStatus.PASSED, "no statement changed")


def test_a_long_suite_is_not_run_before_the_change() -> None:
    files = {"calc.py": BUGGY, "test_calc.py": MISSING}
    more = FIXED + "\n\ndef idle():\n    return 2\n"
    with real_context(files, {**files, "calc.py": more}) as context:
        slow = suite_report({"test_calc.py::test_sign": "passed"}, seconds=100.0)
        long = msgspec.structs.replace(context, baseline=slow, before=Unusable())
        result = CoverageGate().check(long)
    # The three that stay are covered; of the three that come, two are not.
    assert (result.measures["percent_before"], result.measures["percent_after"]) == (100.0, 66.67)


def test_lost_tests_are_looked_for_before_the_change_and_renamed_cases_are_none() -> None:
    files = {"calc.py": BUGGY, "test_calc.py": MISSING}
    slow = {"test_calc.py::test_sign[<object at 0x1>]": "passed"}
    more = {"test_calc.py::test_gone": "passed"}
    with real_context(files, {**files, "calc.py": FIXED}) as context:
        for baseline, result, looked in (
            (slow, {"test_calc.py::test_sign[<object at 0x2>]": "passed"}, False),
            ({**slow, **more}, slow, True),
            (slow, {"test_calc.py::test_sign[<object at 0x1>]": "skipped"}, True),
        ):
            long = msgspec.structs.replace(
                context,
                baseline=suite_report(baseline, seconds=100.0),
                result=suite_report(result, seconds=100.0),
                before=Unusable(),
            )
            if looked:
                with pytest.raises(AssertionError, match="before the change"):
                    CoverageGate().check(long)
            else:
                assert CoverageGate().check(long).status is GateStatus.FAILED


class Unusable(TemporaryWorkspace):
    """A workspace that must not be run in."""

    def __init__(self) -> None:
        super().__init__({})

    def run(self, *_: object, **__: object) -> CommandResult:
        raise AssertionError("the suite was run before the change")
