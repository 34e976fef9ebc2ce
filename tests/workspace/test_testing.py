import shlex

import pytest

from karkhana.domain.errors import InvalidInput
from karkhana.domain.suites import Outcome, TestReport
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import is_pytest, is_unittest, run_tests
from karkhana.workspace.testing_report import SESSION

PYTEST = ("python", "-m", "pytest")
UNITTEST = ("python", "-m", "unittest")


def run(
    files: dict[str, str], command: tuple[str, ...] = PYTEST, tests: tuple[str, ...] = (), limit_s: float = 60
) -> TestReport:
    with TemporaryWorkspace(files) as workspace:
        report = run_tests(workspace, command, tests, timeout_s=limit_s)
        assert workspace.changes() == (), "a run of the tests left something in the workspace"
    return report


def outcomes(report: TestReport) -> dict[str, str]:
    return {result.name: result.outcome.value for result in report.results}


MIXED = """
import pytest

def test_ok(): pass

def test_bad(): assert [1] == [2]

@pytest.fixture
def broken(): raise RuntimeError("no database")

def test_setup(broken): pass

@pytest.fixture
def late():
    yield
    raise RuntimeError("cannot clean up")

def test_teardown(late): pass

def test_both(late): assert False

@pytest.mark.skip(reason="later")
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): assert False

@pytest.mark.xfail(strict=True)
def test_unexpected(): pass

class TestCart:
    def test_method(self): pass
"""


def test_every_outcome_of_pytest_is_told_apart() -> None:
    report = run({"tests/test_mixed.py": MIXED})
    where = "tests/test_mixed.py::"
    assert outcomes(report) == {
        where + "test_ok": "passed",
        where + "test_bad": "failed",
        where + "test_setup": "error",
        where + "test_teardown": "error",
        where + "test_both": "failed",
        where + "test_skipped": "skipped",
        where + "test_expected": "skipped",
        where + "test_unexpected": "failed",
        where + "TestCart::test_method": "passed",
    }
    bad = next(r for r in report.results if r.name.endswith("test_bad"))
    assert bad.message.startswith("assert [1] == [2]")
    assert "def test_bad(): assert [1] == [2]" in bad.traceback
    assert (report.exit_code, report.green, report.timed_out) == (1, False, False)


ODD_NAMES = ["a b", "x::y[z]", "<&>\"'", "é", "\u2028", "\x1b[31m", "\0", "]]>", "a\nb", "-k", "'; rm -rf /"]


def test_odd_test_names_are_exact_and_can_be_chosen() -> None:
    files = {"test_odd.py": f"import pytest\n@pytest.mark.parametrize('x', {ODD_NAMES!r})\ndef test_it(x): pass\n"}
    everything = run(files)
    assert len(everything.results) == len(ODD_NAMES)
    assert everything.green
    chosen = everything.passed[2:5]
    assert run(files, tests=chosen).passed == chosen


def test_forged_names_of_tests_were_not_run() -> None:
    names = ("folder::test_a", "test_a.py/x::test_a")
    report = run({"test_a.py": "def test_a(): pass", "folder/x": ""}, tests=names)
    assert outcomes(report) == dict.fromkeys(names, "error")


def test_a_green_suite_is_green() -> None:
    report = run({"test_a.py": "def test_ok(): pass"})
    assert report.green
    assert report.counts() == {"passed": 1, "failed": 0, "error": 0, "skipped": 0}


def test_a_file_that_cannot_be_collected_does_not_hide_the_others() -> None:
    report = run({"test_a.py": "import missing_module", "test_b.py": "def test_ok(): pass"})
    assert outcomes(report) == {"test_a.py": "error", "test_b.py::test_ok": "passed"}
    assert report.results[0].message == "ModuleNotFoundError: No module named 'missing_module'"
    assert not report.green


def test_a_hang_names_the_test_that_was_running() -> None:
    report = run({"test_a.py": "import time\ndef test_ok(): pass\ndef test_hang(): time.sleep(99)\n"}, limit_s=3)
    assert report.timed_out
    assert outcomes(report) == {"test_a.py::test_ok": "passed", "test_a.py::test_hang": "error"}
    assert "time limit of 3 s" in report.results[-1].message


def test_a_hang_while_collecting_is_an_error_of_the_session() -> None:
    report = run({"test_a.py": "import time\ntime.sleep(99)\n"}, limit_s=3)
    assert report.timed_out
    assert report.failing == (SESSION,)


@pytest.mark.parametrize(
    ("death", "message"),
    [("os.kill(os.getpid(), 11)", "signal 11"), ("os._exit(0)", "exit code 0"), ("os._exit(7)", "exit code 7")],
)
def test_a_crash_of_the_interpreter_names_the_test_and_is_never_green(death: str, message: str) -> None:
    report = run({"test_a.py": f"import os\ndef test_ok(): pass\ndef test_crash(): {death}\ndef test_never(): pass\n"})
    assert outcomes(report) == {"test_a.py::test_ok": "passed", "test_a.py::test_crash": "error"}
    assert message in report.results[-1].message
    assert not report.green


def test_a_session_that_ends_before_its_report_is_never_green() -> None:
    hook = "import os\ndef pytest_sessionfinish(): os._exit(0)\n"
    report = run({"conftest.py": hook, "test_a.py": "def test_ok(): pass\n"})
    assert outcomes(report)[SESSION] == "error"
    assert not report.green


@pytest.mark.parametrize(
    ("files", "exit_code"),
    [
        ({"a.py": ""}, 5),
        ({"conftest.py": "raise RuntimeError('x')", "test_a.py": "def test_a(): pass"}, 4),
        ({"conftest.py": "def pytest_collection(): raise RuntimeError('x')", "test_a.py": "def test_a(): pass"}, 3),
        ({"pytest.ini": "[pytest]\naddopts = --no-such-option", "test_a.py": "def test_a(): pass"}, 4),
    ],
)
def test_runs_without_any_test_have_pytests_own_exit_code(files: dict[str, str], exit_code: int) -> None:
    report = run(files)
    assert report.exit_code == exit_code
    assert report.passed == ()
    assert not report.green


def test_only_chosen_tests_are_run_and_missing_ones_are_errors() -> None:
    files = {"test_a.py": "def test_a(): pass\ndef test_b(): assert 0\n", "test_b.py": "raise SystemExit(1)\n"}
    report = run(files, tests=("test_a.py::test_a", "test_a.py::gone"))
    assert outcomes(report) == {"test_a.py::test_a": "passed", "test_a.py::gone": "error"}
    assert report.results[1].message == "no test of this name was run"


def test_tests_can_be_chosen_through_a_wrapper() -> None:
    files = {
        "Makefile": "test:\n\t@python -m pytest -q tests\n",
        "tests/test_a.py": "def test_a(): pass\ndef test_b(): assert 0\n",
    }
    assert outcomes(run(files, ("make", "test"), ("tests/test_a.py::test_a",))) == {"tests/test_a.py::test_a": "passed"}


def test_a_subset_of_a_command_with_its_own_paths() -> None:
    files = {"a/test_a.py": "def test_a(): pass\n", "b/test_b.py": "def test_b(): pass\n"}
    assert run(files, (*PYTEST, "a"), ("a/test_a.py::test_a",)).passed == ("a/test_a.py::test_a",)


def test_options_of_missing_plugins_are_left_out_and_said() -> None:
    ini = "[pytest]\naddopts = --cov=shop --cov-report term --benchmark-skip -p no:randomly --strict-markers --ff\n"
    report = run({"pytest.ini": ini + "asyncio_mode = auto\n", "test_a.py": "def test_a(): pass\n"})
    assert report.green
    assert "option --cov has no effect: pytest-cov is not installed" in report.output
    assert "option --benchmark-skip has no effect: pytest-benchmark is not installed" in report.output


def test_a_suite_that_distributes_itself_is_reported_in_full() -> None:
    tests = "import pytest\n@pytest.mark.parametrize('x', range(6))\ndef test_a(x): assert x != 3\n"
    report = run({"pytest.ini": "[pytest]\naddopts = -p xdist -n 2\n", "test_a.py": tests})
    assert report.counts() == {"passed": 5, "failed": 1, "error": 0, "skipped": 0}, report.output
    assert report.failing == ("test_a.py::test_a[3]",)


@pytest.mark.parametrize(("imported", "loaded"), [("", "False"), ("import hypothesis", "True")])
def test_hypothesis_is_loaded_by_suites_that_use_it_only(imported: str, loaded: str) -> None:
    conftest = "import sys\ndef pytest_unconfigure():\n    print('hypothesis:', 'hypothesis' in sys.modules)\n"
    with_plugins = ("env", "-u", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", *PYTEST)
    report = run({"conftest.py": conftest, "test_a.py": f"{imported}\ndef test_a(): pass\n"}, with_plugins)
    assert report.green
    assert f"hypothesis: {loaded}" in report.output


def test_a_pytest_that_a_test_starts_does_not_disturb_the_report() -> None:
    inner = (
        "import subprocess, sys\ndef test_outer():\n    subprocess.run([sys.executable, '-m', 'pytest', 'inner.py'])\n"
    )
    report = run({"test_a.py": inner, "inner.py": "def test_inner(): assert 0\n"})
    assert outcomes(report) == {"test_a.py::test_outer": "passed"}


def test_tests_that_close_descriptors_and_fork_do_not_disturb_the_report() -> None:
    code = """
import os

def test_a():
    os.closerange(20, 200)

def test_b():
    if os.fork() == 0: os._exit(0)
    os.wait()
"""
    report = run({"test_a.py": code})
    assert outcomes(report) == {"test_a.py::test_a": "passed", "test_a.py::test_b": "passed"}


def test_a_suite_has_a_temporary_folder_of_its_own() -> None:
    # in a shared one it would spend its time on clearing away what other suites left
    code = "import tempfile\ndef test_a(tmp_path):\n    assert tmp_path.is_relative_to(tempfile.gettempdir())\n"
    assert run({"test_a.py": code + "    assert tempfile.gettempdir() != '/tmp'\n"}).green


def test_subtests_belong_to_their_test() -> None:
    code = """
import unittest
class TestAll(unittest.TestCase):
    def test_many(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)
"""
    assert outcomes(run({"test_a.py": code})) == {"test_a.py::TestAll::test_many": "failed"}


CASES = """
import unittest

class T(unittest.TestCase):
    def test_ok(self): print("\\x01")
    def test_bad(self): self.assertEqual(1, 2)
    def test_error(self): 1 / 0
    @unittest.skip("later")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertEqual(i, 1)
"""


@pytest.mark.parametrize("command", [UNITTEST, (*UNITTEST, "discover", "-v"), (*UNITTEST, "test_cases")])
def test_unittest_gives_the_same_kind_of_report(command: tuple[str, ...]) -> None:
    report = run({"test_cases.py": CASES}, command)
    assert outcomes(report) == {
        "test_cases.T.test_ok": "passed",
        "test_cases.T.test_bad": "failed",
        "test_cases.T.test_error": "error",
        "test_cases.T.test_skipped": "skipped",
        "test_cases.T.test_expected": "skipped",
        "test_cases.T.test_sub": "failed",
    }
    bad = next(r for r in report.results if r.name.endswith("bad"))
    assert bad.message == "AssertionError: 1 != 2"


def test_chosen_tests_and_broken_modules_with_unittest() -> None:
    files = {"test_cases.py": CASES, "test_broken.py": "import missing_module"}
    assert run(files, UNITTEST, ("test_cases.T.test_ok",)).passed == ("test_cases.T.test_ok",)
    assert "unittest.loader._FailedTest.test_broken" in run(files, UNITTEST).failing


def test_a_crash_under_unittest_names_the_test() -> None:
    code = "import os, unittest\nclass T(unittest.TestCase):\n    def test_a(self): os._exit(0)\n"
    report = run({"test_a.py": code}, UNITTEST)
    assert report.failing == ("test_a.T.test_a",)


@pytest.mark.parametrize(("program", "outcome"), [("true", Outcome.PASSED), ("false", Outcome.FAILED)])
def test_any_other_command_counts_as_one_test(program: str, outcome: Outcome) -> None:
    report = run({"a.txt": ""}, (program, "a b"))
    assert [(r.name, r.outcome) for r in report.results] == [(shlex.join((program, "a b")), outcome)]


def test_a_command_that_cannot_be_started_has_no_results() -> None:
    report = run({"a.txt": ""}, ("no-such-program",))
    assert (report.exit_code, report.results) == (127, ())


def test_an_empty_command_is_an_error() -> None:
    with pytest.raises(InvalidInput), TemporaryWorkspace({}) as workspace:
        run_tests(workspace, ())


def test_more_chosen_tests_than_an_environment_can_hold() -> None:
    count = 30_000
    names = tuple(f"test_a.py::test_{hash((n, 'x')):x}_{n}" for n in range(count))
    report = run({"test_a.py": "def test_a(): pass\n"}, tests=("test_a.py::test_a", *names))
    assert report.passed == ("test_a.py::test_a",)
    assert len(report.results) == count + 1


@pytest.mark.parametrize(
    ("command", "pytest_", "unittest_"),
    [
        (PYTEST, True, False),
        (("pytest", "-q"), True, False),
        (("/opt/bin/py.test",), True, False),
        (("python3", "-W", "error", "-m", "pytest", "x"), True, False),
        (("coverage", "run", "-m", "pytest"), True, False),
        ((*UNITTEST, "discover"), False, True),
        (("make", "pytest"), False, False),
    ],
)
def test_runners_are_recognised(command: tuple[str, ...], pytest_: bool, unittest_: bool) -> None:
    assert (is_pytest(command), is_unittest(command)) == (pytest_, unittest_)


def test_an_endless_test_fails_and_the_others_still_run() -> None:
    source = """
def test_before(): pass

def test_endless():
    while True:
        try:
            while True: pass
        except Exception: pass

def test_endless_again():
    while True: pass

def test_after(): pass
"""
    with TemporaryWorkspace({"test_a.py": source}) as workspace:
        report = run_tests(workspace, PYTEST, timeout_s=60, test_limit_s=1.0)
    assert not report.timed_out
    assert {name.partition("::")[2]: outcome for name, outcome in outcomes(report).items()} == {
        "test_before": "passed",
        "test_endless": "failed",
        "test_endless_again": "failed",
        "test_after": "passed",
    }
    assert "still running after 1 s" in report.results[1].message


def test_a_test_that_only_computes_is_ended_earlier_than_one_that_waits() -> None:
    source = """
import time

def test_waits(): time.sleep(0.6)

def test_computes():
    while True: pass

def test_computes_too():
    while True: pass

def test_waits_still(): time.sleep(0.6)
"""
    with TemporaryWorkspace({"test_a.py": source}) as workspace:
        report = run_tests(workspace, PYTEST, timeout_s=60, test_limit_s=50.0, test_cpu_s=1.5)
    assert {name.partition("::")[2]: outcome for name, outcome in outcomes(report).items()} == {
        "test_waits": "passed",
        "test_computes": "failed",
        "test_computes_too": "failed",
        "test_waits_still": "passed",
    }
    assert "still running after 1.5 s of computing" in report.results[1].message
    assert "still running after 0.5 s of computing" in report.results[2].message
