"""Texts as matrices, and how alike two words are: what :mod:`wording_training` learns from. Needs no outcomes.

Words are alike that share runs of letters ("multiply", "multiplied"), and words that occur in the same texts
("enzyme", "protein"): a truncated decomposition of the matrix of words and texts. Source: S. Deerwester et al.,
"Indexing by latent semantic analysis", JASIS 41 (1990). Both let a word have a weight that is in no text with an
outcome. Used offline only. Knows nothing of models and outcomes.

>>> corpus = Corpus.of(["Add two and two.", "Add three and three."] * 3)
>>> corpus.words.shape[0], corpus.outlines.shape[0]
(6, 6)
"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from karkhana.routing.policy.wording import features, hashes, pairs, split

Floats = NDArray[np.float64]

KNOWN = 3
"""In how many texts a word or a pair must be to be known."""
_LETTERS = range(2, 6)
_RUNS = 1 << 17
"""Buckets of runs of letters."""
_COMMON = 0.2
"""Words in a larger share of the texts say nothing of what a text is about."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Texts, with and without outcomes. Rows are texts; columns of ``words`` are known words and pairs."""

    known: dict[int, int]
    """The columns of hashes."""
    rarity: Floats
    """By column."""
    words: sparse.csr_array
    """Weights of words and pairs, each row of length 1."""
    letters: sparse.csr_array
    """For each column the runs of letters of its word, each row of length 1; nothing for pairs."""
    company: Floats
    """For each column the vector of the texts that its word is in; nothing for pairs."""
    outlines: Floats
    """Each text's numbers of ``shape.NAMES``, in deviations."""
    centre: Floats
    scale: Floats

    @classmethod
    def of(cls, texts: Sequence[str], *, vectors: int = 200, seed: int = 0) -> "Corpus":
        """Read texts: some seconds for each ten thousand. ``vectors``: length of the words' vectors."""
        spelt = [split(text) for text in texts]
        known, rarity = _known(spelt)
        rarities = rarity.tolist()
        read = [features(text, known, rarities, len(texts)) for text in texts]
        words = _rows([(found.places, found.weights) for found in read], len(known))
        outlines = np.array([found.shape for found in read], dtype=float)
        centre, deviation = outlines.mean(axis=0), outlines.std(axis=0)
        scale = np.where(deviation > 1e-9, deviation, 1.0)
        different = sorted({word for each in spelt for word in each})
        vocabulary = {
            word: known[each] for word, each in zip(different, hashes(different), strict=True) if each in known
        }
        return cls(
            known=known,
            rarity=rarity,
            words=words,
            letters=_letters(vocabulary, len(known)),
            company=_company(words, rarity, vocabulary, vectors, seed),
            outlines=np.clip((outlines - centre) / scale, -4.0, 4.0),
            centre=centre,
            scale=scale,
        )


def _known(spelt: Sequence[Sequence[str]]) -> tuple[dict[int, int], Floats]:
    counts: Counter[int] = Counter()
    for words in spelt:
        hashed = hashes(words)
        counts.update({*hashed, *pairs(hashed)})
    kept = sorted(each for each, count in counts.items() if count >= KNOWN)
    # more than nothing even for a word of every text
    rarity = np.array([math.log((len(spelt) + 1) / counts[each]) for each in kept])
    return {hashed: column for column, hashed in enumerate(kept)}, rarity


def _letters(vocabulary: dict[str, int], columns: int) -> sparse.csr_array:
    runs = [(place, _runs(word)) for word, place in vocabulary.items()]
    share = Counter(run for _, found in runs for run in set(found))
    rows: dict[int, Counter[int]] = {}
    for place, found in runs:
        rows.setdefault(place, Counter()).update(found)
    weight = {run: math.log((len(runs) + 1) / count) for run, count in share.items()}
    empty: tuple[list[int], list[float]] = ([], [])
    pairs = [
        (list(rows[place]), [count * weight[run] for run, count in rows[place].items()]) if place in rows else empty
        for place in range(columns)
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
    """Words' vectors, by column."""
    company = np.zeros((len(rarity), 1))
    commonest = math.log(1 / _COMMON)
    kept = np.array(sorted({place for place in vocabulary.values() if rarity[place] > commonest}), dtype=np.int64)
    length = min(vectors, len(kept) - 1, words.shape[0] - 1)
    if length < 1:
        return company
    decomposed = TruncatedSVD(length, random_state=seed).fit(words[:, kept])
    company = np.zeros((len(rarity), length))
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
