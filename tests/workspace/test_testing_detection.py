import pytest

from karkhana.domain.errors import InvalidSetting, SuiteUnusable
from karkhana.domain.suites import TestReport
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import command_words, detect, require_usable, run_tests

PYTEST = ("python", "-m", "pytest")


@pytest.mark.parametrize(
    "files",
    [
        {"pytest.ini": "[pytest]\n"},
        {"pyproject.toml": "[tool.pytest.ini_options]\n"},
        {"setup.cfg": "[tool:pytest]\n"},
        {"tox.ini": "[pytest]\n"},
        {"tests/test_a.py": ""},
        {"src/deep/a_test.py": ""},
        {"conftest.py": ""},
        {"test_a.py": "import unittest\nclass T(unittest.TestCase): pass\n"},
        {"app/tests.py": ""},
    ],
)
def test_pytest_is_found_by_its_configuration_or_by_test_files(files: dict[str, str]) -> None:
    with TemporaryWorkspace(files) as workspace:
        assert detect(workspace) == PYTEST


def test_the_configured_command_wins() -> None:
    with TemporaryWorkspace({"pytest.ini": "[pytest]\n"}) as workspace:
        assert detect(workspace, "make 'unit tests'") == ("make", "unit tests")


def test_without_tests_the_next_step_is_said() -> None:
    with (
        TemporaryWorkspace({"a.py": "", "pyproject.toml": "[project]\n"}) as workspace,
        pytest.raises(SuiteUnusable) as caught,
    ):
        detect(workspace)
    assert "--test-command" in caught.value.next


@pytest.mark.parametrize(
    "text",
    [
        "cd sub && pytest",
        "a | b",
        "pytest > log",
        "X=1 pytest",
        "pytest $ARGS",
        "pytest tests/*.py",
        "a; b",
        "a;b",
        "(a)",
    ],
)
def test_shell_syntax_goes_through_a_shell(text: str) -> None:
    assert command_words(text) == ("sh", "-c", text)


@pytest.mark.parametrize("text", ["", "  ", "pytest 'x"])
def test_commands_that_are_no_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        command_words(text)


@pytest.mark.parametrize(
    ("files", "command", "reason"),
    [
        ({"a.py": ""}, PYTEST, "ran no test"),
        ({"pytest.ini": "[pytest]\naddopts = --odd=1", "test_a.py": ""}, PYTEST, "does not know the options --odd=1"),
        (
            {"pytest.ini": "[pytest]\nrequired_plugins = pytest-odd", "test_a.py": ""},
            PYTEST,
            "plugins are missing: pytest-odd",
        ),
        (
            {"pytest.ini": "[pytest]\naddopts = -p odd_plugin", "test_a.py": ""},
            PYTEST,
            "plugins are missing: odd_plugin",
        ),
        ({"conftest.py": "import odd_module", "test_a.py": ""}, PYTEST, "cannot import odd_module"),
        ({"conftest.py": "1/0", "test_a.py": ""}, PYTEST, "ZeroDivisionError"),
        ({"a": ""}, ("no-such-program",), "could not be started"),
        ({"test_a.py": "import pytest\npytest.skip(allow_module_level=True)"}, PYTEST, "skipped every test"),
        ({"test_a.py": "import pytest\n@pytest.mark.skip\ndef test_a(): pass"}, PYTEST, "skipped every test"),
        ({"conftest.py": "def pytest_collection(): 1/0", "test_a.py": ""}, PYTEST, "internal error"),
    ],
)
def test_a_run_that_says_nothing_is_unusable_and_says_why(
    files: dict[str, str], command: tuple[str, ...], reason: str
) -> None:
    with TemporaryWorkspace(files) as workspace, pytest.raises(SuiteUnusable) as caught:
        require_usable(run_tests(workspace, command, timeout_s=60))
    assert reason in caught.value.message
    assert caught.value.next


def test_a_hang_is_unusable() -> None:
    with (
        TemporaryWorkspace({"test_a.py": "import time\ntime.sleep(60)"}) as workspace,
        pytest.raises(SuiteUnusable) as caught,
    ):
        require_usable(run_tests(workspace, PYTEST, timeout_s=2))
    assert "still running" in caught.value.message


def test_a_suite_with_failures_is_usable() -> None:
    with TemporaryWorkspace({"test_a.py": "def test_a(): assert 0"}) as workspace:
        report: TestReport = run_tests(workspace, PYTEST, timeout_s=60)
    require_usable(report)
    assert report.failing == ("test_a.py::test_a",)
