"""All one-place changes worth trying, best guess first.

The order is suspiciousness of the line times prior of the template times weight of the idea times what past
outcomes taught.
Knows suspects and templates; knows nothing of how candidates are run.
"""

import heapq
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from karkhana.behaviour.spectra import Failure, Spectrum
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.catalogue import Entry, catalogue
from karkhana.engineers.symbolic.generation.places import Place, cut, declared, declared_in
from karkhana.engineers.symbolic.generation.scene import FileScene, Idea, Scene
from karkhana.engineers.symbolic.generation.source import FunctionView, Unreadable
from karkhana.engineers.symbolic.generation.told import Told
from karkhana.engineers.symbolic.localisation.localise import Suspect

__all__ = [
    "Hypothesis",
    "Place",
    "cut",
    "declared",
    "declared_in",
    "expected_errors",
    "hypotheses",
    "literals_of",
    "moved",
    "scene_of",
]

_UNCOVERED = 0.15
"""Suspicion of a line that no failing test ran, as a share of its function's highest."""
_READABLE = 12_000
"""Characters of a constant up to which its tree is looked at; in longer ones only entries are added."""
_NOT_NUMERIC = 0.12
"""Weight of changes that are not about strings, in constants that are not made of numbers alone."""
_FRESH = 80
"""Candidates that need a fresh interpreter; each costs as much as hundreds of the others."""
_DEAR = 400
"""Those that are kept in mind while they are made; equal ones fall together."""
_CONSTANTS = 24
"""Constants of a file whose trees are looked at."""
_ROOM = 8.0
"""Sum of weights up to which the ideas of a template in one place do not crowd each other."""
_CROWDING = 0.5
"""Power of the crowding beyond that: 1 would share a fixed likelihood out, 0 give each idea the same."""
_EVERYWHERE = 0.4
"""Weight of a change in all its places at once, as a share of that of the change in one."""
_TWO = 0.15
"""The same for two places of several."""
_SEVERAL = 0.2
"""The same for several functions."""
_ACROSS = 20
"""Changes of several functions at once."""
_PLACES = 6
_FAILURES = 8
"""Failures that templates look at."""
_LEAST = 0.0005
"""Score below which a candidate is not worth keeping in mind."""
_NEUTRAL = 0.6
"""Power that line suspicion is raised to: differences between lines count less than those between templates."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate change with what it is and how likely it seemed before it was tried."""

    suspect: int
    kind: str
    """Name of the template."""
    line: int
    edits: tuple[Edit, ...]
    score: float
    fresh: bool = False


def _failures(place: Place, spectrum: Spectrum) -> tuple[Failure, ...]:
    found = [f for n in place.suspect.failing if (f := spectrum.tests[n].failure) is not None]
    return tuple(found[:_FAILURES])


def scene_of(
    place: Place, spectrum: Spectrum, literals: tuple[str, ...], expected: tuple[str, ...], told: Told | None = None
) -> Scene:
    """Everything templates may know about one place. Raises ``Unreadable``."""
    where = place.suspect.place
    view = FunctionView(place.text, where.start, module_text=place.file_text, classes=where.classes)
    return Scene(
        view,
        types=spectrum.types_in(place.suspect.path, where.top, where.end),
        failures=_failures(place, spectrum),
        literals=literals,
        expected=expected,
        path=place.suspect.path,
        told=told,
    )


def hypotheses(
    places: tuple[Place, ...],
    spectrum: Spectrum,
    *,
    literals: tuple[str, ...] = (),
    expected: tuple[str, ...] = (),
    lessons: Mapping[str, float] | None = None,
    limit: int = 8000,
    told: str = "",
) -> list[Hypothesis]:
    """Distinct one-place changes of all places, most promising first, at most ``limit``.

    ``told`` is what the ticket and the failing tests say, the ticket first.
    """
    spoken = Told(told)
    found: dict[tuple[int, tuple[Edit, ...]], Hypothesis] = {}
    lowest: dict[bool, list[float]] = {False: [], True: []}
    most = {False: limit, True: _DEAR}
    best = max((p.suspect.score for p in places), default=1.0)
    for number, place in enumerate(places):
        errors = _errors(place, spectrum)
        highest = max(place.suspect.lines.values())
        factors = {entry.name: _factor(entry, errors, lessons or {}) for entry in catalogue().values()}
        made = list(everywhere(place.text, _ideas(place, spectrum, literals, expected, spoken)))
        rooms = _rooms(made)
        for entry, idea in made:
            factor = (factors[entry.name] or 0.0) * rooms[entry.name]
            score = factor * idea.weight * _suspicion(place.suspect, highest, idea.line, best)
            own, room = lowest[idea.fresh], most[idea.fresh]
            if score < _LEAST or (len(own) == room and score <= own[0]):
                continue
            known = found.get((number, idea.edits))
            if known is None or known.score < score:
                (heapq.heappush if len(own) < room else heapq.heapreplace)(own, score)
                found[number, idea.edits] = Hypothesis(
                    suspect=number, kind=entry.name, line=idea.line, edits=idea.edits, score=score, fresh=idea.fresh
                )
    for shared in _across(places, found.values()):
        found.setdefault((shared.suspect, shared.edits), shared)
    ordered = sorted(found.values(), key=lambda h: (-h.score, h.suspect, h.line, h.kind, h.edits))
    dear, live = itertools.count(), itertools.count()
    return [h for h in ordered if (next(dear) < _FRESH if h.fresh else next(live) < limit)]


def _rooms(made: Iterable[tuple[Entry, Idea]]) -> dict[str, float]:
    """Template → what is left to each of its ideas when they are many: they share the template's likelihood."""
    crowd: dict[str, float] = {}
    for entry, idea in made:
        crowd[entry.name] = crowd.get(entry.name, 0.0) + idea.weight
    return {name: (_ROOM / max(_ROOM, weight)) ** _CROWDING for name, weight in crowd.items()}


def _across(places: tuple[Place, ...], found: Iterable[Hypothesis]) -> list[Hypothesis]:
    """The same replacement in several functions of one file, as a change of the file."""
    files = {place.suspect.path: number for number, place in enumerate(places) if place.is_file}
    alike: dict[tuple[str, str, str, str], dict[int, Hypothesis]] = {}
    for hypothesis in found:
        place = places[hypothesis.suspect]
        if place.is_file or len(hypothesis.edits) > 1 or place.suspect.path not in files:
            continue
        (edit,) = hypothesis.edits
        old = place.text[edit.start : edit.end]
        if old and catalogue()[hypothesis.kind].everywhere:
            same = alike.setdefault((place.suspect.path, hypothesis.kind, old, edit.text), {})
            if hypothesis.suspect not in same or same[hypothesis.suspect].score < hypothesis.score:
                same[hypothesis.suspect] = hypothesis
    made: list[Hypothesis] = []
    for (path, kind, _, _), same in alike.items():
        if not 1 < len(same) <= _PLACES:
            continue
        edits = tuple(sorted(moved(h.edits[0], places[n]) for n, h in same.items()))
        score = _SEVERAL * min(h.score for h in same.values())
        made.append(Hypothesis(suspect=files[path], kind=kind, line=1, edits=edits, score=score, fresh=True))
    return sorted(made, key=lambda h: (-h.score, h.edits))[:_ACROSS]


def moved(edit: Edit, place: Place) -> Edit:
    """An edit of a function as an edit of its file."""
    before = place.file_text.splitlines(keepends=True)[: place.suspect.place.start - 1]
    offset = sum(map(len, before))
    return Edit(edit.start + offset, edit.end + offset, edit.text)


def everywhere(text: str, ideas: Iterable[tuple[Entry, Idea]]) -> Iterator[tuple[Entry, Idea]]:
    """The ideas, and behind them the same replacement in all its places of the function at once."""
    alike: dict[tuple[str, str, str], list[Idea]] = {}
    entries: dict[str, Entry] = {}
    for entry, idea in ideas:
        yield entry, idea
        if entry.everywhere and len(idea.edits) == 1 and (edit := idea.edits[0]).end > edit.start:
            entries[entry.name] = entry
            alike.setdefault((entry.name, text[edit.start : edit.end], edit.text), []).append(idea)
    for (name, _, _), same in alike.items():
        edits = sorted({idea.edits[0] for idea in same})
        if not 1 < len(edits) <= _PLACES or any(a.end > b.start for a, b in itertools.pairwise(edits)):
            continue
        best = max(same, key=lambda idea: idea.weight)
        yield entries[name], msgspec.structs.replace(best, edits=tuple(edits), weight=best.weight * _EVERYWHERE)
        for pair in itertools.combinations(edits, 2) if len(edits) > 2 else ():
            yield entries[name], msgspec.structs.replace(best, edits=pair, weight=best.weight * _TWO)


def _ideas(
    place: Place, spectrum: Spectrum, literals: tuple[str, ...], expected: tuple[str, ...], told: Told
) -> Iterator[tuple[Entry, Idea]]:
    try:
        if place.is_file:
            yield from _declaration_ideas(place, spectrum, literals, told)
            yield from _file_ideas(place, spectrum, literals, told)
        else:
            scene = scene_of(place, spectrum, literals, expected, told)
            start = _first_line_of_body(scene.view)
            # Defaults are evaluated when the function is made, before any test.
            signature = range(scene.view.first_line, scene.view.line_at(start))
            scene.view.hot = frozenset((*place.suspect.lines, *signature))
            for entry in catalogue().values():
                for idea in entry.ideas(scene):
                    outside = any(edit.start < start for edit in idea.edits)
                    yield entry, msgspec.structs.replace(idea, fresh=True) if outside else idea
    except Unreadable:
        return


def _first_line_of_body(view: FunctionView) -> int:
    """Offset of the first statement with its indentation."""
    start = view.body_start
    begin = view.text.rfind("\n", 0, start) + 1
    return start if view.text[begin:start].strip() else begin


def _declaration_ideas(
    place: Place, spectrum: Spectrum, literals: tuple[str, ...], told: Told
) -> Iterator[tuple[Entry, Idea]]:
    failures = _failures(place, spectrum)
    for declaration in sorted(place.declarations, key=lambda d: -d.strength)[:_CONSTANTS]:
        if len(declaration.text) > _READABLE:
            continue
        view = FunctionView(declaration.text, declaration.line, module_text=place.file_text)
        scene = Scene(view, failures=failures, literals=literals, path=place.suspect.path, told=told)
        numeric = bool(re.search(r"(?<![\w'\"])\d", declaration.text)) and not re.search("['\"]", declaration.text)
        for entry in catalogue().values():
            if not entry.declarations:
                continue
            for idea in entry.ideas(scene):
                moved = tuple(
                    Edit(e.start + declaration.offset, e.end + declaration.offset, e.text) for e in idea.edits
                )
                weight = idea.weight * (1.0 if numeric or entry.texts else _NOT_NUMERIC)
                yield entry, msgspec.structs.replace(idea, edits=moved, weight=weight, fresh=True)


def _file_ideas(
    place: Place, spectrum: Spectrum, literals: tuple[str, ...], told: Told
) -> Iterator[tuple[Entry, Idea]]:
    scene = FileScene(
        place.file_text,
        failures=_failures(place, spectrum),
        literals=literals,
        declarations=place.declarations,
        told=told,
    )
    for entry in catalogue().values():
        for idea in entry.file_ideas(scene):
            # What the failure itself names is as likely in one line as in another.
            yield entry, idea if entry.declarations else msgspec.structs.replace(idea, line=1)


def _errors(place: Place, spectrum: Spectrum) -> set[str]:
    failures = [f for n in place.suspect.failing if (f := spectrum.tests[n].failure) is not None]
    return {f.type for f in failures} | {b for f in failures for b in f.bases}


def _factor(entry: Entry, errors: set[str], lessons: Mapping[str, float]) -> float | None:
    factor = entry.prior * lessons.get(entry.name, 1.0)
    if entry.errors and not errors & set(entry.errors):
        return None
    return factor * max((entry.likely[e] for e in errors & set(entry.likely)), default=1.0)


def _suspicion(suspect: Suspect, highest: float, line: int, best: float) -> float:
    own = suspect.lines.get(line)
    if own is None:
        near = [suspect.lines[n] for n in (line - 1, line + 1) if n in suspect.lines]
        own = max(near) * 0.7 if near else highest * _UNCOVERED
    return float((own / highest) ** _NEUTRAL * suspect.score / best)


def literals_of(text: str) -> tuple[str, ...]:
    """Numbers and short strings in a text, as Python literals, in order.

    >>> literals_of("assert f(3) == 'no' and x == -1.5")
    ('3', "'no'", '-1.5')
    """
    found = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)|'[^'\n]{0,40}'|\"[^\"\n]{0,40}\"", text)
    return tuple(dict.fromkeys(found))[:60]


_RAISES = re.compile(
    r"(?:raises|assertRaises(?:Regexp?)?)\(\s*(?P<type>[\w.]+)"
    r"(?:\s*,\s*(?:match\s*=\s*)?r?(?P<quote>['\"])(?P<match>(?:(?!(?P=quote)).)*)(?P=quote))?"
)
_DID_NOT = re.compile(r"DID NOT RAISE <class '(?P<type>[\w.]+)'>")


def expected_errors(test_text: str) -> tuple[str, ...]:
    """Exceptions that a test says it expects, called with the message that it wants to see.

    >>> expected_errors("with pytest.raises(ValueError, match='no x'):")
    ("ValueError('no x')",)
    """
    found: dict[str, None] = {}
    for match in _RAISES.finditer(test_text):
        message = _literal(match["match"]) if match["match"] else ""
        found.setdefault(f"{match['type']}({message!r})" if message else match["type"])
    for match in _DID_NOT.finditer(test_text):
        name = match["type"].rpartition(".")[2]
        if not any(e.partition("(")[0].rpartition(".")[2] == name for e in found):
            found.setdefault(name)
    return tuple(found)[:4]


def _literal(pattern: str) -> str:
    """A text that the pattern matches, when that is easy to say; a pattern that nobody vouches for is not run."""
    text = pattern.strip("^$").replace(".*", " ").replace(".+", " ")
    if re.search(r"(?<!\\)[|*+?()\[\]{}]|\\\w", text):
        return ""
    return re.sub(r"\\(\W)", r"\1", text)
