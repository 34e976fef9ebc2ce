"""How alike two tickets are: by the rare words that they share, and by their stack traces.

Words count by rarity, in the product's own tickets and in public ones (:file:`common_words.toml`), so that a
product's first tickets are compared as well as its thousandth (TF-IDF with a cosine: Runeson et al., "Detection of
duplicate defect reports using natural language processing", 2007). Frames near the error count more, as in Dang et al.,
"ReBucket", 2012. Nothing here looks at meaning: a paraphrase without a common word is not seen.

>>> shelf = Shelf()
>>> shelf.put("BUILD-1", sketch("Cart total ignores the discount code"))
>>> [found.task_id for found in shelf.like(sketch("Discount code ignored in cart total"))]
['BUILD-1']
>>> shelf.like(sketch("Login page is slow"))
()
"""

import heapq
import math
import tomllib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

import msgspec

from karkhana.intake.words import Parts, take_apart

THRESHOLD = 0.7
"""Likeness from which two tickets are shown to a person; see docs/benchmarks.md for what it catches."""
SUGGESTED = 3
SHOWN = 5
TERMS_MAX = 160
CANDIDATES = 50
_DEPTH = 0.12
"""How fast frames count less with their distance from the error."""
_TRACE = 0.6
"""Weight of the traces where both tickets have one."""
_FILLED = 0.6
"""Factor for two titles that fill in one form with different words."""
_TITLE = 2.0
"""What a word of the title counts, in words of the rest."""


class Sketch(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is kept of a ticket to compare others with."""

    title: tuple[str, ...]
    terms: tuple[str, ...]
    """Words of the prose and the code that are not in the title."""
    frames: tuple[str, ...] = ()
    error: str = ""


class Alike(msgspec.Struct, frozen=True):
    """A ticket that is like another."""

    task_id: str
    likeness: float
    because: tuple[str, ...]


def sketch(text: str) -> Sketch:
    """The sketch of a ticket's text."""
    return sketch_of(take_apart(text))


def sketch_of(parts: Parts) -> Sketch:
    """The sketch of a ticket that was taken apart."""
    title = tuple(dict.fromkeys(stem(word) for word in parts.title if _telling(word)))
    rest = dict.fromkeys(stem(word) for word in (*parts.prose, *parts.code) if _telling(word))
    terms = [word for word in rest if word not in title]
    terms.sort(key=lambda word: _known().get(word, 0))  # the rarest, when there are too many; else their order is moot
    return Sketch(title=title[:40], terms=tuple(terms[:TERMS_MAX]), frames=parts.frames[:30], error=parts.error)


def stem(word: str) -> str:
    """A word without the ends that change least: ``crashes``, ``crashed`` and ``crashing`` are one.

    >>> stem("crashes"), stem("crashing"), stem("discounts"), stem("class")
    ('crash', 'crash', 'discount', 'class')
    """
    word = word.replace("'", "")
    for end in ("ing", "ed", "es", "s"):
        if word.endswith(end) and len(word) - len(end) >= 4 and not word.endswith("ss"):
            word = word[: -len(end)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


class Shelf:
    """The sketches of a product's tickets, the newest ``most`` of them, found by the words that they share."""

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._order: deque[str] = deque()
        self._sketches: dict[str, Sketch] = {}
        self._holding: defaultdict[str, set[str]] = defaultdict(set)

    def put(self, task_id: str, sketch: Sketch) -> None:
        """Add a ticket, and drop the oldest when there are too many."""
        if task_id in self._sketches:
            return
        self._sketches[task_id] = sketch
        self._order.append(task_id)
        for word in _words(sketch):
            self._holding[word].add(task_id)
        if len(self._order) > self._most:
            self._drop(self._order.popleft())

    def like(self, wanted: Sketch, *, without: Iterable[str] = (), threshold: float = THRESHOLD) -> tuple[Alike, ...]:
        """Tickets at least ``threshold`` like ``wanted``, the likest first, at most :data:`SUGGESTED`."""
        ours = {word: self._rarity(word) for word in _words(wanted)}
        shared: defaultdict[str, float] = defaultdict(float)
        for word, rarity in ours.items():
            holders = self._holding.get(word, ())
            if len(holders) <= max(50, len(self._order) // 10):
                for task_id in holders:
                    shared[task_id] += rarity
        left_out = set(without)
        candidates = heapq.nlargest(
            CANDIDATES, shared.keys() - left_out, key=lambda task_id: (shared[task_id], task_id)
        )
        found = [self._compare(task_id, wanted) for task_id in candidates]
        best = sorted((each for each in found if each.likeness >= threshold), key=lambda each: -each.likeness)
        return tuple(best[:SUGGESTED])

    def _compare(self, task_id: str, wanted: Sketch) -> Alike:
        other = self._sketches[task_id]
        words, told = self._words(wanted, other)
        traces = trace_likeness(wanted, other)
        if traces is None:
            return Alike(task_id, round(words, 3), tuple(told))
        if traces > 0.5:
            told = [f"the same stack trace ({wanted.error or wanted.frames[0]})", *told[: SHOWN - 1]]
        return Alike(task_id, round((1 - _TRACE) * words + _TRACE * traces, 3), tuple(told))

    def _words(self, one: Sketch, other: Sketch) -> tuple[float, list[str]]:
        titles = self._cosine(dict.fromkeys(one.title, 1.0), dict.fromkeys(other.title, 1.0))
        whole = self._cosine(_weighed(one), _weighed(other))
        shared = set(_words(one)) & set(_words(other))
        told = sorted(shared - {one.error, *one.frames}, key=lambda word: (-self._rarity(word), word))
        likeness = (titles + whole) / 2
        return likeness * _FILLED if filled_in(one.title, other.title) else likeness, told[:SHOWN]

    def _cosine(self, one: Mapping[str, float], other: Mapping[str, float]) -> float:
        rarity = {word: self._rarity(word) ** 2 for word in (*one, *other)}
        both = sum(rarity[word] * one[word] * other[word] for word in one.keys() & other.keys())
        lengths = [sum(rarity[word] * weight**2 for word, weight in each.items()) for each in (one, other)]
        return both / math.sqrt(lengths[0] * lengths[1]) if lengths[0] and lengths[1] else 0.0

    def _rarity(self, word: str) -> float:
        known = _known()
        seen = len(self._holding.get(word, ())) + known.get(word, 0)
        return math.log((1 + len(self._order) + known[""]) / (1 + seen))

    def _drop(self, task_id: str) -> None:
        for word in _words(self._sketches.pop(task_id)):
            self._holding[word].discard(task_id)
            if not self._holding[word]:
                del self._holding[word]


def trace_likeness(one: Sketch, other: Sketch) -> float | None:
    """How alike two stack traces are, in [0,1]; ``None`` when one of the tickets has none.

    Each frame counts by its distance from the error in whichever trace has it nearer; another exception halves it.
    """
    if not one.frames or not other.frames:
        return None
    places = [{frame: place for place, frame in reversed(list(enumerate(each.frames)))} for each in (one, other)]
    weight = {
        frame: math.exp(-_DEPTH * min(place.get(frame, len(place)) for place in places))
        for frame in {*places[0], *places[1]}
    }
    shared = sum(weight[frame] for frame in places[0].keys() & places[1].keys())
    same = not (one.error and other.error) or one.error == other.error
    return shared / sum(weight.values()) * (1.0 if same else 0.5)


def filled_in(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two titles have one form and differ in what fills it: that is what tells the tickets apart.

    >>> filled_in(("port", "downloads", "fluent"), ("port", "bookmarks", "fluent"))
    True
    >>> filled_in(("crash", "startup"), ("crash", "startup", "linux"))
    False
    """
    shorter = min(len(one), len(other))
    before = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    after = next((n for n in range(shorter - before) if one[-1 - n] != other[-1 - n]), shorter - before)
    return min(len(one), len(other)) > before + after >= shorter / 2


def _weighed(sketch: Sketch) -> dict[str, float]:
    return {**dict.fromkeys(sketch.terms, 1.0), **dict.fromkeys(sketch.title, _TITLE)}


def _words(sketch: Sketch) -> tuple[str, ...]:
    error = (sketch.error,) if sketch.error else ()
    return (*sketch.title, *sketch.terms, *sketch.frames[:8], *error)


def _telling(word: str) -> bool:
    return len(word) > 2 and word not in _stop()


@cache
def _known() -> dict[str, int]:
    """In how many of the public tickets a stem stands; under the empty name, how many there are."""
    table = tomllib.loads((resources.files("karkhana.intake") / "common_words.toml").read_text("utf-8"))
    return {"": table["tickets"], **table["words"]}


@cache
def _stop() -> frozenset[str]:
    table = tomllib.loads((resources.files("karkhana.intake") / "common_words.toml").read_text("utf-8"))
    return frozenset(table["stop"])
