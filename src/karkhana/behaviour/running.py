"""How this room gets a program run: one callable, whoever owns the sandbox.

>>> def run(argv, stdin, timeout_s):            # doctest: +SKIP
...     return tools.call(RunCommand(argv=argv, stdin=stdin, timeout_s=timeout_s))
"""

import shlex
from collections.abc import Callable
from typing import Any

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.tools import CommandResult

Run = Callable[[tuple[str, ...], bytes, float | None], CommandResult]
"""``(argv, stdin, timeout in seconds)`` → what the command did."""

PROBES = "/opt/karkhana/probes"
_RUNNER = PROBES + "/run.py"


class ProbeFailed(InfrastructureFailure):
    """A probe ended without an answer: the sandbox, or the repository's own start-up code, broke it."""


def ask(run: Run, probe: str, job: dict[str, Any], timeout_s: float) -> list[dict[str, Any]]:
    """Run one probe and return the JSON objects that it answered with.

    What was answered before a time-out counts. Raises :class:`ProbeFailed` when there is no answer at all.
    """
    result = run(("python", _RUNNER, probe), msgspec.json.encode(job), timeout_s)
    answers: list[dict[str, Any]] = []
    for line in result.stdout.splitlines():
        try:
            value = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(value, dict):
            answers.append(value)
    if not answers:
        told = result.stderr.decode(errors="replace").strip().splitlines()
        raise ProbeFailed(
            f"the {probe} probe gave no answer (exit code {result.exit_code}): {told[-1] if told else 'no output'}",
            next="Run the repository's tests by hand in the same environment; the last line of its output is above.",
        )
    return answers


def pytest_arguments(command: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments that the user's test command gives to pytest; unittest commands become a collection of their files.

    >>> pytest_arguments(("python", "-m", "pytest", "-q", "tests"))
    ('-q', 'tests')
    >>> pytest_arguments(("make", "test"))
    ()
    """
    words = command
    if len(words) == 3 and words[0] in ("sh", "bash") and words[1] in ("-c", "-lc"):
        words = tuple(shlex.split(words[2]))
    for position, word in enumerate(words):
        name = word.rsplit("/", 1)[-1]
        if name in ("pytest", "py.test"):
            return words[position + 1 :]
        if name == "unittest":
            return ("-o", "python_files=test*.py")
    return ()
