"""A strategy: how a language model is told to work on a type of task, as versioned data. Knows no model and no store.

>>> Strategy(name="plain").key
'plain@1'
"""

from typing import Annotated

import msgspec

from karkhana.domain.tasks import TaskType

TEXT = 2_000
"""Characters of a strategy's text, at most."""


class StrategyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy sets otherwise than usual; ``None``: as usual. None of them can raise a run's budget."""

    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] | None = None
    answers: Annotated[int, msgspec.Meta(ge=1, le=2_000)] | None = None
    """Answers of the model, at most."""
    answer_tokens: Annotated[int, msgspec.Meta(ge=256, le=65_536)] | None = None
    """Of one answer."""
    map_tokens: Annotated[int, msgspec.Meta(ge=0, le=32_000)] | None = None
    """Of the repository's map."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a way of working."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,39}$")]
    version: Annotated[int, msgspec.Meta(ge=1, le=9_999)] = 1
    types: tuple[TaskType, ...] = ()
    """What it is for; empty: everything."""
    text: Annotated[str, msgspec.Meta(max_length=TEXT)] = ""
    """Added to the model's instructions."""
    limits: StrategyLimits = StrategyLimits()

    @property
    def key(self) -> str:
        """``NAME@VERSION``."""
        return f"{self.name}@{self.version}"

    def suits(self, type: TaskType) -> bool:
        """Whether it is for this type of task."""
        return not self.types or type in self.types


def pool(model: str) -> str:
    """Under which the outcomes of a model's strategies stand in the store.

    >>> pool("large")
    'strategy:large'
    """
    return f"strategy:{model}"
