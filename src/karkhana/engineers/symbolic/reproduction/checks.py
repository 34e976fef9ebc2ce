"""What a ticket says should hold, as small pieces of code: for holding changes against it, not for making tests.

Only what the words call expected (or an assertion) is a check; nothing is run, so whether a check can run where a
change is looked at is for the caller to find out. Knows nothing of the repository.

>>> [(check.subject, check.expected) for check in checks("`add(1, 2)` returns 2 instead of 3")]
[('add(1, 2)', '3')]
"""

from collections.abc import Iterator

import msgspec

from karkhana.engineers.symbolic.reproduction import names
from karkhana.engineers.symbolic.reproduction.scenes import scenes
from karkhana.engineers.symbolic.reproduction.sentences import EXPECTED, expression
from karkhana.engineers.symbolic.reproduction.staging import Scene
from karkhana.engineers.symbolic.reproduction.ticket import blocks
from karkhana.engineers.symbolic.reproduction.told import NEAR, STRUCTURE

_MOST = 12


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should hold."""

    kind: str
    """``equal``, ``raises`` or ``holds`` (the subject is an assertion)."""
    setup: tuple[str, ...] = ()
    """Statements before the subject, with the ticket's own imports."""
    subject: str
    """An expression; a statement for ``holds``."""
    expected: str = ""
    """Python for ``equal``, an exception's name for ``raises``."""
    sure: bool = True
    """It is told of this very call, not only beside it."""
    missing: tuple[str, ...] = ()
    """Names that are neither bound here nor the language's: an import has to bring them."""


def checks(text: str) -> tuple[Check, ...]:
    """The checks of a ticket, surest first, at most a dozen. Examples that a ticket may not have run are left out."""
    found: dict[tuple[str, str], Check] = {}
    for scene in scenes(blocks(text)):
        for check in _of_scene(scene):
            key = (check.subject, check.expected)
            if key not in found or (check.sure and not found[key].sure):
                found[key] = check
    return tuple(sorted(found.values(), key=lambda check: not check.sure))[:_MOST]


def _of_scene(scene: Scene) -> Iterator[Check]:
    code = "\n".join((*scene.setup, scene.subject))
    if names.refusal(code):
        return
    missing = tuple(sorted(names.missing(code)))
    if scene.subject.startswith("assert "):
        yield Check(kind="holds", setup=scene.setup, subject=scene.subject, missing=missing)
        return
    if scene.statement or (scene.subject.endswith("()") and not scene.setup):
        return
    for said in scene.said:
        usable = said.kind == "raises" or (expression(said.text) is not None and not names.refusal(said.text))
        if said.role != EXPECTED or said.weight < NEAR or said.linked or said.bare or not said.text or not usable:
            continue
        yield Check(
            kind="raises" if said.kind == "raises" else "equal",
            setup=scene.setup,
            subject=scene.subject,
            expected=said.text,
            sure=said.weight >= STRUCTURE,
            missing=missing,
        )
