"""The bugs of the learning benchmark, one after the other, and what is known of each before any change is run."""

import ast
import itertools
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.seeded import Case, Library, ticket_of
from benchmarks.seeded_bugs import Seed, seeds
from benchmarks.seeded_direct import restoring
from karkhana.behaviour.running import ProbeFailed, Run, pytest_arguments
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.domain.tools import CommandResult
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    cut,
    declared,
    hypotheses,
    literals_of,
)
from karkhana.engineers.symbolic.localisation.localise import Suspect, localise, shipped_weights
from karkhana.engineers.symbolic.lore import circumstance_of
from karkhana.engineers.symbolic.ordering import natural
from karkhana.workspace.memory import TemporaryWorkspace

SKEW = 1.5
MOST_FAILING = 40
AT_IMPORT = frozenset({"constant", "default", "decorator"})
"""Kinds that need a fresh interpreter per candidate: too dear for a stream."""


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


def measured(library: Library, case: Case, workspace: TemporaryWorkspace) -> Failure | None:
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


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A bug and all changes that the engineer would try, in their order without lessons."""

    kind: str
    function: str
    line: int
    error: str
    templates: list[str]
    """Of each change."""
    scores: list[float]
    suspects: list[int]
    """Of each change: the number of the function that it changes."""
    signals: list[dict[str, float]]
    """Of each suspicious function: signal → value."""
    right: list[int]
    """Numbers of the changes that give the original back."""


def prepared(failure: Failure, original: str) -> Prepared:
    """What can be known of a bug without running a change."""
    ticket = told(failure)
    suspects = localise(failure.spectrum, failure.targets, ticket, read=failure.files.get, weights=flat_weights())
    places = places_of(suspects, failure.files)
    ideas = uninformed(failure, places, {}, literals_of(ticket))
    highest = max((suspect.score for suspect in suspects), default=1.0)
    return Prepared(
        kind=failure.case.seed.kind,
        function=failure.case.seed.function,
        line=failure.case.seed.line,
        error=circumstance_of(failure.spectrum, failure.targets),
        templates=[idea.kind for idea in ideas],
        scores=[round(idea.score * highest / places[idea.suspect].suspect.score, 5) for idea in ideas],
        suspects=[idea.suspect for idea in ideas],
        signals=[{r.signal: r.value for r in suspect.reasons} for suspect in suspects],
        right=restoring(original, failure.case.module, places, ideas),
    )


def told(failure: Failure) -> str:
    """The ticket."""
    names = [failure.spectrum.tests[n].name for n in failure.targets]
    return ticket_of(msgspec.structs.replace(failure.case, failing=names))


def flat_weights() -> dict[str, float]:
    """Signals of localisation, all with the same weight: the sum is that of the shipped ones."""
    weights = shipped_weights()
    return dict.fromkeys(weights, sum(weights.values()) / len(weights))


def uninformed(
    failure: Failure, places: Sequence[Place], factors: Mapping[str, float], literals: tuple[str, ...]
) -> list[Hypothesis]:
    """The live changes in the engineer's order by learned ``factors`` of templates, without what is shipped.

    What is shipped of a template is its prior, and how much likelier some errors make it.
    """
    catalogued = catalogue()
    equal = {name: factors.get(name, 1.0) / entry.prior for name, entry in catalogued.items()}
    tests = failure.spectrum.tests
    found: list[Hypothesis] = []
    ideas = hypotheses(tuple(places), failure.spectrum, literals=literals, expected=(), lessons=equal)
    errors = [
        {name for n in p.suspect.failing if (f := tests[n].failure) is not None for name in (f.type, *f.bases)}
        for p in places
    ]
    for idea in ideas:
        likely = catalogued[idea.kind].likely
        shipped = max((likely[e] for e in errors[idea.suspect] & set(likely)), default=1.0)
        if not idea.fresh:
            found.append(msgspec.structs.replace(idea, score=idea.score / shipped))
    return natural(sorted(found, key=lambda idea: -idea.score), places)


def failures(library: Library, seed: int) -> Iterator[Failure]:
    """The bugs of the stream that tests catch, each in a workspace that lives until the next is asked for."""
    for case in stream(library, seed):
        files = library.with_bug(case)
        try:
            ast.parse(files[case.module])
        except SyntaxError:
            continue
        with TemporaryWorkspace(files) as workspace:
            failure = measured(library, case, workspace)
            if failure is not None:
                yield failure


def kept(path: Path | None) -> list[Prepared]:
    """What was found out about bugs before."""
    if path is None or not path.exists():
        return []
    return [msgspec.json.decode(line, type=Prepared) for line in path.read_bytes().splitlines()]


def prepare(library: Library, seed: int, count: int, known: int, path: Path | None) -> list[Prepared]:
    """The bugs of the stream from number ``known`` to ``count``; written to ``path`` as they come."""
    found: list[Prepared] = []
    if known < count:
        for failure in itertools.islice(failures(library, seed), known, count):
            found.append(prepared(failure, library.texts[failure.case.module]))
            print(f"{known + len(found)} of {count}", file=sys.stderr, flush=True)
            if path is not None:
                with path.open("ab") as file:
                    file.write(msgspec.json.encode(found[-1]) + b"\n")
    return found


def places_of(suspects: Sequence[Suspect], files: Mapping[str, str]) -> tuple[Place, ...]:
    own = tuple(
        Place(suspect=s, text=cut(files[s.path], s), file_text=files[s.path]) for s in suspects if s.path in files
    )
    return own + declared(own)
