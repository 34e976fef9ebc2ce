"""Whether a repository's suite can be used, and the command that runs it."""

import shlex
from collections.abc import Collection

from karkhana.domain.errors import InvalidInput, SuiteUnusable
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Order
from karkhana.factory.faults import environment_fault
from karkhana.git import Repository


def shell_words(command: str) -> tuple[str, ...]:
    """``command`` split as a shell would. Raises ``InvalidInput``."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise InvalidInput(f"the test command {command!r} cannot be read: {error}", "Close its quotes.") from error
    if not words:
        raise InvalidInput("the test command is empty", 'Pass for example --test-command "python -m pytest".')
    return words


def own_modules(order: Order) -> set[str]:
    """Names of the modules and packages that the base commit holds."""
    paths = Repository.open(order.repository).files(order.commit)
    return {part.removesuffix(".py") for path in paths if path.endswith(".py") for part in path.split("/")}


def require_usable(report: TestReport, modules: Collection[str] = ()) -> None:
    """Raises ``SuiteUnusable``; ``modules`` are the repository's own."""
    if report.timed_out:
        raise SuiteUnusable(
            f"the test command {shlex.join(report.command)} was still running after {report.duration_s:.0f} s",
            "Name a faster part of the suite with --test-command, or raise KARKHANA_SANDBOX_COMMAND_TIMEOUT_S.",
        )
    fault = environment_fault(report, modules)
    if fault is not None:
        raise SuiteUnusable(f"no test can run: {fault.found}", fault.next)
    if not report.results:
        raise SuiteUnusable(
            f"{shlex.join(report.command)} ran no test (exit code {report.exit_code}): {report.output[-600:].strip()}",
            "Name the command that runs the tests with --test-command.",
        )
