"""What a gate measured, before and after the change side by side where it measured both. Knows nothing of HTML.

>>> found = measured({"percent_before": 71.0, "percent_after": 80.0, "mutants": 9.0})
>>> [(pair.name, pair.before, pair.after, pair.difference) for pair in found.pairs], found.single
([('percent', 71.0, 80.0, 9.0)], [('mutants', 9.0)])
"""

from collections.abc import Mapping

import msgspec

UNITS = {"": "value", "s": "seconds"}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of the program before the change and after it."""

    name: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        return self.after - self.before


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Of one gate."""

    pairs: list[Pair]
    single: list[tuple[str, float]]
    """Measures of the change itself."""


def measured(measures: Mapping[str, float]) -> Measured:
    """Names that differ only in the word ``before`` or ``after`` belong together."""
    pairs, single = [], []
    for name, value in measures.items():
        words = name.split("_")
        if "before" in words and (other := _other(words)) in measures:
            rest = "_".join(word for word in words if word != "before")
            pairs.append(Pair(name=UNITS.get(rest, rest), before=value, after=measures[other]))
        elif "after" not in words or _other(words) not in measures:
            single.append((name, value))
    return Measured(pairs=pairs, single=single)


def _other(words: list[str]) -> str:
    swapped = {"before": "after", "after": "before"}
    return "_".join(swapped.get(word, word) for word in words)
