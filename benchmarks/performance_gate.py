"""The gate ``performance`` on functions that are 8 % slower, and on functions that are not.

    python -m benchmarks.performance_gate --dataset DIR [--slowed 30] [--unchanged 60] [--seed N] [--json]

DIR holds bigcode-project/octopack (see ``benchmarks.humanevalfix``), whose canonical solutions are timed on the inputs
of their own tests. Each function does its work 25 times over, and a slowed one 27 times: 8 % more by count, whatever a
clock says of it. Calls of a function take as long as they take: nothing is left out for being quick. *Unchanged* ones
are compared with themselves. Slowed are the first of the drawn functions that can be timed at all, unchanged the first
of them, too, each in its own run of the gate's measurement, with the gate's limits.
"""

import argparse
import ast
import math
import random
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit
from benchmarks.humanevalfix import cases, tests_of
from karkhana.behaviour.difference import Revised
from karkhana.behaviour.speed import Timing, logarithms, timings
from karkhana.quality.changed import changed_functions
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.performance import NAME, is_slower
from karkhana.workspace.memory import TemporaryWorkspace

_TIMES, _SLOWED_TIMES = 25, 27
_TESTS = 3


class Subject(msgspec.Struct, frozen=True):
    """One function, its file and its test."""

    path: str
    name: str
    text: str
    tests: str
    slowed: str
    """The file with the slower function."""


def subjects(dataset: Path, chance: random.Random) -> list[Subject]:
    """The canonical solutions, in random order, each in a module of its own, and the same 8 % slower."""
    found = []
    for case in {case["entry_point"]: case for case in cases(dataset)}.values():
        name = case["entry_point"]
        text = case["prompt"] + case["canonical_solution"]
        usual, slowed = (repeated(text, name, times) for times in (_TIMES, _SLOWED_TIMES))
        if usual is not None and slowed is not None:
            found.append(Subject(f"{name}_module.py", name, usual, tests_of(case["test"], name), slowed))
    chance.shuffle(found)
    return found


def repeated(text: str, name: str, times: int) -> str | None:
    """The module with a function that does its work ``times`` over; ``None`` for one that hands out its work in parts.

    The work stays inside the function, so that it is compiled anew with it.
    """
    tree = ast.parse(text)
    place = next(n for n, s in enumerate(tree.body) if isinstance(s, ast.FunctionDef) and s.name == name)
    inner = tree.body[place]
    assert isinstance(inner, ast.FunctionDef)
    given = inner.args
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(inner)) or given.vararg or given.kwarg:
        return None
    names = [one.arg for one in (*given.posonlyargs, *given.args)]
    outer = ast.parse(
        f"def {name}({', '.join(names)}):\n    for _ in range({times}):\n"
        f"        answer = {name}({', '.join(names)})\n    return answer\n"
    ).body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.args.defaults = given.defaults
    given.defaults = []
    # Under its own name, so that one that calls itself still calls itself.
    outer.body.insert(0, inner)
    tree.body[place] = outer
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def revised(subject: Subject, *, slowed: bool) -> Revised:
    after = subject.slowed if slowed else subject.text
    new = {f.place.name: f for f in changed_functions(subject.path, None, after.encode()).functions}[subject.name]
    old = {f.place.name: f for f in changed_functions(subject.path, None, subject.text.encode()).functions}[
        subject.name
    ]
    return Revised(path=subject.path, place=new.place, text=new.text, old=old.text)


def measured(rows: list[Subject], *, slowed: bool) -> dict[int, Timing]:
    """In one process, as the gate would."""
    rule = limits(NAME)
    files = {"conftest.py": ""}
    for row in rows:
        files[row.path] = row.slowed if slowed else row.text
        files[f"test_{row.path}"] = row.tests
    with TemporaryWorkspace(files, command_timeout_s=36000.0) as workspace:
        listed = workspace.run(("python", "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"))
        tests = _few([line for line in listed.stdout.decode().splitlines() if "::" in line])
        return timings(
            lambda argv, stdin, timeout_s: workspace.run(argv, stdin=stdin, timeout_s=timeout_s),
            arguments=("-q",),
            tests=tests,
            limits=[1.0] * len(tests),
            revised=[revised(row, slowed=slowed) for row in rows],
            rounds=int(rule["rounds"]),
            pairs=int(rule["pairs"]),
            block_s=rule["block_s"],
            seconds=rule["seconds"],
        )


def _few(tests: list[str]) -> list[str]:
    """The first tests of each file: recording the calls of all would take longer than the measurements."""
    files: dict[str, list[str]] = {}
    for name in tests:
        files.setdefault(name.partition("::")[0], []).append(name)
    return [name for row in files.values() for name in row[:_TESTS]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--slowed", type=int, default=30)
    parser.add_argument("--unchanged", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    chance = random.Random(options.seed)
    drawn = subjects(options.dataset.resolve(), chance)
    first = _timed(drawn, options.unchanged, slowed=False)
    second = _timed(drawn, options.slowed, slowed=True)
    figures = report(first, second)
    figures["true_slow_down"] = _SLOWED_TIMES / _TIMES - 1
    figures["wall_s"] = round(time.monotonic() - started, 1)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures["cpu_s"] = round(usage.ru_utime + usage.ru_stime, 1)
    emit("Performance gate", figures, as_json=options.json)


def _timed(drawn: list[Subject], wanted: int, *, slowed: bool) -> list[tuple[Subject, Timing]]:
    """The first of the drawn functions that could be timed; as many at once as the gate looks at in one change."""
    found: list[tuple[Subject, Timing]] = []
    most = int(limits(NAME)["functions"])
    for start in range(0, len(drawn), most):
        rows = drawn[start : start + most]
        found += [(rows[n], timing) for n, timing in sorted(measured(rows, slowed=slowed).items())]
        print(f"{len(found):>3} of {wanted} {'slowed' if slowed else 'unchanged'}", file=sys.stderr, flush=True)
        if len(found) >= wanted:
            break
    return found[:wanted]


def report(unchanged: list[tuple[Subject, Timing]], slowed: list[tuple[Subject, Timing]]) -> dict[str, Any]:
    alarms = [(s.name, round(t.ratio, 3)) for s, t in unchanged if is_slower(t)]
    missed = [(s.name, round(t.ratio, 3), len(t.rounds)) for s, t in slowed if not is_slower(t)]
    spread = [math.log(after / before) for _, t in unchanged for row in t.rounds for before, after in row]
    between = [value for _, t in unchanged for value in logarithms(t)]
    ratios = [t.ratio for _, t in slowed]
    print(f"missed: {missed}\nfalse alarms: {alarms}", file=sys.stderr)
    return {
        "slowed": len(slowed),
        "found": len(slowed) - len(missed),
        "unchanged": len(unchanged),
        "false_alarms": len(alarms),
        "median_ratio_slowed": round(statistics.median(ratios), 4),
        "least_ratio_slowed": round(min(ratios), 4),
        "widest_ratio_unchanged": round(max(t.ratio for _, t in unchanged), 4),
        "noise_of_a_pair": round(statistics.pstdev(spread), 4),
        "noise_of_a_round": round(statistics.pstdev(between), 4),
        "median_rounds": statistics.median(len(t.rounds) for _, t in (*unchanged, *slowed)),
        "missed_cases": missed,
        "alarm_cases": alarms,
    }


if __name__ == "__main__":
    main()
