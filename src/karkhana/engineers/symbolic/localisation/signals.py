"""What speaks for a function being at fault: one value in [0,1] per signal and function.

Knows spectra, texts and words; knows nothing of how the signals are weighed.

>>> sorted(words_of("parse_HTTPHeader fails"))
['header', 'http', 'parse']
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from karkhana.behaviour.spectra import FunctionPlace, Spectrum

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_STOP = frozenset(
    word
    for line in (
        "the a an is are was be to of in on for and or not it its this that with when if as at by from test tests",
        "should does do fails fail failing wrong bug error fix function method returns return value instead but get",
        "self none true false def assert raise file line py",
    )
    for word in line.split()
)
_FRAME = re.compile(r'File "[^"\n]+", line \d+, in (\w+)')
_LITERAL = re.compile(r"'[^'\n]{3,40}'|\"[^\"\n]{3,40}\"|(?<![\w.])\d{2,}(?:\.\d+)?(?!\w)")
_UP = 0.6
"""What a step outwards in the traceback leaves of the suspicion."""
_ENOUGH = 6.0
"""Sum of word rarities that counts as full agreement."""
_IDENTIFIERS = 0.4
"""Weight of a word in the body of a function, beside one in its name."""

Read = Callable[[str], str | None]
"""A file's text by its path; ``None`` when it cannot be read."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function that target tests run."""

    path: str
    place: FunctionPlace
    lines: Mapping[int, float]
    """Line → Ochiai, for the lines that target tests ran."""
    text: str = ""
    """Its source; empty when it was not read."""

    @property
    def name(self) -> str:
        return self.place.name


def words_of(text: str) -> frozenset[str]:
    """Lower-case words of prose or identifiers, without the commonest."""
    return frozenset(w.lower() for w in _WORD.findall(text) if len(w) > 1) - _STOP


def ochiai(failed: int, passed: int, all_failed: int) -> float:
    """``failed / sqrt(all failed * (failed + passed))`` (Abreu, Zoeteweij, van Gemund 2007)."""
    if not failed or not all_failed:
        return 0.0
    return failed / math.sqrt(all_failed * (failed + passed))


def by_spectrum(functions: Sequence[Function]) -> list[float]:
    """The highest Ochiai of any line."""
    return [max(f.lines.values(), default=0.0) for f in functions]


def by_traceback(functions: Sequence[Function], spectrum: Spectrum, targets: Iterable[int]) -> list[float]:
    """1 for the innermost frame of the repository that is no test, less for each frame around it."""
    depth: dict[tuple[str, int], float] = {}
    for number in targets:
        for position, (path, line) in enumerate(own_frames(spectrum, number)):
            depth[path, line] = max(depth.get((path, line), 0.0), _UP**position)
    return [
        max((v for (path, line), v in depth.items() if path == f.path and _inside(f, line)), default=0.0)
        for f in functions
    ]


def own_frames(spectrum: Spectrum, number: int) -> list[tuple[str, int]]:
    """(path, line) of the frames of a failure that are no test code, innermost first."""
    failure = spectrum.tests[number].failure
    frames = [f for f in failure.frames if not spectrum.is_test_file(f.path)] if failure else []
    return [(f.path, f.line) for f in reversed(frames)]


def by_name(functions: Sequence[Function], ticket: str) -> list[float]:
    """1 when the ticket names the function as code does, or as the innermost frame of a traceback; else 0."""
    innermost = _FRAME.findall(ticket)[-1:]
    return [float(f.name in innermost or _names(ticket, f.place)) for f in functions]


def _names(ticket: str, place: FunctionPlace) -> bool:
    name = re.escape(place.name)
    if place.name.startswith("__"):
        return place.qualified in ticket
    as_code = rf"(?<!\w){name}\(|`[\w.]*\b{name}`|\.{name}\b"
    return bool(re.search(as_code, ticket)) or (
        "_" in place.name.strip("_") and bool(re.search(rf"\b{name}\b", ticket))
    )


def by_words(functions: Sequence[Function], ticket: str) -> list[float]:
    """How many of the ticket's words a function shares; rare words count more, and those of its name."""
    return _shared(functions, words_of(ticket))


def by_test_name(functions: Sequence[Function], spectrum: Spectrum, targets: Iterable[int]) -> list[float]:
    """How many words of the failing tests' names the name of a function shares."""
    names = " ".join(spectrum.tests[n].name.partition("::")[2].split("[")[0] for n in targets)
    return _shared([msgspec.structs.replace(f, text="") for f in functions], words_of(names))


def _shared(functions: Sequence[Function], wanted: frozenset[str]) -> list[float]:
    named = [words_of(f"{f.path.rsplit('/', 1)[-1]} {f.place.qualified}") & wanted for f in functions]
    inside = [(words_of(f.text) & wanted) - own for f, own in zip(functions, named, strict=True)]
    count: dict[str, int] = {}
    for own, text in zip(named, inside, strict=True):
        for word in own | text:
            count[word] = count.get(word, 0) + 1
    rarity = {word: math.log(1 + len(functions) / n) for word, n in count.items()}
    sums = [
        sum(rarity[w] for w in own) + _IDENTIFIERS * sum(rarity[w] for w in text)
        for own, text in zip(named, inside, strict=True)
    ]
    most = max([_ENOUGH, *sums])
    return [s / most for s in sums]


def by_calls(functions: Sequence[Function], test_text: str) -> list[float]:
    """1 when the source of a failing test names the function (its class, for a constructor)."""
    named = frozenset(re.findall(r"[^\W\d]\w*", test_text))
    return [
        float((f.place.classes[-1] if f.name == "__init__" and f.place.classes else f.name) in named) for f in functions
    ]


def by_literals(functions: Sequence[Function], told: str) -> list[float]:
    """Distinctive numbers and strings that a function shares with the ticket or the failure."""
    wanted = {literal.strip("'\"") for literal in _LITERAL.findall(told)}
    held = [wanted & {literal.strip("'\"") for literal in _LITERAL.findall(f.text)} for f in functions]
    count: dict[str, int] = {}
    for found in held:
        for literal in found:
            count[literal] = count.get(literal, 0) + 1
    return [min(1.0, sum(1.0 / count[literal] for literal in found)) for found in held]


def by_influence(functions: Sequence[Function], influence: Mapping[str, Mapping[int, float]]) -> list[float]:
    """The highest influence of any line on the wrong value."""
    sums = [
        max((v for line, v in influence.get(f.path, {}).items() if _inside(f, line)), default=0.0) for f in functions
    ]
    most = max(sums, default=0.0)
    return [s / most if most > 0 else 0.0 for s in sums]


def by_recency(functions: Sequence[Function], recent: Mapping[str, Mapping[int, int]]) -> list[float]:
    """1 for a function with a line of the newest commit, 1/2 for the one before, and so on."""
    return [
        max((1.0 / (1 + age) for line, age in recent.get(f.path, {}).items() if _inside(f, line)), default=0.0)
        for f in functions
    ]


def by_neighbours(functions: Sequence[Function], scores: Sequence[float]) -> list[float]:
    """The highest score among the functions that one calls or is called by, as names in their texts tell."""
    most = max(scores, default=0.0)
    if most <= 0:
        return [0.0] * len(functions)
    names = [frozenset(re.findall(r"[^\W\d]\w*", f.text)) for f in functions]
    return [
        max(
            (
                scores[j] / most
                for j, other in enumerate(functions)
                if j != i and (other.name in names[i] or f.name in names[j])
            ),
            default=0.0,
        )
        for i, f in enumerate(functions)
    ]


def _inside(function: Function, line: int) -> bool:
    return function.place.start <= line <= function.place.end
