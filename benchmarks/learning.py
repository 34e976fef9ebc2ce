"""Does the engineer learn? A stream of seeded bugs of one library, with the shipped priors off.

    python -m benchmarks.learning --dataset DIR [--count 200] [--seed 1] [--library OWNER/NAME] [--module PATH]
                                  [--tests COMMAND] [--dry] [--kept FILE] [--json]

The bugs are drawn from a skewed mix of kinds (the n-th kind of a random order has the weight 1/n^1.5), as the slips of
one team are. All templates begin with the same prior, whatever the error, and all signals of localisation with the
same weight. After each bug the lessons of its outcome are added: a change
that gives the original back is approved, another one is rejected, none at all is an abstention. *Tried until right*
counts the candidates that were run up to the original's code; *tried in all* those that were run altogether, with
the rivals that the engineer tries beyond the first that passes; for bugs that were repaired, and for all: one that
no template repairs costs every candidate, whatever was learned. The medians are given for the first and the last
quarter of the stream, beside the rank that the same original would have had without lessons: the control for harder or
easier bugs. ``--dry`` runs the tests once per bug, for the spectrum, and no candidates: a bug counts as repaired when
the original is among the changes, after as many as stand before it.
``--kept`` holds what ``--dry`` found out about each bug: with it the stream can be replayed without running anything.

Engineer's parts without the line and its sandbox, and without the whole suite after each repair: for libraries that
you trust.
"""

import argparse
import itertools
import json
import resource
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit
from benchmarks.learning_stream import (
    Failure,
    Prepared,
    failures,
    flat_weights,
    kept,
    places_of,
    prepare,
    told,
    uninformed,
)
from benchmarks.seeded import libraries_of
from benchmarks.seeded_direct import restoring
from karkhana.behaviour.running import pytest_arguments
from karkhana.domain.lessons import Credit, Lesson, Verdict, taught
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place, literals_of
from karkhana.engineers.symbolic.localisation.localise import localise, ranks
from karkhana.engineers.symbolic.lore import (
    circumstance_of,
    multipliers,
    signal_credits,
    signal_weights,
    template_credits,
)
from karkhana.engineers.symbolic.search import Budget, Search, horizons

SECONDS = 12.0
CANDIDATES = 3000


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


def repair(failure: Failure, original: str, memory: Memory, command: str) -> dict[str, Any]:
    """One bug with what was learned so far; its outcome is learned."""
    lessons = memory.lessons
    circumstance = circumstance_of(failure.spectrum, failure.targets)
    ticket = told(failure)
    factors = multipliers(lessons, circumstance, dict.fromkeys(catalogue(), 1.0))
    weights = signal_weights(lessons, circumstance, flat_weights())
    suspects = localise(failure.spectrum, failure.targets, ticket, read=failure.files.get, weights=weights)
    places = places_of(suspects, failure.files)
    ideas = uninformed(failure, places, factors, literals_of(ticket))
    wanted = restoring(original, failure.case.module, places, ideas)
    tried, chosen = _by_running(failure, places, ideas, wanted, command)
    right = chosen is not None and chosen in wanted
    kinds = Counter(ideas[n].kind for n in tried)
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


def _by_running(
    failure: Failure, places: tuple[Place, ...], ideas: list[Hypothesis], wanted: Sequence[int], command: str
) -> tuple[list[int], int | None]:
    """Numbers of the candidates that were run, and of the one that a reviewer would be shown."""
    budget = Budget(seconds=SECONDS, candidates=CANDIDATES)
    arguments = pytest_arguments(tuple(command.split()))
    search = Search(failure.run, failure.spectrum, arguments, places, budget, read=failure.files.get)
    outcome = search.singles(ideas)
    passed = [n for n, status in enumerate(outcome.statuses) if status == "p"]
    chosen = next((n for n in passed if n in wanted), passed[0] if passed else None)
    return [n for n, status in enumerate(outcome.statuses) if status not in "-dsx"], chosen


def replay(bug: Prepared, memory: Memory) -> dict[str, Any]:
    """One bug with what was learned so far, nothing run; its outcome is learned."""
    factors = multipliers(memory.lessons, bug.error, dict.fromkeys(catalogue(), 1.0))
    weights = signal_weights(memory.lessons, bug.error, flat_weights())
    suspicion, level = _suspicion(bug, weights), _suspicion(bug, flat_weights())
    scores = [
        s * factors.get(t, 1.0) * suspicion[n] for t, s, n in zip(bug.templates, bug.scores, bug.suspects, strict=True)
    ]
    order = sorted(range(len(scores)), key=lambda n: (-scores[n], n))
    place = {number: position for position, number in enumerate(order)}
    rank = min((place[n] for n in bug.right), default=None)
    blank = [s * level[n] for s, n in zip(bug.scores, bug.suspects, strict=True)]
    usual = {n: position for position, n in enumerate(sorted(range(len(blank)), key=lambda n: (-blank[n], n)))}
    unlearned = min((usual[n] for n in bug.right), default=None)
    reach = _reach(scores, rank)
    tried = Counter(bug.templates[n] for n in order[:reach])
    chosen = "" if rank is None else bug.templates[order[rank]]
    earned = list(template_credits(bug.error, tried, chosen))
    if rank is not None:
        earned += signal_credits(bug.error, _ranks(bug.signals, bug.suspects[order[rank]]))
    memory.learn(earned, Verdict.GOOD if chosen else Verdict.ABSTAINED)
    return {
        "kind": bug.kind,
        "function": bug.function,
        "line": bug.line,
        "error": bug.error,
        "right": rank is not None,
        "passing": rank is not None,
        "template": chosen or None,
        "until": None if rank is None else rank + 1,
        "tried": reach,
        "tried_unlearned": _reach(blank, unlearned),
        "rank": None if rank is None else rank + 1,
        "rank_unlearned": None if unlearned is None else unlearned + 1,
    }


def _reach(scores: Sequence[float], rank: int | None) -> int:
    """How many changes are tried when the one at ``rank`` is the first that passes, or none is (``None``)."""
    if rank is None:
        return len(scores)
    horizon = horizons(sorted(scores, reverse=True), Budget(seconds=0.0).beyond)[rank]
    return min(len(scores), rank + 1 + horizon)


def _suspicion(bug: Prepared, weights: Mapping[str, float]) -> list[float]:
    """Of each suspicious function, 1 for the most suspicious."""
    sums = [sum(weights.get(name, 0.0) * value for name, value in row.items()) for row in bug.signals]
    highest = max(sums, default=1.0) or 1.0
    return [total / highest for total in sums]


def _ranks(signals: Sequence[Mapping[str, float]], repaired: int) -> dict[str, int]:
    """As :func:`karkhana.engineers.symbolic.localisation.localise.ranks`, of rows of values."""
    return {
        name: sum(row.get(name, 0.0) >= value for row in signals)
        for name, value in signals[repaired].items()
        if any(row.get(name, 0.0) > 0 for row in signals)
    }


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
    keys = ["until", "tried", "tried_by_all", "rank", "rank_unlearned"]
    keys += ["tried_unlearned"] if all("tried_unlearned" in r for r in rows) else []
    for key in keys:
        found[f"{key}_first"], found[f"{key}_last"], found[f"{key}_fall"] = quarters(
            [{**r, "tried": r["tried"] if r["right"] else None, "tried_by_all": r["tried"]} for r in rows], key
        )
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
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    libraries = libraries_of(options.dataset)
    if options.library not in libraries:
        parser.error(f"{options.library} is not in {options.dataset}; there are: {', '.join(libraries)}")
    library, memory, rows = libraries[options.library], Memory(), []
    library = msgspec.structs.replace(
        library, modules=options.module or library.modules, tests=options.tests or library.tests
    )
    if options.dry:
        bugs = kept(options.kept)[: options.count]
        bugs += prepare(library, options.seed, options.count, len(bugs), options.kept)
        rows = [replay(bug, memory) for bug in bugs]
    else:
        for failure in itertools.islice(failures(library, options.seed), options.count):
            rows.append(repair(failure, library.texts[failure.case.module], memory, library.tests))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime
    emit("Learning", figures_of(rows, cpu_s), as_json=options.json)


if __name__ == "__main__":
    main()
