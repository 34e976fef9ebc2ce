"""Features as a model wants them: counts by their logarithm, and what they are in relation to each other.

Works with any of the features of :class:`karkhana.quality.history.features.CommitFeatures`, at least with the
fourteen of Kamei et al. Knows nothing of outcomes.

>>> names, table = columns({"la": [9.0], "lt": [99.0], "fix": [1.0]})
>>> names
('la', 'lt', 'fix', 'la_per_lt')
>>> table.round(2).tolist()
[[2.3, 4.61, 1.0, -2.3]]
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
AS_THEY_ARE = frozenset({"fix", "entropy", "owned", "new_files", "tests", "hour", "weekday"})
"""All others are counts or durations, and their logarithm is taken."""
RELATIONS = (
    ("la", "lt"),
    ("ld", "lt"),
    ("la", "ld"),
    ("la", "nf"),
    ("ld", "nf"),
    ("lt", "nf"),
    ("nuc", "nf"),
    ("ndev", "nuc"),
    ("sexp", "exp"),
    ("rexp", "exp"),
    ("exp", "nuc"),
    ("age", "nuc"),
    ("churn", "lt"),
    ("past_fixes", "nuc"),
    ("recent_fixes", "nf"),
)
"""Pairs whose quotient says something of its own."""


def columns(features: Mapping[str, Sequence[float] | Floats]) -> tuple[tuple[str, ...], Floats]:
    """The names and the values, a row for each commit. Missing features are left out with their relations."""
    found: dict[str, Floats] = {}
    for name, values in features.items():
        raw = np.asarray(values, dtype=np.float64)
        found[name] = raw if name in AS_THEY_ARE else np.log1p(np.maximum(raw, 0.0))
    for upper, lower in RELATIONS:
        if upper in found and lower in found:
            found[f"{upper}_per_{lower}"] = found[upper] - found[lower]
    if "la" in found and "ld" in found:
        found["size"] = np.log1p(np.maximum(features["la"], 0.0) + np.maximum(features["ld"], 0.0))
    return tuple(found), np.column_stack(list(found.values()))
