"""Run a target's tests in its workspace and say, test by test, what happened.

Any command will do. When pytest is behind it, even through ``make test``, a plugin of ours adds the exact name of
every test to a JUnit report; ``python -m unittest`` goes through a runner that writes the same; any other command
counts as one test. A hang, a crash of the interpreter, an error while collecting and an empty suite are told apart.
This module knows nothing of why the tests are run.

>>> from karkhana.workspace.memory import TemporaryWorkspace
>>> with TemporaryWorkspace({"test_sum.py": "def test_sum():\\n    assert 1 + 1 == 3\\n"}) as workspace:
...     run_tests(workspace, ("python", "-m", "pytest")).failing
('test_sum.py::test_sum',)
"""

import base64
import itertools
import json
import secrets
import shlex
import zlib
from pathlib import PurePosixPath

from karkhana.domain.errors import InvalidInput, ToolRefused
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import CommandResult
from karkhana.ports import Workspace
from karkhana.workspace.testing_detection import command_words, detect, require_usable
from karkhana.workspace.testing_report import Evidence, results_of

__all__ = ["command_words", "detect", "is_pytest", "is_unittest", "require_usable", "run_tests"]

OUTPUT_TAIL = 20_000
"""Characters of the runner's output that a report keeps."""

TEST_LIMIT_S = 60.0
"""A test that runs longer has failed; the suite goes on with the next one."""

TEST_CPU_S = 10.0
"""So has one that computes longer in the runner's own process: it is most likely endless."""

_SELECTION_MAX = 96 * 1024  # one string of the environment may have 128 KiB
_FILES_MAX = 40

_FETCH = 'cat "$1/progress" 2>/dev/null; printf "\\000"; cat "$1/report.xml" 2>/dev/null; rm -rf "$1"'


def run_tests(
    workspace: Workspace,
    command: tuple[str, ...],
    tests: tuple[str, ...] = (),
    *,
    timeout_s: float | None = None,
    test_limit_s: float = TEST_LIMIT_S,
    test_cpu_s: float = TEST_CPU_S,
) -> TestReport:
    """Run the suite, or only ``tests`` (names as reports give them), for at most ``timeout_s`` seconds.

    A single test of a pytest run fails after ``test_limit_s`` seconds, or ``test_cpu_s`` seconds of computing, and the
    suite goes on.

    A chosen test that does not exist is reported as an error of its own. Raises ``InvalidInput`` for an empty
    command and ``InfrastructureFailure`` when the sandbox broke.
    """
    if not command:
        raise InvalidInput("the test command is empty", 'give one, e.g. --test-command "python -m pytest"')
    folder = f"/tmp/karkhana-{secrets.token_hex(8)}"  # noqa: S108 - a name inside the sandbox
    argv = _instrumented(workspace, command, tests)
    limits = {"KARKHANA_TEST_LIMIT_S": f"{test_limit_s:g}", "KARKHANA_TEST_CPU_S": f"{test_cpu_s:g}"}
    done = workspace.run(argv, timeout_s=timeout_s, env={**_environment(folder, tests), **limits})
    fetched = workspace.run(("sh", "-c", _FETCH, "sh", folder), timeout_s=60)
    progress, _, xml = fetched.stdout.partition(b"\0")
    evidence = Evidence(command=command, done=done, progress=progress, xml=xml, limit_s=timeout_s)
    results, notes = results_of(evidence)
    if is_pytest(command) or is_unittest(command) or progress:
        results = _with_missing(results, tests)
    return TestReport(
        command=command,
        exit_code=done.exit_code,
        results=results,
        duration_s=done.duration_s,
        timed_out=done.timed_out,
        output=_tail(done, notes),
    )


def is_pytest(command: tuple[str, ...]) -> bool:
    """Whether the command starts pytest itself (not through a wrapper)."""
    return _after_runner(command, "pytest") is not None


def is_unittest(command: tuple[str, ...]) -> bool:
    """Whether the command is ``python -m unittest …``."""
    return _after_runner(command, "unittest") is not None


def _after_runner(command: tuple[str, ...], runner: str) -> tuple[str, ...] | None:
    """The arguments after the runner's name, ``None`` when another program is started."""
    names = {runner, "py.test"} if runner == "pytest" else {runner}
    if PurePosixPath(command[0]).name in names and runner == "pytest":
        return command[1:]
    for index, (flag, module) in enumerate(itertools.pairwise(command)):
        if flag == "-m" and module in names:
            return command[index + 2 :]
    return None


def _instrumented(workspace: Workspace, command: tuple[str, ...], tests: tuple[str, ...]) -> tuple[str, ...]:
    rest = _after_runner(command, "unittest")
    if rest is not None:
        head = command[: len(command) - len(rest) - 1]
        return (*head, "karkhana_unittest", *rest)
    rest = _after_runner(command, "pytest")
    if tests and rest is not None and all(word.startswith("-") for word in rest):
        return (*command, *_files(workspace, tests))
    return command


def _files(workspace: Workspace, tests: tuple[str, ...]) -> tuple[str, ...]:
    """The files to collect, so that pytest need not look at all of them; none when that is not certain."""
    files = tuple(dict.fromkeys(test.split("::", 1)[0] for test in tests))
    if len(files) > _FILES_MAX or any(file.startswith(("-", "/", "..")) for file in files):
        return ()
    try:
        return files if all(workspace.read(file) is not None for file in files) else ()
    except ToolRefused:  # a forged name: a folder, a link, or nothing that a file can be called
        return ()


def _environment(folder: str, tests: tuple[str, ...]) -> dict[str, str]:
    options = (
        *("-p", "karkhana_limit", "-p", "karkhana_report", f"--junitxml={folder}/report.xml"),
        *("-o", "junit_family=xunit1", "-o", "junit_logging=no", "-o", "junit_duration_report=total"),
        # a fresh cache folder instead of -p no:cacheprovider: suites may use --ff, cache_dir or the cache itself
        *("-o", f"cache_dir={folder}/cache", "--color=no", "--continue-on-collection-errors"),
    )
    environment = {
        "KARKHANA_REPORT": folder,
        "PYTEST_ADDOPTS": shlex.join(options),
        "COVERAGE_FILE": f"{folder}/coverage",
        "HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis",
    }
    if tests:
        packed = base64.b64encode(zlib.compress(json.dumps(tests).encode())).decode()
        if len(packed) <= _SELECTION_MAX:
            environment["KARKHANA_SELECT"] = packed
    return environment


def _with_missing(results: tuple[TestResult, ...], tests: tuple[str, ...]) -> tuple[TestResult, ...]:
    """Only the chosen tests (a broken file speaks for all of its tests), and an error for each that never ran."""
    if not tests:
        return results
    known = {result.name for result in results}
    broken = tuple(r for r in results if r.outcome is Outcome.ERROR and r.name not in tests)
    missing = tuple(
        TestResult(test, Outcome.ERROR, 0.0, "no test of this name was run")
        for test in tests
        if test not in known and test.split("::", 1)[0] not in known
    )
    return tuple(r for r in results if r.name in tests) + broken + missing


def _tail(done: CommandResult, notes: tuple[str, ...]) -> str:
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    cut = text if len(text) <= OUTPUT_TAIL else "…" + text[-OUTPUT_TAIL:]
    return "\n".join([*notes, cut]) if notes else cut
