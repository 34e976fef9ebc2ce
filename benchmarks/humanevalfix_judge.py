"""Compares a repaired function with the canonical one on fresh inputs, in a process of its own.

    python -m benchmarks.humanevalfix_judge < job.json   → {"agrees": n, "counterexamples": […]}

The job has ``name``, ``reference``, ``candidate`` and ``check`` (program texts) and ``count``. Inputs on which the
canonical solution raises or does not end are left out. Both get equal, separate copies.
"""

import copy
import json
import math
import random
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.humanevalfix_inputs import Arguments, fresh_inputs

_REFERENCE_S = 0.5
_CANDIDATE_S = 3.0
_MEMORY = 2 << 30
_EXAMPLES = 400
_COUNTEREXAMPLES = 3


class Endless(BaseException):
    """The call did not end in time."""


def load(text: str, name: str) -> Callable[..., Any]:
    """The function ``name`` of a program; the program's module keeps what it defines to itself."""
    space: dict[str, Any] = {"__name__": "module"}
    exec(compile(text, "module.py", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function


def outcome(function: Callable[..., Any], arguments: Arguments, limit_s: float) -> tuple[bool, Any]:
    """Whether the call gave a result, and the result or the name of what went wrong."""

    def stop(number: int, frame: Any) -> None:
        raise Endless

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        return True, function(*copy.deepcopy(arguments))
    except Endless:
        return False, "endless"
    # Whatever the program raises is its answer.
    except Exception as error:
        return False, type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def same(one: Any, other: Any) -> bool:
    """Equal as the tests of the data set would have it; floats to twelve digits or so."""
    if isinstance(one, float) and isinstance(other, int | float):
        unlike = math.isnan(one) or math.isnan(other)
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or (unlike and math.isnan(one) == math.isnan(other))
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))


def examples_of(check: str, name: str, function: Callable[..., Any], space: dict[str, Any]) -> list[Arguments]:
    """Arguments of every call that the tests of the data set make of the function."""
    seen: list[Arguments] = []

    def recording(*arguments: Any) -> Any:
        if len(seen) < _EXAMPLES:
            seen.append(copy.deepcopy(arguments))
        return function(*arguments)

    exec(compile(check, "check.py", "exec"), {**space, name: recording})
    return seen


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    job = json.load(sys.stdin)
    sys.set_int_max_str_digits(0)
    space: dict[str, Any] = {"__name__": "module"}
    exec(compile(job["reference"], "module.py", "exec"), space)
    reference, candidate = space[job["name"]], load(job["candidate"], job["name"])
    given = examples_of(job["check"], job["name"], reference, space)
    randomness = random.Random(job["name"])
    agrees, tried = 0, 0
    counterexamples: list[list[str]] = []
    inputs = fresh_inputs(given, randomness)
    while agrees < job["count"] and tried < 20 * job["count"] and len(counterexamples) < _COUNTEREXAMPLES:
        tried += 1
        arguments = next(inputs)
        answered, expected = outcome(reference, arguments, _REFERENCE_S)
        if not answered:
            continue
        found = outcome(candidate, arguments, _CANDIDATE_S)
        if found[0] and same(expected, found[1]):
            agrees += 1
        else:
            counterexamples.append([repr(arguments)[:200], repr(expected)[:200], repr(found[1])[:200]])
    print(json.dumps({"agrees": agrees, "counterexamples": counterexamples}))


if __name__ == "__main__":
    main()
