"""What is believed of a rung before anything is known of it (``priors.toml``). Knows nothing of outcomes.

>>> priors().of("cloud/small", "bugfix", 0.6).passes < priors().of("cloud/large", "bugfix", 15.0).passes
True
>>> priors().of(SYMBOLIC, "bugfix", 0.0).of_type
True
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

SYMBOLIC = "symbolic"
"""The rung that is the symbolic engineer: no model, and it costs nothing."""


class Prior(NamedTuple):
    """A belief, as strong as a number of outcomes."""

    passes: float
    weight: float
    of_type: bool = False
    """Whether it is about one task type; then the record of other types says nothing."""

    @property
    def counts(self) -> tuple[float, float]:
        return self.passes * self.weight, (1 - self.passes) * self.weight


class Priors(NamedTuple):
    """All of the file."""

    pooling: float
    """Outcomes that a model's record in all other types counts as, at most, for one type."""
    seconds: float
    """Until an answer, as long as none was seen."""
    answer: int
    """Tokens of an answer, as long as none was seen."""
    cache_s: float
    """Seconds that a provider keeps a prompt in its cache."""
    classes: tuple[tuple[float, Prior], ...]
    """By the price of a million tokens of an answer that they are below."""
    symbolic: Mapping[str, Prior]
    """By task type; ``any`` for all others."""

    def of(self, rung: str, task_type: str, dollars: float | None) -> Prior:
        """``dollars``: the price of a million tokens of an answer; ``None`` if it is not known."""
        if rung == SYMBOLIC:
            return self.symbolic.get(task_type, self.symbolic["any"])
        if dollars is None:
            return self.classes[len(self.classes) // 2][1]
        return next(prior for below, prior in self.classes if dollars < below)


@functools.cache
def priors() -> Priors:
    """The file that ships with Karkhana."""
    table = tomllib.loads(resources.files(__package__).joinpath("priors.toml").read_text("utf-8"))
    return Priors(
        pooling=table["pooling"],
        seconds=table["seconds"],
        answer=table["answer"],
        cache_s=table["cache_s"],
        classes=tuple((float(row.get("below", "inf")), Prior(row["passes"], row["weight"])) for row in table["model"]),
        symbolic={name: Prior(row["passes"], row["weight"], True) for name, row in table[SYMBOLIC].items()},
    )
