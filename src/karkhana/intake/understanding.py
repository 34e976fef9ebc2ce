"""What kind of work a ticket asks for and how urgent it is: by its labels, its words, and marks of its shape.

Rules are data (:file:`understanding.toml`); a learned model weighs the words (:mod:`karkhana.intake.kind_of_work`).
Labels are people's own words and go before guesses from the text. Knows no ticket but this one.

>>> kind(("enhancement",), take_apart("It crashes")).value, kind((), take_apart("total() raises an error")).value
('feature', 'bugfix')
>>> found = priority(("P1",), "The shop is down in production for all customers")
>>> found.value, found.because
('9', ('label P1', 'outage: is down', 'production: in production', 'many people: all customers'))
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from karkhana.domain.tasks import TaskType
from karkhana.domain.understanding import Judgement
from karkhana.intake.kind_of_work import guess
from karkhana.intake.words import TEXT_MAX, Parts, take_apart

__all__ = ["USUAL", "kind", "priority", "take_apart"]

USUAL = 5
SURE = 0.9
"""Confidence where a sentence leaves no doubt."""
UNSURE = 0.4
"""Probability below which the words speak for no type."""
SPOKEN_MAX = 60


def kind(labels: Sequence[str], parts: Parts, text: str = "") -> Judgement:
    """The type of the work; a bug fix when nothing speaks clearly for another. ``text``: the whole ticket."""
    named = {label.casefold(): label for label in labels}
    for name, known in _rules()["type"].items():
        for label in known:
            if label in named:
                return Judgement(value=name, confidence=0.95, because=(f"label {named[label]}",))
    for sentence in _rules()["sure"]:
        if _pattern(sentence["pattern"]).search(text[:TEXT_MAX]):
            return Judgement(value=sentence["type"], confidence=SURE, because=(sentence["name"],))
    likeliest, probability, words = guess(parts)
    if probability < UNSURE:
        return Judgement(value=TaskType.BUGFIX.value, confidence=round(probability, 2), because=("nothing clearer",))
    return Judgement(value=likeliest.value, confidence=round(probability, 2), because=words)


def priority(labels: Sequence[str], text: str = "") -> Judgement:
    """1-10, 10 first. A label that names one sets it, and the strongest sign of the text may raise or lower it."""
    known: dict[str, int] = _rules()["priority"]
    named = [(known[label.casefold()], label) for label in labels if label.casefold() in known]
    level, because = USUAL, []
    if named:
        level, label = max(named)
        because.append(f"label {label}")
    found = list(_signs(text[:TEXT_MAX]))
    raised = max((weight for weight, _ in found if weight > 0), default=0)
    lowered = min((weight for weight, _ in found if weight < 0), default=0)
    # several signs of one emergency are no several emergencies; what a person set is moved by one at most
    moved = raised + lowered
    level += max(-1, min(1, moved)) if named else moved
    because += [words for weight, words in found if weight]
    return Judgement(value=str(max(1, min(10, level))), confidence=0.95 if named else 0.6, because=tuple(because))


def _signs(text: str) -> list[tuple[int, str]]:
    found = []
    for sign in _rules()["sign"]:
        match = _pattern(sign["pattern"]).search(text)
        if match:
            found.append((int(sign["weight"]), f"{sign['name']}: {' '.join(match[0].split())[:SPOKEN_MAX]}"))
    return found


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


@cache
def _rules() -> dict[str, Any]:
    return tomllib.loads((resources.files("karkhana.intake") / "understanding.toml").read_text("utf-8"))
