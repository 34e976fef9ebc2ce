"""Compares one repaired QuixBugs program with the reference on fresh random inputs, in a process of its own.

    python -m benchmarks.quixbugs_judge DATASET NAME REPAIRED_FILE COUNT SEED   → {"agrees": n, "differs": n, …}

An input on which the reference itself fails is not counted. Both programs get equal, separate copies.
"""

import copy
import importlib.util
import json
import math
import random
import signal
import sys
import types
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.quixbugs_inputs import MAKERS

_SECONDS = 2.0


class Endless(Exception):
    """The call did not end in time."""


def load(path: Path, name: str) -> Any:
    """The module in a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(function: Callable[..., Any], arguments: list[Any], node: Any) -> Any:
    """What a call gives, as plain data: generators run to their end, linked lists as values, errors by type."""

    def stop(number: int, frame: Any) -> None:
        raise Endless

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        return plain(function(*arguments), node)
    except Endless:
        return ("endless",)
    except RecursionError:
        return ("error", "RecursionError")
    # Whatever the program raises is its answer.
    except Exception as error:
        return ("error", type(error).__name__)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def plain(value: Any, node: Any) -> Any:
    if isinstance(value, types.GeneratorType):
        return ["generator", *(plain(v, node) for v in islice(value, 10_000))]
    if isinstance(value, node):
        chain = []
        while value is not None and len(chain) < 100:
            chain.append(value.value)
            value = value.successor
        return ["chain", *chain]
    if isinstance(value, (list, tuple)):
        return [plain(v, node) for v in value]
    return value


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [k for k in {*one, *other} if one.get(k, math.inf) != math.inf or other.get(k, math.inf) != math.inf]
        return all(same(one.get(k, math.inf), other.get(k, math.inf)) for k in keys)
    return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))


def main() -> None:
    dataset, name, repaired, count, seed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:6])
    sys.path.insert(0, str(dataset / "python_testcases"))
    node = load(dataset / "python_testcases" / "node.py", "node").Node
    reference = getattr(load(dataset / "correct_python_programs" / f"{name}.py", "reference"), name)
    candidate = getattr(load(repaired, "candidate"), name)
    randomness = random.Random(f"{name} {seed}")
    agrees, examples = 0, []
    tried = 0
    while agrees + len(examples) < count and tried < 20 * count and len(examples) < 5:
        tried += 1
        arguments = MAKERS[name](randomness, node)
        expected = outcome(reference, copy.deepcopy(arguments), node)
        if isinstance(expected, tuple):
            continue
        found = outcome(candidate, copy.deepcopy(arguments), node)
        if same(expected, found):
            agrees += 1
        else:
            examples.append([repr(plain(arguments, node))[:200], repr(expected)[:200], repr(found)[:200]])
    print(json.dumps({"agrees": agrees, "differs": len(examples), "examples": examples}))


if __name__ == "__main__":
    main()
