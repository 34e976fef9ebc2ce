"""Which functions and lines are to blame: Ochiai over the spectrum, weighted by traceback and ticket words.

Ochiai suspiciousness of a line is ``failed / sqrt(all failed * (failed + passed))`` over the tests that ran it
(Abreu, Zoeteweij, van Gemund: "On the accuracy of spectrum-based fault localization", 2007). Knows spectra and
words; knows nothing of templates.
"""

import math
import re
from collections.abc import Iterable, Mapping

import msgspec

from karkhana.behaviour.spectra import FunctionPlace, Spectrum

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_STOP = frozenset(
    word
    for line in (
        "the a an is are was be to of in on for and or not it its this that with when if as at by from test tests",
        "should does do fails fail failing wrong bug error fix function method returns return value instead but get",
    )
    for word in line.split()
)
_INNERMOST, _PASSED_THROUGH = 1.6, 1.25
_WORD_BONUS = 0.35


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


def words_of(text: str) -> frozenset[str]:
    """Lower-case words of prose or identifiers, without the commonest.

    >>> sorted(words_of("parse_HTTPHeader fails"))
    ['header', 'http', 'parse']
    """
    return frozenset(w.lower() for w in _WORD.findall(text) if len(w) > 1) - _STOP


def ochiai(failed: int, passed: int, all_failed: int) -> float:
    if not failed or not all_failed:
        return 0.0
    return failed / math.sqrt(all_failed * (failed + passed))


def localise(spectrum: Spectrum, targets: Iterable[int], ticket: str, limit: int = 12) -> tuple[Suspect, ...]:
    """Functions that the target tests run, most suspicious first, at most ``limit``."""
    wanted = frozenset(targets)
    passing = frozenset(spectrum.passing)
    words = words_of(ticket)
    marks = _traceback_marks(spectrum, wanted)
    found: list[Suspect] = []
    for path, lines in sorted(spectrum.coverage.items()):
        if spectrum.is_test_file(path):
            continue
        for place in spectrum.functions.get(path, ()):
            scores: dict[int, float] = {}
            for line in range(place.start, place.end + 1):
                tests = frozenset(lines.get(line, ()))
                failed = len(tests & wanted)
                if failed:
                    base = ochiai(failed, len(tests & passing), len(wanted))
                    scores[line] = base * marks.get((path, line), 1.0)
            if not scores:
                continue
            covering = frozenset(spectrum.covering(path, place.start, place.end))
            shared = words & words_of(f"{path} {place.qualified}")
            bonus = 1.0 + _WORD_BONUS * min(3, len(shared))
            through = max((marks.get((path, line), 1.0) for line in range(place.start, place.end + 1)), default=1.0)
            found.append(
                Suspect(
                    path=path,
                    place=place,
                    score=max(scores.values()) * bonus * through,
                    lines=scores,
                    failing=tuple(sorted(covering & wanted)),
                    passing=tuple(sorted(covering & passing)),
                )
            )
    found.sort(key=lambda s: (-s.score, s.path, s.place.start))
    return tuple(found[:limit])


def _traceback_marks(spectrum: Spectrum, wanted: frozenset[int]) -> dict[tuple[str, int], float]:
    """Lines of the tracebacks: the innermost frame outside the tests weighs most."""
    marks: dict[tuple[str, int], float] = {}
    for number in wanted:
        failure = spectrum.tests[number].failure
        frames = [f for f in failure.frames if not spectrum.is_test_file(f.path)] if failure else []
        for position, frame in enumerate(reversed(frames)):
            weight = _INNERMOST if position == 0 else _PASSED_THROUGH
            key = (frame.path, frame.line)
            marks[key] = max(marks.get(key, 1.0), weight)
    return marks
