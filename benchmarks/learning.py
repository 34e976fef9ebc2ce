"""Does the engineer learn? A stream of seeded bugs of one library, with the shipped priors off.

    python -m benchmarks.learning --dataset DIR [--count 200] [--seed 1] [--library OWNER/NAME] [--module PATH]
                                  [--tests COMMAND] [--dry] [--json]

The bugs are drawn from a skewed mix of kinds (the n-th kind of a random order has the weight 1/n^1.5), as the slips of
one team are. All templates begin with the same prior. After each bug the lessons of its outcome are added: a change
that gives the original back is approved, another one is rejected, none at all is an abstention. *Tried until right*
counts the candidates that were run up to the original's code; *tried in all* those that were run altogether, with
the rivals that the engineer tries beyond the first that passes. Both medians are given for the first and the last
quarter of the stream, beside the rank that the same original would have had without lessons: the control for harder or
easier bugs. ``--dry`` runs the tests once per bug, for the spectrum, and no candidates: a bug counts as repaired when
the original is among the changes, after as many as stand before it.

Engineer's parts without the line and its sandbox, and without the whole suite after each repair: for libraries that
you trust.
"""

import argparse
import ast
import json
import random
import resource
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit
from benchmarks.seeded import Case, Library, libraries_of, ticket_of
from benchmarks.seeded_bugs import Seed, seeds
from benchmarks.seeded_direct import ProbedWorkspace, restoring
from karkhana.behaviour.running import ProbeFailed, Run, pytest_arguments
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.domain.lessons import Credit, Lesson, Verdict, taught
from karkhana.domain.tools import CommandResult
from karkhana.engineers.symbolic.catalogue import catalogue
from karkhana.engineers.symbolic.hypotheses import Hypothesis, Place, cut, declared, hypotheses, literals_of
from karkhana.engineers.symbolic.localise import Suspect, localise, ranks, shipped_weights
from karkhana.engineers.symbolic.lore import (
    circumstance_of,
    multipliers,
    signal_credits,
    signal_weights,
    template_credits,
)
from karkhana.engineers.symbolic.search import Budget, Search

SKEW = 1.5
SECONDS = 12.0
CANDIDATES = 3000
MOST_FAILING = 40
AT_IMPORT = frozenset({"constant", "default", "decorator"})
"""Kinds that need a fresh interpreter per candidate: too dear for a stream."""


class Memory:
    """Lessons of one repository, as a store would give them back."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], list[float]] = {}

    def learn(self, credits: Sequence[Credit], verdict: Verdict) -> None:
        for lesson in taught(credits, verdict):
            row = self._sums.setdefault((lesson.subject, lesson.circumstance), [0.0, 0.0])
            row[0] += lesson.good
            row[1] += lesson.bad

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        return tuple(
            Lesson(subject=subject, circumstance=circumstance, good=good, bad=bad)
            for (subject, circumstance), (good, bad) in sorted(self._sums.items())
        )


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A bug in its workspace, measured."""

    case: Case
    files: Mapping[str, str]
    run: Run
    spectrum: Spectrum
    targets: tuple[int, ...]


def stream(library: Library, seed: int) -> Iterator[Case]:
    """Bugs without end, the kinds skewed; no bug twice."""
    randomness = random.Random(seed)
    pools: dict[str, list[tuple[str, Seed]]] = {}
    for module in library.modules:
        for bug in seeds(library.texts[module]):
            if bug.kind not in AT_IMPORT:
                pools.setdefault(bug.kind, []).append((module, bug))
    kinds = sorted(pools)
    randomness.shuffle(kinds)
    weights = [1 / (n + 1) ** SKEW for n in range(len(kinds))]
    while any(pools.values()):
        pool = pools[randomness.choices(kinds, weights)[0]]
        if pool:
            module, bug = pool.pop(randomness.randrange(len(pool)))
            yield Case(repository=library.repository, module=module, seed=bug, failing=[])


def measured(library: Library, case: Case, workspace: ProbedWorkspace) -> Failure | None:
    """The bug with its spectrum; ``None`` when it is no program, or no test, or far too many catch it."""
    files = library.with_bug(case)

    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

    try:
        spectrum = measure(run, arguments=pytest_arguments(tuple(library.tests.split())), limit_s=0.5, seconds=20.0)
    except ProbeFailed:
        return None
    if not 0 < len(spectrum.failing) <= MOST_FAILING:
        return None
    return Failure(case=case, files=files, run=run, spectrum=spectrum, targets=spectrum.failing)


def repair(failure: Failure, original: str, memory: Memory, command: str, *, dry: bool = False) -> dict[str, Any]:
    """One bug with what was learned so far; its outcome is learned."""
    lessons = memory.lessons
    circumstance = circumstance_of(failure.spectrum, failure.targets)
    names = [failure.spectrum.tests[n].name for n in failure.targets]
    ticket = ticket_of(msgspec.structs.replace(failure.case, failing=names))
    factors = multipliers(lessons, circumstance, dict.fromkeys(catalogue(), 1.0))
    suspects = localise(
        failure.spectrum,
        failure.targets,
        ticket,
        read=failure.files.get,
        weights=signal_weights(lessons, circumstance, shipped_weights()),
    )
    places = _places(suspects, failure.files)
    # The shipped prior is divided away again: all templates begin alike.
    equal = {name: factors.get(name, 1.0) / entry.prior for name, entry in catalogue().items()}
    ideas = [
        idea
        for idea in hypotheses(places, failure.spectrum, literals=literals_of(ticket), expected=(), lessons=equal)
        if not idea.fresh
    ]
    wanted = restoring(original, failure.case.module, places, ideas)
    tried, chosen = _without_running(ideas, wanted) if dry else _by_running(failure, places, ideas, wanted, command)
    right = chosen is not None and chosen in wanted
    kinds = {ideas[n].kind for n in tried}
    verdict = Verdict.ABSTAINED if chosen is None else Verdict.GOOD if right else Verdict.BAD
    earned = list(template_credits(circumstance, kinds, ideas[chosen].kind if chosen is not None else ""))
    if chosen is not None and (repaired := places[ideas[chosen].suspect].suspect) in suspects:
        earned += signal_credits(circumstance, ranks(suspects, repaired))
    memory.learn(earned, verdict)
    unlearned = sorted(range(len(ideas)), key=lambda n: -ideas[n].score / factors.get(ideas[n].kind, 1.0))
    return {
        "kind": failure.case.seed.kind,
        "function": failure.case.seed.function,
        "line": failure.case.seed.line,
        "error": circumstance,
        "right": right,
        "passing": chosen is not None,
        "template": ideas[chosen].kind if chosen is not None else None,
        "until": sum(n <= chosen for n in tried) if chosen is not None and right else None,
        "tried": len(tried),
        "rank": min(wanted) + 1 if wanted else None,
        "rank_unlearned": next((r for r, n in enumerate(unlearned, 1) if n in wanted), None),
    }


def _without_running(ideas: Sequence[Hypothesis], wanted: Sequence[int]) -> tuple[list[int], int | None]:
    """Numbers of the candidates up to the original, and the original; all of them when it is not there."""
    found = min(wanted, default=None)
    return list(range(len(ideas) if found is None else found + 1)), found


def _by_running(
    failure: Failure, places: tuple[Place, ...], ideas: list[Hypothesis], wanted: Sequence[int], command: str
) -> tuple[list[int], int | None]:
    """Numbers of the candidates that were run, and of the one that a reviewer would be shown."""
    budget = Budget(seconds=SECONDS, candidates=CANDIDATES)
    search = Search(failure.run, failure.spectrum, pytest_arguments(tuple(command.split())), places, budget)
    outcome = search.singles(ideas)
    passed = [n for n, status in enumerate(outcome.statuses) if status == "p"]
    chosen = next((n for n in passed if n in wanted), passed[0] if passed else None)
    return [n for n, status in enumerate(outcome.statuses) if status not in "-dsx"], chosen


def _places(suspects: Sequence[Suspect], files: Mapping[str, str]) -> tuple[Place, ...]:
    own = tuple(
        Place(suspect=s, text=cut(files[s.path], s), file_text=files[s.path]) for s in suspects if s.path in files
    )
    return own + declared(own)


def quarters(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[float | None, float | None, float | None]:
    """Medians of the first and last quarter of the stream, and by how much (share) they fell; ``None``: no figures."""
    size = len(rows) // 4
    first, last = ([r[key] for r in part if r[key] is not None] for part in (rows[:size], rows[-size:] if size else ()))
    if not first or not last:
        return None, None, None
    before, after = statistics.median(first), statistics.median(last)
    return before, after, round(1 - after / before, 3) if before else None


def figures_of(rows: Sequence[Mapping[str, Any]], cpu_s: float) -> dict[str, Any]:
    """What the report says about a stream."""
    found: dict[str, Any] = {
        "total": len(rows),
        "passing": sum(r["passing"] for r in rows),
        "right": sum(r["right"] for r in rows),
        "abstained": sum(not r["passing"] for r in rows),
        "median_cpu_s": round(cpu_s / max(1, len(rows)), 2),
    }
    for key in ("until", "tried", "rank", "rank_unlearned"):
        found[f"{key}_first"], found[f"{key}_last"], found[f"{key}_fall"] = quarters(rows, key)
    return {**found, "cases": list(rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", default="pytoolz/toolz")
    parser.add_argument("--module", action="append", help="only bugs in this module; may be repeated")
    parser.add_argument("--tests", help="the test command, when not the library's own")
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    libraries = libraries_of(options.dataset)
    if options.library not in libraries:
        parser.error(f"{options.library} is not in {options.dataset}; there are: {', '.join(libraries)}")
    library, memory, rows = libraries[options.library], Memory(), []
    library = msgspec.structs.replace(
        library, modules=options.module or library.modules, tests=options.tests or library.tests
    )
    for case in stream(library, options.seed):
        files = library.with_bug(case)
        try:
            ast.parse(files[case.module])
        except SyntaxError:
            continue
        with ProbedWorkspace(files) as workspace:
            failure = measured(library, case, workspace)
            if failure is not None:
                row = repair(failure, library.texts[case.module], memory, library.tests, dry=options.dry)
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
        if len(rows) >= options.count:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime
    emit("Learning", figures_of(rows, cpu_s), as_json=options.json)


if __name__ == "__main__":
    main()
