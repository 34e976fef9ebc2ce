"""Find out how a repository's tests are run, and say what to do when they cannot be.

pytest is preferred wherever it can run the tests: it runs unittest classes too. Knows nothing of what the tests test.

>>> from karkhana.workspace.memory import TemporaryWorkspace
>>> with TemporaryWorkspace({"tests/test_cart.py": "def test_total(): pass"}) as workspace:
...     detect(workspace)
('python', '-m', 'pytest')
"""

import re
import shlex

from karkhana.domain.errors import InvalidSetting, SuiteUnusable
from karkhana.domain.suites import Outcome, TestReport
from karkhana.ports import Workspace
from karkhana.workspace.finding import find_files
from karkhana.workspace.testing_report import SESSION

PYTEST = ("python", "-m", "pytest")
_SHELL = re.compile(r"[$`*\n]|^cd\s|^\w+=")
_OPERATORS = frozenset("();<>|&")
_CONFIGURED = (
    ("pytest.ini", b"[pytest]"),
    (".pytest.ini", b"[pytest]"),
    ("pytest.toml", b"[pytest]"),
    ("pyproject.toml", b"[tool.pytest"),
    ("tox.ini", b"[pytest]"),
    ("setup.cfg", b"[tool:pytest]"),
)
_TEST_FILES = ("test_*.py", "*_test.py", "conftest.py", "tests.py")
_INTERNAL_ERROR = 3  # an exit code of pytest
_NEXT = 'name the command that runs them, e.g. --test-command "python -m pytest tests"'


def command_words(text: str) -> tuple[str, ...]:
    """A configured command as arguments; through a shell only when it uses one's syntax.

    >>> command_words("pytest -q 'my tests'")
    ('pytest', '-q', 'my tests')
    >>> command_words("cd sub && make test")
    ('sh', '-c', 'cd sub && make test')
    """
    try:
        words = tuple(shlex.split(text))
        tokens = list(shlex.shlex(text, posix=True, punctuation_chars=True))
    except ValueError as error:
        raise InvalidSetting(f"the test command {text!r} is no valid shell words: {error}", _NEXT) from error
    if not words:
        raise InvalidSetting("the test command is empty", _NEXT)
    shell = _SHELL.search(text) or any(set(token) <= _OPERATORS for token in tokens)
    return ("sh", "-c", text) if shell else words


def detect(workspace: Workspace, configured: str | None = None) -> tuple[str, ...]:
    """The command that runs the tests. Raises ``SuiteUnusable`` when there is nothing to run."""
    if configured:
        return command_words(configured)
    if any(marker in (workspace.read(name) or b"") for name, marker in _CONFIGURED):
        return PYTEST
    if any(find_files(workspace, pattern, limit=1)[0] for pattern in _TEST_FILES):
        return PYTEST
    raise SuiteUnusable("no tests were found: no pytest configuration and no file named test_*.py or *_test.py", _NEXT)


def require_usable(report: TestReport) -> None:
    """Raise ``SuiteUnusable`` when a run says nothing about the code: nothing ran, or it could not start."""
    command = shlex.join(report.command)
    if report.timed_out and not report.passed and set(report.failing) <= {SESSION, command}:
        raise SuiteUnusable(
            f"`{command}` was still running after {report.duration_s:.0f} s",
            "name a command that ends, or raise sandbox.command_timeout_s",
        )
    internal = report.exit_code == _INTERNAL_ERROR and not report.passed
    if not internal and any(result.outcome is not Outcome.SKIPPED for result in report.results):
        return
    raise SuiteUnusable(*_reason(command, report))


def _reason(command: str, report: TestReport) -> tuple[str, str]:
    output = report.output
    if report.exit_code in (126, 127) and not report.results:
        return f"`{command}` could not be started: {_last(output)}", _NEXT
    if unknown := re.search(r"unrecognized arguments: (.+)", output):
        return (
            f"pytest does not know the options {unknown[1].strip()} that the repository's configuration gives it",
            "add the plugin that defines them to the repository's test dependencies",
        )
    if plugin := re.search(r"Missing required plugins: (.+)|Error importing plugin \"(.+?)\"", output):
        names = plugin[1] or plugin[2]
        return f"pytest plugins are missing: {names}", "add them to the repository's test dependencies"
    if missing := re.search(r"No module named '?([\w.]+)", output):
        return (
            f"`{command}` cannot import {missing[1]}",
            "add it to the repository's test dependencies, or name another test command",
        )
    if report.results and report.exit_code != _INTERNAL_ERROR:
        return f"`{command}` skipped every test", _NEXT
    reasons = {
        2: "pytest was interrupted before any test ran",
        _INTERNAL_ERROR: "pytest had an internal error",
        4: "pytest could not be started with the repository's configuration",
    }
    if report.exit_code in reasons:
        return f"{reasons[report.exit_code]}: {_last(output)}", "run the same command by hand and mend what it says"
    return f"`{command}` ran no test (exit code {report.exit_code})", _NEXT


def _last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(E  |ERROR|error|INTERNALERROR> \w+Error|\w*Error\b)", line)]
    return (errors or lines or ["it printed nothing"])[-1][:300]
