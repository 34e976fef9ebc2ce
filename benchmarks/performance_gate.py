"""The gate ``performance`` on functions that are 8 % slower, and on functions that are not.

    python -m benchmarks.performance_gate --dataset DIR [--slowed 30] [--unchanged 60] [--seed N] [--json]

DIR holds bigcode-project/octopack (see ``benchmarks.humanevalfix``), whose canonical solutions are timed on the inputs
of their own tests. A function is slowed by an empty loop in front of its body, of so many rounds as take 8 % of its
time, as measured here before; the figures tell what that came to. *Unchanged* ones are compared with themselves.
Functions without a loop, and those that take less than 0.7 microseconds a call, are left out: an empty loop would be
more than 8 % of them. The first of them are slowed, and all are also compared with themselves.
"""

import argparse
import math
import random
import re
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

SLOWDOWN = 0.08
_LEAST_NS = 700.0
_TESTS = 3
_SPARE = 1.3
_LOOPS = "def empty(n):\n    return n\n\n\ndef loop(n):\n    for _ in range(n):\n        pass\n    return n\n"
_LOOP_TESTS = (
    "from loops_{0} import empty, loop\n\n\n"
    "def test_loops():\n    assert empty({0}) == {0}\n    assert loop({0}) == {0}\n"
)
_SHORT, _LONG = 10, 1000


class Subject(msgspec.Struct, frozen=True):
    """One function, its file and its test."""

    path: str
    name: str
    text: str
    tests: str
    slowed: str = ""
    """The file with the slower function, if it is."""


def subjects(dataset: Path, chance: random.Random) -> list[Subject]:
    """The canonical solutions, in random order, each in a module of its own."""
    found = [
        Subject(
            f"{case['entry_point']}_module.py",
            case["entry_point"],
            case["prompt"] + case["canonical_solution"],
            tests_of(case["test"], case["entry_point"]),
        )
        for case in {case["entry_point"]: case for case in cases(dataset)}.values()
        if re.search(r"\b(for|while)\b", case["canonical_solution"])
    ]
    chance.shuffle(found)
    return found


def revised(subject: Subject) -> Revised:
    after = subject.slowed or subject.text
    new = {f.place.name: f for f in changed_functions(subject.path, None, after.encode()).functions}[subject.name]
    old = {f.place.name: f for f in changed_functions(subject.path, None, subject.text.encode()).functions}[
        subject.name
    ]
    return Revised(path=subject.path, place=new.place, text=new.text, old=old.text)


def measured(rows: list[Subject]) -> dict[int, Timing]:
    """All of them in one process, as the gate would."""
    rule = limits(NAME)
    files = {"conftest.py": ""}
    for row in rows:
        files[row.path] = row.slowed or row.text
        files[f"test_{row.path}"] = row.tests
    with TemporaryWorkspace(files, command_timeout_s=36000.0) as workspace:
        listed = workspace.run(("python", "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"))
        tests = _few([line for line in listed.stdout.decode().splitlines() if "::" in line])
        return timings(
            lambda argv, stdin, timeout_s: workspace.run(argv, stdin=stdin, timeout_s=timeout_s),
            arguments=("-q",),
            tests=tests,
            limits=[1.0] * len(tests),
            revised=[revised(row) for row in rows],
            rounds=int(rule["rounds"]),
            pairs=int(rule["pairs"]),
            block_s=rule["block_s"],
            seconds=600.0,
        )


def _few(tests: list[str]) -> list[str]:
    """The first tests of each file: recording the calls of all would take longer than the measurements."""
    files: dict[str, list[str]] = {}
    for name in tests:
        files.setdefault(name.partition("::")[0], []).append(name)
    return [name for row in files.values() for name in row[:_TESTS]]


def nanoseconds(timing: Timing) -> float:
    """Of one call before the change, at its best: what noise adds is left out."""
    return min(before for row in timing.rounds for before, _ in row) / timing.calls


def slow_down(subject: Subject, timing: Timing, setup_ns: float, round_ns: float) -> Subject | None:
    """The function with a loop that takes 8 % of its time; ``None`` when it is too quick for one."""
    rounds = round((SLOWDOWN * nanoseconds(timing) - setup_ns) / round_ns)
    if rounds < 1:
        return None
    one = revised(subject)
    assert one.place is not None
    lines = subject.text.split("\n")
    body = next(n for n in range(one.place.start, one.place.end) if lines[n].strip())
    documented = lines[body].strip()[:3] in (chr(34) * 3, "'''")
    if documented:
        quotes = lines[body].strip()[:3]
        rest = lines[body].strip()[3:]
        if quotes not in rest:
            body = next(n for n in range(body + 1, one.place.end) if quotes in lines[n])
        body += 1
    indent = " " * (len(lines[one.place.start - 1]) - len(lines[one.place.start - 1].lstrip()) + 4)
    lines.insert(body, f"{indent}for _tick in range({rounds}): pass")
    return msgspec.structs.replace(subject, slowed="\n".join(lines))


def loop_costs(found: list[Timing]) -> tuple[float, float]:
    """Nanoseconds to set up an empty loop, and of each of its rounds; timings of (empty, loop) by (short, long)."""
    empty, short, _, long = (nanoseconds(t) for t in found)
    round_ns = (long - short) / (_LONG - _SHORT)
    return max(0.0, short - empty - _SHORT * round_ns), round_ns


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
    loops = [
        Subject(f"loops_{n}.py", name, _LOOPS, _LOOP_TESTS.format(n))
        for n in (_SHORT, _LONG)
        for name in ("empty", "loop")
    ]
    # Some are too quick, and some answer with what cannot be given again.
    wanted = subjects(options.dataset.resolve(), chance)[: round(_SPARE * max(options.slowed, options.unchanged))]
    first = measured([*loops, *wanted])
    setup_ns, round_ns = loop_costs([first[n] for n in range(len(loops))])
    timed = [(s, first[n]) for n, s in enumerate(wanted, len(loops)) if n in first]
    usable = [(s, t) for s, t in timed if nanoseconds(t) >= _LEAST_NS]
    unchanged = usable[: options.unchanged]
    slowed = [one for s, t in usable if (one := slow_down(s, t, setup_ns, round_ns)) is not None]
    slowed = slowed[: options.slowed]
    second = measured(slowed)
    figures = report(unchanged, slowed, second)
    figures |= {"loop_setup_ns": round(setup_ns, 1), "loop_round_ns": round(round_ns, 2)}
    figures["wall_s"] = round(time.monotonic() - started, 1)
    emit("Performance gate", figures, as_json=options.json)


def report(unchanged: list[tuple[Subject, Timing]], slowed: list[Subject], second: dict[int, Timing]) -> dict[str, Any]:
    alarms = [(s.name, round(t.ratio, 3)) for s, t in unchanged if is_slower(t)]
    found = [n for n, t in second.items() if is_slower(t)]
    missed = [(slowed[n].name, round(t.ratio, 3)) for n, t in second.items() if n not in found]
    spread = [math.log(after / before) for _, t in unchanged for row in t.rounds for before, after in row]
    between = [value for _, t in unchanged for value in logarithms(t)]
    print(f"missed: {missed}\nfalse alarms: {alarms}", file=sys.stderr)
    return {
        "slowed": len(second),
        "found": len(found),
        "unchanged": len(unchanged),
        "false_alarms": len(alarms),
        "median_ratio_slowed": round(statistics.median(t.ratio for t in second.values()), 4),
        "widest_ratio_unchanged": round(max(t.ratio for _, t in unchanged), 4),
        "noise_of_a_pair": round(statistics.pstdev(spread), 4),
        "noise_of_a_round": round(statistics.pstdev(between), 4),
        "missed_cases": missed,
        "alarm_cases": alarms,
    }


if __name__ == "__main__":
    main()
