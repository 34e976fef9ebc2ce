"""Which of the passing candidates is the right one, and how sure is that?

Rank by naturalness first: what the template is, how small the change, how little it smells of the test.
Knows texts and scores; behaviour is compared by :mod:`karkhana.behaviour.observation`.
"""

import math
import re

import msgspec

from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.patching import changed_lines


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A passing candidate with what speaks for and against it."""

    hypothesis: Hypothesis
    value: float
    reasons: tuple[str, ...] = ()


def naturalness(place: Place, hypothesis: Hypothesis, literals: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """Log-weight of a candidate from its text alone, and the reasons against it."""
    before, after = changed_lines(place.text, hypothesis.edits)
    old, new = "".join(before), "".join(after)
    value = math.log(max(hypothesis.score, 1e-6))
    reasons: list[str] = []
    size = sum(len(e.text) + (e.end - e.start) for e in hypothesis.edits)
    value -= 0.01 * size
    added = _tokens(new)
    for token in _tokens(old):
        if token in added:
            added.remove(token)
    numbers = [t for t in added if re.fullmatch(r"-?\d{2,}|-?\d+\.\d+|'.+'|\".+\"", t)]
    if any(n in literals for n in numbers):
        value -= 3.0
        reasons.append("it names a literal of the test")
    if re.search(r"\b(\w+(?:\.\w+)*) (==|!=|<|>|<=|>=|is|is not|in|not in) \1\b(?![.\[(])", new):
        value -= 3.0
        reasons.append("it compares something with itself")
    if re.search(r"\b(if|while|and|or) (True|False|not True|not False)\b", new) and "while True" not in old:
        value -= 2.0
        reasons.append("its condition is constant")
    if hypothesis.kind in ("delete-statement", "unwrap-block"):
        value -= 0.7
        reasons.append("it only deletes")
    return value, tuple(reasons)


def rank(places: tuple[Place, ...], passing: tuple[Hypothesis, ...], literals: tuple[str, ...]) -> list[Ranked]:
    """Best first."""
    found: list[Ranked] = []
    for hypothesis in passing:
        value, reasons = naturalness(places[hypothesis.suspect], hypothesis, literals)
        found.append(Ranked(hypothesis=hypothesis, value=value, reasons=reasons))
    return sorted(found, key=lambda r: (-r.value, apply(places[r.hypothesis.suspect].text, r.hypothesis.edits)))


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+(?:\.\d+)?|'[^']*'|\"[^\"]*\"|[^\w\s]", text)
