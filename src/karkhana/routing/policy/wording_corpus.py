"""Texts as matrices, and how alike two words are: what :mod:`wording_training` learns from. Needs no outcomes.

Words are alike that share runs of letters ("multiply", "multiplied"), and words that occur in the same texts
("enzyme", "protein"): their vectors are a truncated decomposition of the positive pointwise mutual information. Source:
O. Levy and Y. Goldberg, "Neural word embedding as implicit matrix factorization", NeurIPS 2014. Both let a word have a
weight that is in no text with an outcome. Used offline only. Knows nothing of models and outcomes.

>>> corpus = Corpus.of(["Add two and two.", "Add three and three."] * 3)
>>> corpus.words.shape[0], corpus.outlines.shape[0]
(6, 6)
"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from karkhana.routing.policy.wording import bucket, features, hashes, joined, split

Floats = NDArray[np.float64]

BUCKETS = 1 << 17
KNOWN = 3
"""In how many texts a word or a pair must be to be known."""
_LETTERS = range(2, 6)
_RUNS = 1 << 17
"""Buckets of runs of letters."""
_COMMON = 0.2
"""Words in a larger share of the texts say nothing of what a text is about."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Texts, with and without outcomes. Rows of matrices are texts, columns of ``words`` are buckets."""

    rarity: Floats
    """By bucket; 0: not known."""
    words: sparse.csr_array
    """Weights of words and pairs, each row of length 1."""
    letters: sparse.csr_array
    """By bucket the runs of letters of its words, each row of length 1 or 0."""
    company: Floats
    """By bucket the vector of the words that its words are met with, each row of length 1 or 0."""
    outlines: Floats
    """Each text's numbers of ``shape.NAMES``, in deviations."""
    centre: Floats
    scale: Floats

    @classmethod
    def of(cls, texts: Sequence[str], *, vectors: int = 200, seed: int = 0) -> "Corpus":
        """Read texts: some seconds for each ten thousand. ``vectors``: length of the words' vectors."""
        spelt = [split(text) for text in texts]
        rarity = _rarity(spelt)
        rarities = rarity.tolist()
        read = [features(text, rarities, len(texts)) for text in texts]
        words = _rows([(found.buckets, found.weights) for found in read], BUCKETS)
        outlines = np.array([found.shape for found in read], dtype=float)
        centre, deviation = outlines.mean(axis=0), outlines.std(axis=0)
        scale = np.where(deviation > 1e-9, deviation, 1.0)
        vocabulary = {word: place for word, place in _places(spelt).items() if rarity[place]}
        return cls(
            rarity=rarity,
            words=words,
            letters=_letters(vocabulary),
            company=_company(words, rarity, vocabulary, vectors, seed),
            outlines=np.clip((outlines - centre) / scale, -4.0, 4.0),
            centre=centre,
            scale=scale,
        )


def _rarity(spelt: Sequence[Sequence[str]]) -> Floats:
    found: Counter[int] = Counter()
    for words in spelt:
        hashed = hashes(words)
        singles = {bucket(each, BUCKETS) for each in hashed}
        found.update(singles | {bucket(joined(a, b), BUCKETS) for a, b in pairwise(hashed)})
    rarity = np.zeros(BUCKETS)
    for place, count in found.items():
        if count >= KNOWN:
            # at least a little: a word of every text is known, and not to be taken for a new one
            rarity[place] = max(0.01, math.log((len(spelt) + 1) / count))
    return rarity


def _places(spelt: Sequence[Sequence[str]]) -> dict[str, int]:
    words = sorted({word for text in spelt for word in text})
    return {word: bucket(hashed, BUCKETS) for word, hashed in zip(words, hashes(words), strict=True)}


def _letters(vocabulary: dict[str, int]) -> sparse.csr_array:
    runs = [(place, _runs(word)) for word, place in vocabulary.items()]
    share = Counter(run for _, found in runs for run in set(found))
    rows: dict[int, Counter[int]] = {}
    for place, found in runs:
        rows.setdefault(place, Counter()).update(found)
    weight = {run: math.log((len(runs) + 1) / count) for run, count in share.items()}
    empty: tuple[list[int], list[float]] = ([], [])
    pairs = [
        (list(rows[place]), [count * weight[run] for run, count in rows[place].items()]) if place in rows else empty
        for place in range(BUCKETS)
    ]
    return _unit(_rows(pairs, _RUNS))


def _runs(word: str) -> list[int]:
    marked = f" {word} ".encode("utf-8", "replace")
    return [
        zlib.crc32(marked[start : start + length]) % _RUNS
        for length in _LETTERS
        for start in range(len(marked) - length + 1)
    ]


def _company(words: sparse.csr_array, rarity: Floats, vocabulary: dict[str, int], vectors: int, seed: int) -> Floats:
    """Words' vectors, by bucket."""
    company = np.zeros((BUCKETS, 1))
    commonest = math.log(1 / _COMMON)
    kept = np.array(sorted({place for place in vocabulary.values() if rarity[place] > commonest}), dtype=np.int64)
    length = min(vectors, len(kept) - 1, words.shape[0] - 1)
    if length < 1:
        return company
    decomposed = TruncatedSVD(length, random_state=seed).fit(words[:, kept])
    company = np.zeros((BUCKETS, length))
    # half of the singular values' weight: all of it leaves only the few largest subjects, none lets noise in
    company[kept] = decomposed.components_.T / np.sqrt(np.maximum(decomposed.singular_values_, 1e-9))
    return company


def _rows(rows: Sequence[tuple[list[int], list[float]]], columns: int) -> sparse.csr_array:
    starts = np.concatenate([[0], np.cumsum([len(places) for places, _ in rows])])
    places = np.array([place for each, _ in rows for place in each], dtype=np.int64)
    weights = np.array([weight for _, each in rows for weight in each], dtype=float)
    return sparse.csr_array((weights, places, starts), shape=(len(rows), columns))


def _unit(matrix: sparse.csr_array) -> sparse.csr_array:
    lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1.0 / np.maximum(lengths, 1e-9)) @ matrix)
