"""What the words of a request say about each model's chance to pass: ``WordingModel``, learnt elsewhere.

Learning is :mod:`karkhana.routing.policy.wording_training`. This module reads its file and scores, in plain Python,
below a millisecond for a text of 2,000 characters. The file holds hashes of words and of pairs of neighbouring words,
with a weight each, and no word itself.

A score has two steps. First each model gets its *ease* of the text: a weighted sum over words, pairs, and the numbers
of :mod:`karkhana.routing.policy.shape`. Then a quadratic of all models' eases is added: what is easy for the weak
model, and what is hard even for the strong one, gains nothing from the strong one, and no straight line says so.
Knows nothing of prices.

    model = WordingModel.load(Path("wording.model"))
    model.score("How many eggs are left?", "openai/gpt-4o")        # -0.07: so much below its mean chance to pass
    model.scores(text)                                             # of all models at once, no dearer
"""

import math
import re
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from karkhana.domain.errors import ConfigurationError
from karkhana.routing.policy.shape import NAMES, shape

LONGEST = 8_000
"""Characters of a text that are looked at."""
FORMAT = 1
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_MOST = 0.5
"""No wording moves a chance further."""
_NEXT = "make it with karkhana route learn, or leave policy.wording out"


class Features(NamedTuple):
    """A text as a model sees it."""

    places: list[int]
    """Of its words and pairs of words that are known, each once."""
    weights: list[float]
    """Theirs, in the same order; their squares sum up to 1, if there are any."""
    shape: list[float]
    """In the order of ``shape.NAMES``."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds. Each ``bytes`` holds four for each known word or pair, little end first."""

    format: int
    models: tuple[str, ...]
    texts: int
    """From how many texts the rarity of words is known."""
    known: bytes
    """Hashes, as whole numbers; the others are floats in the same order."""
    rarity: bytes
    """The log of one over the share of texts that have it."""
    words: tuple[bytes, ...]
    """For each model."""
    centre: tuple[float, ...]
    """Of the shape's numbers."""
    scale: tuple[float, ...]
    shapes: tuple[tuple[float, ...], ...]
    """For each model a weight for each of the shape's numbers."""
    spread: tuple[float, ...]
    """The usual deviation of each model's ease."""
    curves: tuple[tuple[float, ...], ...]
    """For each model a weight for each of :func:`bends`."""


class WordingModel:
    """Corrections of models' chances to pass, by a text's wording."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.models = parts.models
        self._known = {hashed: place for place, hashed in enumerate(numbers(parts.known, "I"))}
        self._rarity = numbers(parts.rarity)
        self._words = [numbers(each) for each in parts.words]
        self._places = {model: place for place, model in enumerate(parts.models)}
        self._last: tuple[str, tuple[float, ...]] | None = None

    @classmethod
    def load(cls, path: Path) -> "WordingModel":
        """Read a file that :meth:`save` wrote. Raises ``ConfigurationError`` if that cannot be done."""
        try:
            parts = msgspec.msgpack.decode(path.read_bytes(), type=Parts)
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigurationError(f"no model of the wording in {path}: {error}", next=_NEXT) from error
        if parts.format != FORMAT or not _fits(parts):
            raise ConfigurationError(f"the model of the wording in {path} is of another version", next=_NEXT)
        return cls(parts)

    def save(self, path: Path) -> None:
        """Write the file, some megabytes; the same model gives the same bytes."""
        path.write_bytes(msgspec.msgpack.encode(self.parts))

    def score(self, text: str, model: str) -> float:
        """What to add to the mean chance of ``model`` to pass, from -0.5 to 0.5; 0 for one it does not know."""
        place = self._places.get(model)
        return 0.0 if place is None else self._corrections(text)[place]

    def scores(self, text: str) -> dict[str, float]:
        """:meth:`score` of every model it knows."""
        return dict(zip(self.models, self._corrections(text), strict=True))

    def _corrections(self, text: str) -> tuple[float, ...]:
        # all candidates of a request ask for the same text, one after the other
        if self._last is None or self._last[0] != text:
            self._last = text, self._fresh(text)
        return self._last[1]

    def _fresh(self, text: str) -> tuple[float, ...]:
        eases = self.eases(text)
        bent = bends([ease / spread for ease, spread in zip(eases, self.parts.spread, strict=True)])
        return tuple(
            max(-_MOST, min(_MOST, ease + sum(map(mul, curve, bent))))
            for ease, curve in zip(eases, self.parts.curves, strict=True)
        )

    def eases(self, text: str) -> list[float]:
        """For each model what its corrections are made of, before the curve."""
        found = features(text, self._known, self._rarity, self.parts.texts)
        outline = standardised(found.shape, self.parts.centre, self.parts.scale)
        return [
            sum(map(mul, found.weights, map(words.__getitem__, found.places))) + sum(map(mul, outline, shapes))
            for words, shapes in zip(self._words, self.parts.shapes, strict=True)
        ]


def split(text: str) -> list[str]:
    """The words that are looked at, in order and in lower case."""
    return _WORD.findall(text[:LONGEST].lower())


def hashes(words: Sequence[str]) -> list[int]:
    """A number of 32 bits for each word."""
    return [zlib.crc32(word.encode("utf-8", "replace")) for word in words]


def pairs(hashed: Sequence[int]) -> list[int]:
    """A number of 32 bits for each pair of neighbouring words."""
    return [(first * 0x9E3779B1 + second * 0x85EBCA77) & 0xFFFFFFFF for first, second in pairwise(hashed)]


def features(text: str, known: Mapping[int, int], rarity: Sequence[float], texts: int) -> Features:
    """``known``: the places of hashes; ``rarity``: by place."""
    words = split(text)
    hashed = hashes(words)
    counts = Counter(hashed)
    top = math.log(texts + 1)
    rare = [rarity[known[each]] if each in known else top for each in counts]
    counts.update(pairs(hashed))
    found = [(known[each], count) for each, count in counts.items() if each in known]
    weighted = [(1.0 + math.log(count)) * rarity[place] for place, count in found]
    norm = math.sqrt(sum(map(mul, weighted, weighted))) or 1.0
    outline = shape(text[:LONGEST], words, rare, rarest=top)
    return Features([place for place, _ in found], [weight / norm for weight in weighted], outline)


def standardised(outline: Sequence[float], centre: Sequence[float], scale: Sequence[float]) -> list[float]:
    """How far each number of a shape is from its usual value, in deviations, at most four."""
    return [max(-4.0, min(4.0, (x - c) / s)) for x, c, s in zip(outline, centre, scale, strict=True)]


def bends(eases: Sequence[float]) -> list[float]:
    """The terms of the curve: 1, each ease (in deviations, at most three), and each product of two."""
    held = [max(-3.0, min(3.0, ease)) for ease in eases]
    return [1.0, *held, *(a * b for place, a in enumerate(held) for b in held[place:])]


def numbers(raw: bytes, kind: str = "f") -> "array[Any]":
    """The numbers of a ``bytes`` of the file."""
    found = array(kind)
    found.frombytes(raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _fits(parts: Parts) -> bool:
    models, terms = len(parts.models), len(bends([0.0] * len(parts.models)))
    size = len(parts.known)
    return (
        size % 4 == 0
        and len(parts.rarity) == size
        and [len(parts.words), len(parts.shapes), len(parts.spread), len(parts.curves)] == [models] * 4
        and all(len(each) == size for each in parts.words)
        and all(len(each) == len(NAMES) for each in (parts.centre, parts.scale, *parts.shapes))
        and all(len(each) == terms for each in parts.curves)
    )
