"""Pairs of changes for the same failing test: the right one, and one that passes the same tests and is wrong.

The tests that the factory sees are some of those that there are: a failing one and every second of the others, which
is what makes a wrong change plausible. A wrong change is a procedural one: one small edit (``behaviour.mutation``) of
the program with the bug, or of the right one, that passes all tests seen; wrong, because it disagrees with the right
program on fresh inputs. Knows HumanEvalFix and QuixBugs; knows nothing of scores.
"""

import random
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import humanevalfix, quixbugs
from benchmarks.quixbugs_inputs import MAKERS
from karkhana.behaviour.mutation import mutants, sample
from karkhana.behaviour.validation import PASSES, Proposal, Target, apply, validate
from karkhana.quality.changed import changed_functions
from karkhana.quality.reach import run_in
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import run_tests

COMMAND = ("env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", "python", "-m", "pytest", "-q")
_ONLY = """

def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.nodeid in {0!r}]
"""
_TRIED = 100
"""Edits that are tried for a case, of either program."""
_JUDGED = 4
"""Edits that pass and are judged, until one is wrong."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two changes of one file."""

    name: str
    source: str
    ticket: str
    path: str
    before: dict[str, str]
    """The repository with the bug: path → text."""
    right: str
    """The file after the right change."""
    wrong: str
    kind: str
    """``repair`` or ``slip``: an edit of the program with the bug, or of the right one."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One bug."""

    name: str
    source: str
    ticket: str
    path: str
    files: dict[str, str]
    right: str
    function: str
    data: Any = None


def pairs(dataset: Path, seed: int, done: Collection[str] = ()) -> Iterator[Pair]:
    """As many as there are, in random order; without those of the cases that are ``done``."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="evidence-") as scratch:
        found = [*_humanevalfix(dataset), *_quixbugs(dataset, Path(scratch))]
        chance.shuffle(found)
        for case in found:
            # A seed of its own for each, so that a case is the same whatever was done before.
            chance = random.Random(f"{seed} {case.name}")
            one = None if case.name in done else _pair(case, chance, Path(scratch))
            if one is not None:
                yield one


def _humanevalfix(dataset: Path) -> Iterator[Case]:
    for number, case in enumerate(humanevalfix.cases(dataset), 1):
        name = case["entry_point"]
        yield Case(
            name=f"humanevalfix-{number}",
            source="humanevalfix",
            ticket=humanevalfix.ticket_of(case),
            path=f"{name}_module.py",
            files=humanevalfix.repository_files(case),
            right=case["prompt"] + case["canonical_solution"],
            function=name,
            data=case,
        )


def _quixbugs(dataset: Path, scratch: Path) -> Iterator[Case]:
    folder = quixbugs.checkout(dataset, scratch)
    for name in sorted(MAKERS):
        yield Case(
            name=f"quixbugs-{name}",
            source="quixbugs",
            ticket=quixbugs.ticket_of(folder, name),
            path=f"python_programs/{name}.py",
            files=quixbugs.repository_files(folder, name),
            right=(folder / "correct_python_programs" / f"{name}.py").read_text(),
            function=name,
            data=(folder, name),
        )


def _pair(case: Case, chance: random.Random, scratch: Path) -> Pair | None:
    files = dict(case.files)
    buggy = files[case.path]
    with TemporaryWorkspace(files) as workspace:
        report = run_tests(workspace, COMMAND, test_limit_s=5.0)
    if not report.failing:
        return None
    kept = _kept(report.failing, report.passed, chance)
    seen = {"conftest.py": files.get("conftest.py", "") + _ONLY.format(kept)}
    for kind, text in (("repair", buggy), ("slip", case.right)):
        for changed in _passing(files, case, text, kept, chance):
            if changed != case.right and _wrong(case, changed, scratch):
                return Pair(
                    name=case.name,
                    source=case.source,
                    ticket=case.ticket,
                    path=case.path,
                    before=files | seen,
                    right=case.right,
                    wrong=changed,
                    kind=kind,
                )
    return None


def _kept(failing: Sequence[str], others: Sequence[str], chance: random.Random) -> list[str]:
    """The tests that are seen: one that fails, and every second of the rest."""
    rest = [*failing[1:], *others]
    chance.shuffle(rest)
    return sorted([failing[0], *rest[: len(rest) // 2]])


def _passing(files: dict[str, str], case: Case, text: str, tests: Sequence[str], chance: random.Random) -> list[str]:
    """Versions of the file with one edit of ``text`` that pass all tests seen."""
    found = changed_functions(case.path, None, text.encode()).functions
    function = next((f for f in found if f.place.name == case.function), None)
    if function is None:
        return []
    lines = range(function.place.start, function.place.end + 1)
    every = mutants(function.text, first_line=function.place.start, lines=lines)
    edits = sample(every, _TRIED, chance.randrange(1 << 30))
    with TemporaryWorkspace(files | {case.path: text}) as workspace:
        numbers = tuple(range(len(tests)))
        target = Target(path=case.path, text=function.text, place=function.place, failing=(), passing=numbers)
        answers = validate(
            run_in(workspace),
            arguments=("-p", "no:cacheprovider"),
            tests=tests,
            limits=[0.1] * len(tests),
            targets=[target],
            proposals=[Proposal(0, (m.edit,)) for m in edits],
            seconds=10.0,
            wall_seconds=600.0,
            beyond=len(edits),
            beyond_seconds=10.0,
        ).statuses
    at = sum(len(line) + 1 for line in text.split("\n")[: function.place.start - 1])
    good = [m.edit for m, letter in zip(edits, answers, strict=True) if letter == PASSES]
    return [text[:at] + apply(function.text, [e]) + text[at + len(function.text) :] for e in good[:_JUDGED]]


def _wrong(case: Case, changed: str, scratch: Path) -> bool:
    """Whether a change answers otherwise than the right one on fresh inputs."""
    if case.source == "humanevalfix":
        verdict = humanevalfix.judge(case.data, changed, scratch)
        return verdict.get("right") is False and bool(verdict.get("counterexamples"))
    folder, name = case.data
    file = scratch / f"{re.sub('[^a-z_]', '', name)}_changed.py"
    file.write_text(changed)
    verdict = quixbugs.judge(folder, name, file)
    return verdict["right"] is False and bool(verdict.get("counterexamples"))
