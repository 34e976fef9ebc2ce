"""What the engineer says about a change, in plain English. Knows texts; decides nothing."""

import difflib

from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.patching import changed_lines
from karkhana.engineers.symbolic.proposals import TITLE

_LINE_CHARS = 60


def title_of(hypothesis: Hypothesis, place: Place) -> str:
    """Subject line: the function and the change, e.g. ``Fix wrong comparison in `cart.total` ``."""
    return f"Fix {kind_of(hypothesis)} in {place.name}"[:120]


def kind_of(hypothesis: Hypothesis) -> str:
    """The template's words for what was wrong."""
    every = catalogue()
    names = dict.fromkeys(every[name].title if name in every else TITLE for name in hypothesis.kind.split("+"))
    return " and ".join(names)


def shown(place: Place, hypothesis: Hypothesis) -> str:
    """The changed lines as ``old → new``."""
    before, after = changed_lines(place.text, hypothesis.edits)
    old = " / ".join(line.strip() for line in before if line.strip())
    new = " / ".join(line.strip() for line in after if line.strip())
    if not old:
        return f"added `{_short(new)}`"
    if not new:
        return f"removed `{_short(old)}`"
    return f"`{_short(old)}` → `{_short(new)}`"


def _short(text: str) -> str:
    return text if len(text) <= 2 * _LINE_CHARS else text[: 2 * _LINE_CHARS - 1] + "…"


def difference(place: Place, hypothesis: Hypothesis, after: str) -> str:
    """Unified diff of the function's text."""
    lines = difflib.unified_diff(place.text.splitlines(), after.splitlines(), lineterm="", n=1)
    return "\n".join(list(lines)[2:])
