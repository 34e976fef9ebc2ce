"""The shipped prior: how likely a change of a repository is to turn out bad when nothing of its outcomes is known.

A logistic regression over the columns of :mod:`karkhana.quality.risk.columns`, its numbers in ``prior.toml`` with what
they were trained on (``python -m benchmarks.train_change_risk``). Knows nothing of the repository that it is asked
about; :mod:`karkhana.quality.risk.model` moves it to what the repository's own outcomes say.

>>> small, large = ({"la": [lines], "lt": [500.0], "nf": [1.0]} for lines in (1.0, 900.0))
>>> bool(load_prior().risk(small)[0] < load_prior().risk(large)[0])
True
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from karkhana.quality.risk.columns import columns

Floats = NDArray[np.float64]


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: ``weight`` for each standard deviation above its mean."""

    mean: float
    scale: float
    weight: float


class Prior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``prior.toml``."""

    version: str
    trained_on: tuple[str, ...]
    """Repositories whose commits it learned from."""
    commits: int
    bad: int
    within_days: int
    """Bad meant: repaired or taken back so many days after it was made, at most."""
    held_out: str
    """What it did on repositories that it did not see."""
    intercept: float
    terms: dict[str, Term]

    def risk(self, features: Mapping[str, Sequence[float] | Floats]) -> Floats:
        """The probability of the bad outcome for each row of ``features``; a missing one counts as usual."""
        return np.asarray(1 / (1 + np.exp(-(self.intercept + self.contributions(features)[1].sum(axis=1)))))

    def contributions(self, features: Mapping[str, Sequence[float] | Floats]) -> tuple[tuple[str, ...], Floats]:
        """Names of the terms, and what each adds to the log odds of each row."""
        names, table = columns(features)
        kept = tuple(name for name in names if name in self.terms)
        found = []
        for name in kept:
            term = self.terms[name]
            # what lies further out than any training data says no more than its end
            distance = np.clip((table[:, names.index(name)] - term.mean) / term.scale, -4.0, 4.0)
            found.append(term.weight * distance)
        return kept, np.column_stack(found) if found else np.zeros((len(table), 0))


@lru_cache(maxsize=1)
def load_prior() -> Prior:
    """The prior that ships with Karkhana."""
    raw = resources.files("karkhana.quality.risk").joinpath("prior.toml").read_bytes()
    return msgspec.toml.decode(raw, type=Prior)
