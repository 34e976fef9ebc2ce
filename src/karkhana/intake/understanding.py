"""What kind of work a ticket asks for, and how urgent it is, by its labels and words (:file:`understanding.toml`).

Knows no ticket but this one. Labels are people's own words for it and go before guesses from the text.

>>> kind(("enhancement",), "It crashes"), kind((), "total() raises an error")
(<TaskType.FEATURE: 'feature'>, <TaskType.BUGFIX: 'bugfix'>)
>>> priority(("Bug", "P1"))
8
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from karkhana.domain.tasks import TaskType

USUAL = 5
_WORD = re.compile(r"[a-z]+")


def kind(labels: Sequence[str], text: str) -> TaskType:
    """The type of the work; a bug fix when nothing speaks for another."""
    named = {label.casefold() for label in labels}
    rules: dict[str, Any] = _rules()["type"]
    for name, rule in rules.items():
        if named.intersection(rule["labels"]):
            return TaskType(name)
    words = _WORD.findall(text[:20_000].casefold())
    counts = {name: sum(word.startswith(tuple(rule["words"])) for word in words) for name, rule in rules.items()}
    best = max(counts, key=lambda name: counts[name])
    return TaskType(best) if counts[best] > counts[TaskType.BUGFIX.value] else TaskType.BUGFIX


def priority(labels: Sequence[str]) -> int:
    """1-10, 10 first."""
    known: dict[str, int] = _rules()["priority"]
    return max((known[label.casefold()] for label in labels if label.casefold() in known), default=USUAL)


@cache
def _rules() -> dict[str, Any]:
    return tomllib.loads((resources.files("karkhana.intake") / "understanding.toml").read_text())
