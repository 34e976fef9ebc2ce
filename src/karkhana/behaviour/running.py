"""How this room gets a program run: one callable, whoever owns the sandbox; and what it believes of the answers.

>>> def run(argv, stdin, timeout_s):            # doctest: +SKIP
...     return tools.call(RunCommand(argv=argv, stdin=stdin, timeout_s=timeout_s))

Code under test shares a sandbox with the probes, so answers are taken for what they are: claims. Each answer line
begins with a marker that is made for the job, is read from standard input before any code of the repository runs, and
is held only by a process that never runs such code; the processes that do have a pipe to it, with a marker of their
own. Lines without it are nobody's. What remains is decoded into bounded types, and anything else is ``ProbeFailed``.

What this does not prevent: code under test can look through the memory of its own process, find the pipe and its
marker, and tell what it likes about the tests that run there (or simply make them pass, by changing the test runner).
So no verdict about a change rests on these answers alone: the whole suite is run in a process of its own, and judged
by gates that share nothing with them. They only steer the search.
"""

import json
import secrets
import shlex
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.tools import CommandResult

T = TypeVar("T")
Run = Callable[[tuple[str, ...], bytes, float | None], CommandResult]
"""``(argv, stdin, timeout in seconds)`` → what the command did."""

PROBES = "/opt/karkhana/probes"
FUZZER = "/opt/karkhana/fuzzer"
"""Where schemathesis is found inside, when the host has it."""
_RUNNER = PROBES + "/run.py"
_BYTES = 48 << 20
"""Of answers that are read at all; typed decoding takes a few times that in memory."""
_UNUSUAL_BYTES = 4 << 20
"""Of one line with characters that only the slower reader takes (lone surrogates in names of files)."""


class ProbeFailed(InfrastructureFailure):
    """A probe ended without an answer, or with one that cannot be: the sandbox, or the repository's code, broke it."""


def ask(run: Run, probe: str, job: dict[str, Any], timeout_s: float, kind: type[T]) -> list[T]:
    """Run one probe and return its answers, each a ``kind``.

    What was answered before a time-out counts. Raises :class:`ProbeFailed` when there is no answer at all, or a false
    one.
    """
    marker = secrets.token_hex(16)
    # The standard library's encoder escapes lone surrogates, which names of tests may hold.
    result = run(("python", _RUNNER, probe), json.dumps({**job, "marker": marker}).encode(), timeout_s)
    if len(result.stdout) > _BYTES:
        false_answer(probe, f"more than {_BYTES >> 20} MiB of answers")
    sign = marker.encode()
    answers = [_decoded(probe, line[len(sign) :], kind) for line in result.stdout.splitlines() if line.startswith(sign)]
    if not answers:
        told = result.stderr.decode(errors="replace").strip().splitlines()
        raise ProbeFailed(
            f"the {probe} probe gave no answer (exit code {result.exit_code}): {told[-1] if told else 'no output'}",
            next="Run the repository's tests by hand in the same environment; the last line of its output is above.",
        )
    return answers


def _decoded(probe: str, line: bytes, kind: type[T]) -> T:
    try:
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            if len(line) > _UNUSUAL_BYTES:
                raise
            return msgspec.convert(json.loads(line), kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        false_answer(probe, str(error))


def false_answer(probe: str, what: str) -> NoReturn:
    """Raise :class:`ProbeFailed` for an answer that no probe gives."""
    raise ProbeFailed(
        f"the {probe} probe gave an answer that cannot be: {what}",
        next="Code of the repository wrote it, or disturbs the probe: look at what its tests do on import.",
    )


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
