"""Learns a :class:`WordingModel` from texts with outcomes, few of them, and any number without. Used offline only.

Each model's ease of a text is a Gaussian process (kernel ridge regression) over words, pairs, the likeness of words and
the text's shape, whose predictions for left-out texts are exact and need no second fit. As all of it is linear, it
comes down to one weight for each word, pair and number of the shape. The curve over the eases is a ridge regression
on the left-out eases. Source of the left-out formula: C. Rasmussen and C. Williams, "Gaussian Processes for Machine
Learning", 5.4.2. Knows nothing of files.

    corpus = Corpus.of([*texts_with_outcomes, *texts_without])
    model = fit(corpus, {0: {"openai/gpt-4o": True, "mistral/small": False}, ...})     # by the text's place
    model.save(Path("wording.model"))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from karkhana.routing.policy.wording import FORMAT, Parts, WordingModel, bends
from karkhana.routing.policy.wording_corpus import Corpus, Floats

FEWEST = 20
"""Outcomes that a model must have, or it is left out."""


@dataclass(frozen=True, kw_only=True)
class Beliefs:
    """What is believed before any outcome; the first four as shares."""

    words: float = 1.0
    letters: float = 1.0
    """Words that share runs of letters have like weights."""
    company: float = 0.6
    """Words that occur together have like weights."""
    shape: float = 0.5
    noise: float = 20.0
    """Variance of an outcome around the ease, in variances of the ease. One for all models: what is held back by the
    same share stays comparable between them."""
    stiffness: float = 100.0
    """How much the curves are held back: outcomes it takes for about half of one to show."""


class _Eased(NamedTuple):
    """One model's ease."""

    words: Floats
    shape: Floats
    left_out: Floats
    """Of each text in the corpus's rows that were given; without its own outcome where it has one."""


def fit(corpus: Corpus, outcomes: Mapping[int, Mapping[str, bool]], beliefs: Beliefs | None = None) -> WordingModel:
    """``outcomes``: for texts of the corpus, by their place, which models passed; not each model needs each text.

    Raises ``ValueError`` if no model has ``FEWEST`` outcomes.
    """
    beliefs = beliefs or Beliefs()
    rows = sorted(outcomes)
    counts = {model: sum(model in outcomes[row] for row in rows) for row in rows for model in outcomes[row]}
    models = tuple(sorted(model for model, count in counts.items() if count >= FEWEST))
    if not models:
        raise ValueError(f"no model has {FEWEST} outcomes")
    likeness = _Likeness(corpus, rows, beliefs)
    passed = [np.array([float(outcomes[row].get(model, np.nan)) for row in rows]) for model in models]
    eased = [_ease(likeness, each, beliefs.noise) for each in passed]
    spread = [float(each.left_out.std()) or 1.0 for each in eased]
    scaled = np.column_stack([each.left_out / size for each, size in zip(eased, spread, strict=True)])
    bent = np.array([bends(row) for row in scaled.tolist()])
    curves = [
        _curve(bent, each - np.nanmean(each) - ease.left_out, beliefs.stiffness)
        for each, ease in zip(passed, eased, strict=True)
    ]
    return WordingModel(
        Parts(
            format=FORMAT,
            models=models,
            texts=corpus.words.shape[0],
            known=np.array(list(corpus.known), dtype="<u4").tobytes(),
            rarity=_raw(corpus.rarity),
            words=tuple(_raw(each.words) for each in eased),
            centre=tuple(corpus.centre.tolist()),
            scale=tuple(corpus.scale.tolist()),
            shapes=tuple(tuple(each.shape.tolist()) for each in eased),
            spread=tuple(spread),
            curves=tuple(tuple(each.tolist()) for each in curves),
        )
    )


class _Likeness:
    """The kernel of some texts, and what turns its solution into weights."""

    def __init__(self, corpus: Corpus, rows: Sequence[int], beliefs: Beliefs) -> None:
        self._words = corpus.words[rows]
        self._corpus = corpus
        self._outlines = corpus.outlines[rows]
        letters, company = self._words @ corpus.letters, self._words @ corpus.company
        parts = [
            (self._words @ self._words.T).toarray(),
            (letters @ letters.T).toarray(),
            company @ company.T,
            self._outlines @ self._outlines.T,
        ]
        shares = np.array([beliefs.words, beliefs.letters, beliefs.company, beliefs.shape])
        usual = [float(np.mean(np.diag(part))) or 1.0 for part in parts]
        self._factors = shares / shares.sum() / usual
        self.kernel: Floats = np.tensordot(self._factors, np.array(parts), 1)

    def weights(self, solution: Floats) -> tuple[Floats, Floats]:
        """By column, and by number of the shape."""
        direct, letters, company, outlines = self._factors
        summed = self._words.T @ solution
        words = direct * summed
        words += letters * (self._corpus.letters @ (self._corpus.letters.T @ summed))
        words += company * (self._corpus.company @ (self._corpus.company.T @ summed))
        return words, outlines * (self._outlines.T @ solution)


def _ease(likeness: _Likeness, passed: Floats, noise: float) -> _Eased:
    """Of one model; ``passed`` is 0 or 1, or not a number where nothing is known."""
    known = np.flatnonzero(~np.isnan(passed))
    over = passed[known] - passed[known].mean()
    inverse = np.linalg.inv(likeness.kernel[np.ix_(known, known)] + noise * np.eye(len(known)))
    solution = np.zeros(len(passed))
    solution[known] = inverse @ over
    left_out = likeness.kernel @ solution
    left_out[known] = over - solution[known] / np.diag(inverse)
    return _Eased(*likeness.weights(solution), left_out)


def _curve(bent: Floats, rest: Floats, stiffness: float) -> Floats:
    """The weights of the bends for what a model's ease leaves over; not a number where no outcome is known."""
    known = ~np.isnan(rest)
    terms = bent[known]
    # the constant is free
    held = np.diag([1e-6] + [stiffness] * (bent.shape[1] - 1))
    return np.asarray(np.linalg.solve(terms.T @ terms + held, terms.T @ rest[known]))


def _raw(numbers: Floats) -> bytes:
    return numbers.astype("<f4").tobytes()
