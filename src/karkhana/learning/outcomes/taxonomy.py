"""What can be seen of a change later, and what may have been wrong with it (``taxonomy.toml``).

Knows nothing of where the words come from; they are untrusted text.

>>> cause_of("Revert: the new cache made every request slow")
'performance'
>>> cause_of("Undo")
''
>>> taxonomy().rules(window_days=30).weights["reverted"]
1.0
"""

import re
from functools import lru_cache
from importlib import resources

import msgspec

from karkhana.domain.outcomes import Rules, SignKind

DAY = 86_400.0
_READ = 4_000
"""Characters of a text that are read."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class SignMeaning(_Data, frozen=True, kw_only=True):
    weight: float
    """How bad, in [0,1]."""
    meaning: str


class Cause(_Data, frozen=True, kw_only=True):
    words: tuple[str, ...]
    gates: tuple[str, ...]
    """The ones that should notice."""
    meaning: str


class Taxonomy(_Data, frozen=True, kw_only=True):
    """Signs and causes by name."""

    signs: dict[SignKind, SignMeaning]
    causes: dict[str, Cause]

    def __post_init__(self) -> None:
        if set(self.signs) != set(SignKind):
            raise ValueError("every kind of sign needs a weight")
        if not all(0 <= sign.weight <= 1 for sign in self.signs.values()):
            raise ValueError("weights lie in [0,1]")

    def rules(self, window_days: float) -> Rules:
        """How signs add up, with this window."""
        weights = {kind.value: sign.weight for kind, sign in self.signs.items() if sign.weight}
        return Rules(window_s=window_days * DAY, weights=weights)


@lru_cache(maxsize=1)
def taxonomy() -> Taxonomy:
    """The one that ships with Karkhana."""
    data = resources.files("karkhana.learning.outcomes").joinpath("taxonomy.toml").read_bytes()
    return msgspec.toml.decode(data, type=Taxonomy)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, "re.Pattern[str]"], ...]:
    return tuple((name, re.compile("|".join(cause.words), re.IGNORECASE)) for name, cause in taxonomy().causes.items())


def cause_of(text: str) -> str:
    """The first cause whose words stand in ``text``; empty when none do."""
    return next((name for name, pattern in _patterns() if pattern.search(text[:_READ])), "")
