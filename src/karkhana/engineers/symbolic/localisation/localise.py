"""Which functions and lines are to blame: several signals, weighed, each named in the result.

A function's suspicion is the sum of weight and value over the signals of ``localise.toml``; a line's is its Ochiai
(see :mod:`.signals`), raised where the traceback or the flow of the wrong value passes. Knows spectra and words;
knows nothing of templates.
"""

import functools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import msgspec

from karkhana.behaviour.spectra import FunctionPlace, Spectrum
from karkhana.domain.events import Suspicion
from karkhana.engineers.symbolic.localisation import signals
from karkhana.engineers.symbolic.localisation.signals import Function, Read, ochiai, words_of

__all__ = ["Reason", "Suspect", "localise", "ochiai", "ranks", "suspicion", "why", "words_of"]

_INNERMOST, _PASSED_THROUGH, _INFLUENCED = 1.6, 1.25, 0.5
_READ_FILES = 8
"""Files whose text is looked at; the tools' budget pays for reading."""
_READ_FUNCTIONS = 60
_NAMED = 3
"""Reasons that are told."""


class Reason(msgspec.Struct, frozen=True):
    """One signal's part in a suspicion."""

    signal: str
    value: float
    """In [0,1]."""
    weight: float


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A function that may hold the fault."""

    path: str
    place: FunctionPlace
    score: float
    lines: Mapping[int, float]
    """Line → suspiciousness; lines that no failing test ran are missing."""
    failing: tuple[int, ...]
    """Target tests that run it."""
    passing: tuple[int, ...]
    """Passing tests that run it."""
    reasons: tuple[Reason, ...] = ()
    """All signals, the weightiest first."""


@functools.cache
def _data() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files(__package__).joinpath("localise.toml").read_text(encoding="utf-8")
    return {name: row for name, row in tomllib.loads(text).items() if isinstance(row, dict)}


def shipped_weights() -> dict[str, float]:
    """Signal → weight, as shipped."""
    return {name: float(row["weight"]) for name, row in _data().items()}


def localise(
    spectrum: Spectrum,
    targets: Iterable[int],
    ticket: str,
    limit: int = 12,
    *,
    read: Read | None = None,
    test_text: str = "",
    recent: Mapping[str, Mapping[int, int]] | None = None,
    weights: Mapping[str, float] | None = None,
) -> tuple[Suspect, ...]:
    """Functions that the target tests run, most suspicious first, at most ``limit``.

    ``read`` gives the text of a file, ``test_text`` is the source of the failing tests, ``recent`` tells how many
    commits ago lines were changed (path → line → number); without one of these its signals are silent.
    """
    case = _Case(
        spectrum=spectrum,
        wanted=frozenset(targets),
        ticket=ticket,
        test_text=test_text,
        recent=recent or {},
        weights=dict(weights or shipped_weights()),
    )
    functions = _functions(case)
    functions, cheap = _with_texts(case, functions, _values(case, functions), read)
    values = {
        **cheap,
        "words": signals.by_words(functions, ticket),
        "literals": signals.by_literals(functions, _told(case)),
    }
    values["neighbours"] = signals.by_neighbours(functions, _scores(case, values))
    scores = _scores(case, values)
    order = sorted(range(len(functions)), key=lambda i: (-scores[i], functions[i].path, functions[i].place.start))
    return tuple(
        _suspect(case, functions[i], scores[i], {name: row[i] for name, row in values.items()}) for i in order[:limit]
    )


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one failure."""

    spectrum: Spectrum
    wanted: frozenset[int]
    ticket: str
    test_text: str
    recent: Mapping[str, Mapping[int, int]]
    weights: Mapping[str, float]


def _functions(case: _Case) -> list[Function]:
    spectrum, wanted = case.spectrum, case.wanted
    passing = frozenset(spectrum.passing)
    found: list[Function] = []
    for path, lines in sorted(spectrum.coverage.items()):
        if spectrum.is_test_file(path) or serves_tests(path):
            continue
        branches = _branches(spectrum.arcs.get(path, {}))
        for place in spectrum.functions.get(path, ()):
            own: dict[int, float] = {}
            for line in range(place.start, place.end + 1):
                ways = (lines.get(line, ()), *branches.get(line, ()))
                value = max(_blame(frozenset(tests), wanted, passing) for tests in ways)
                if value > 0:
                    own[line] = value
            if own:
                found.append(Function(path=path, place=place, lines=own))
    return found


def serves_tests(path: str) -> bool:
    """Whether a file is part of the tests by its name, as helpers are that define no test themselves.

    >>> serves_tests("shop/test_tools.py"), serves_tests("tests/helpers.py"), serves_tests("click/testing.py")
    (True, True, False)
    """
    *folders, name = path.split("/")
    return name.startswith("test_") or name.endswith("_test.py") or bool({"tests", "test"} & set(folders))


def _blame(tests: frozenset[int], wanted: frozenset[int], passing: frozenset[int]) -> float:
    return ochiai(len(tests & wanted), len(tests & passing), len(wanted))


def _branches(arcs: Mapping[tuple[int, int], Sequence[int]]) -> dict[int, list[Sequence[int]]]:
    """Line → tests of each way out of it: an ``if`` whose body is skipped shows in no line of its own."""
    found: dict[int, list[Sequence[int]]] = {}
    for (line, _), tests in sorted(arcs.items()):
        found.setdefault(line, []).append(tests)
    return found


def _values(case: _Case, functions: list[Function]) -> dict[str, list[float]]:
    """Signals that need no text of the functions."""
    return {
        "ochiai": signals.by_spectrum(functions),
        "traceback": signals.by_traceback(functions, case.spectrum, case.wanted),
        "named": signals.by_name(functions, case.ticket),
        "words": signals.by_words(functions, case.ticket),
        "test_name": signals.by_test_name(functions, case.spectrum, case.wanted),
        "called": signals.by_calls(functions, case.test_text),
        "influence": signals.by_influence(functions, case.spectrum.influence),
        "recency": signals.by_recency(functions, case.recent),
    }


def _with_texts(
    case: _Case, functions: list[Function], values: dict[str, list[float]], read: Read | None
) -> tuple[list[Function], dict[str, list[float]]]:
    """The likeliest functions only, with their texts as far as these may be read."""
    scores = _scores(case, values)
    kept = sorted(range(len(functions)), key=lambda i: (-scores[i], i))[:_READ_FUNCTIONS]
    paths = list(dict.fromkeys(functions[i].path for i in kept))[:_READ_FILES] if read is not None else []
    texts = {path: text.splitlines(keepends=True) for path in paths if read and (text := read(path)) is not None}
    chosen = [
        msgspec.structs.replace(f, text="".join(texts.get(f.path, [])[f.place.top - 1 : f.place.end]))
        for f in (functions[i] for i in kept)
    ]
    return chosen, {name: [row[i] for i in kept] for name, row in values.items()}


def _told(case: _Case) -> str:
    failures = [case.spectrum.tests[n].failure for n in sorted(case.wanted)]
    return "\n".join([case.ticket, case.test_text, *(f.message for f in failures if f is not None)])


def _scores(case: _Case, values: Mapping[str, Sequence[float]]) -> list[float]:
    rows = [[case.weights.get(name, 0.0) * v for v in row] for name, row in values.items()]
    return [sum(column) for column in zip(*rows, strict=True)]


def _suspect(case: _Case, function: Function, score: float, values: Mapping[str, float]) -> Suspect:
    covering = frozenset(case.spectrum.covering(function.path, function.place.start, function.place.end))
    reasons = [Reason(name, round(v, 4), round(case.weights.get(name, 0.0), 4)) for name, v in values.items()]
    reasons.sort(key=lambda r: (-r.value * r.weight, r.signal))
    return Suspect(
        path=function.path,
        place=function.place,
        score=score,
        lines=_lines(case, function),
        failing=tuple(sorted(covering & case.wanted)),
        passing=tuple(sorted(covering & frozenset(case.spectrum.passing))),
        reasons=tuple(reasons),
    )


def _lines(case: _Case, function: Function) -> dict[int, float]:
    """Ochiai of each line, raised where the traceback or the wrong value passes."""
    marks: dict[int, float] = {}
    for number in case.wanted:
        for position, (path, line) in enumerate(signals.own_frames(case.spectrum, number)):
            if path == function.path:
                marks[line] = max(marks.get(line, 1.0), _PASSED_THROUGH if position else _INNERMOST)
    flow = case.spectrum.influence.get(function.path, {})
    most = max(flow.values(), default=0.0) or 1.0
    return {
        line: value * marks.get(line, 1.0) * (1.0 + _INFLUENCED * flow.get(line, 0.0) / most)
        for line, value in function.lines.items()
    }


def why(suspect: Suspect) -> str:
    """The weightiest reasons as a sentence.

    >>> place = FunctionPlace(name="f", top=1, start=1, end=2)
    >>> reasons = (Reason("traceback", 1.0, 0.8),)
    >>> why(Suspect(path="a.py", place=place, score=0.8, lines={}, failing=(), passing=(), reasons=reasons))
    'the failure happened in it or below it (traceback 1.00)'
    """
    telling = [r for r in suspect.reasons if r.value * r.weight > 0][:_NAMED]
    return "; ".join(f"{_data()[r.signal]['says']} ({r.signal} {r.value:.2f})" for r in telling)


def suspicion(suspect: Suspect) -> Suspicion:
    """A suspect as the trail tells it."""
    parts = {r.signal: round(r.value * r.weight, 4) for r in suspect.reasons if r.value * r.weight > 0}
    return Suspicion(
        place=f"{suspect.path}:{suspect.place.start}",
        function=suspect.place.qualified,
        score=round(suspect.score, 4),
        signals=parts,
        because=why(suspect),
    )


def ranks(suspects: Sequence[Suspect], repaired: Suspect) -> dict[str, int]:
    """Signal → rank (from 1, ties share the last place) that it alone gives to the repaired function.

    Signals that say nothing about any suspect are left out.
    """
    found: dict[str, int] = {}
    for reason in repaired.reasons:
        others = [r.value for s in suspects for r in s.reasons if r.signal == reason.signal]
        if any(v > 0 for v in others):
            found[reason.signal] = sum(v >= reason.value for v in others)
    return found
