"""Where further changes of suspicious functions may come from: whoever can rewrite a function.

The engineer's own templates make small changes of known forms. A source of proposals gives whole functions (or
passages of them) that it thinks right; they are tried, compared and judged together with what the templates made.
Knows what is asked and what is given; knows nothing of who answers.

>>> class Nobody:
...     def rewrites(self, case: Case) -> Iterator[Sequence[Rewrite]]:
...         yield ()
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from karkhana.behaviour.spectra import Failure
from karkhana.engineers.symbolic.generation.places import Place

PROPOSED = "proposed"
"""The kind of a change that somebody proposed; what templates mended in it stands behind a ``+``."""
TITLE = "a fault"
"""What a proposal says that was wrong: nobody told."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One target test, and how it fails."""

    name: str
    source: str
    """Its function; empty when it was not found."""
    line: int = 0
    """Of its file, where that begins; 0 when it was not found."""
    failure: Failure | None = None


class Passing(msgspec.Struct, frozen=True, kw_only=True):
    """A change that passes and has not convinced: whoever would write the same in its place speaks for it."""

    place: int
    """Number of the place in the case."""
    text: str
    """The function with the change."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one fault."""

    places: tuple[Place, ...]
    """Suspicious functions, the likeliest first."""
    tests: tuple[Told, ...]
    """Target tests, the first ones."""
    numbers: tuple[int, ...]
    """Their numbers in the suite, as ``Suspect.failing`` has them."""
    ticket: str
    seconds_left: Callable[[], float]
    """Wall-clock seconds that asking may still take."""
    passing: tuple[Passing, ...] = ()
    """What passes already, the most probable first."""


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """A function as somebody thinks that it should be."""

    place: int
    """Number of the place in the case."""
    text: str
    """From ``def`` to the last line, indented as in its file."""
    others: tuple[str, ...] = ()
    """Other ways to read what was proposed, likeliest first."""
    imports: tuple[str, ...] = ()
    """Statements that the module needs for it."""


class Proposals(Protocol):
    """Whoever proposes changes."""

    def rewrites(self, case: Case) -> Iterator[Sequence[Rewrite]]:
        """Rewrites in rounds, as long as somebody wants more of them.

        Each rewrite is a voice of its own: the same text given twice counts twice. Raises what forbids asking.
        """
