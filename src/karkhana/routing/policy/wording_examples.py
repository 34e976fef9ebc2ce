"""Reads what a model of the wording is learnt from: one JSON object a line. Knows nothing of learning.

>>> found = examples(['{"text": "Add 2 and 2.", "model": "p/small", "passed": true}', '{"text": "Without outcome."}'])
>>> found.texts, found.outcomes
(['Add 2 and 2.', 'Without outcome.'], {0: {'p/small': True}})
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from karkhana.domain.errors import InvalidInput

MOST = 1_000_000
"""Lines."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and whether a model's answer to it passed; a text alone tells which words there are."""

    text: str
    model: str = ""
    passed: bool | None = None


class Examples(NamedTuple):
    """Each text once."""

    texts: list[str]
    outcomes: dict[int, dict[str, bool]]
    """By a text's place: model → passed. The last word on a model and a text counts."""


def examples(lines: Iterable[str | bytes]) -> Examples:
    """Raises ``InvalidInput`` with the number of the line that is wrong."""
    places: dict[str, int] = {}
    outcomes: dict[int, dict[str, bool]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if number > MOST:
            raise InvalidInput(f"there are more than {MOST:,} lines", "Take the newest ones.")
        found = _example(line, number)
        place = places.setdefault(found.text, len(places))
        if found.passed is not None:
            outcomes.setdefault(place, {})[found.model] = found.passed
    return Examples(list(places), outcomes)


def _example(line: str | bytes, number: int) -> Example:
    try:
        found = msgspec.json.decode(line, type=Example)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"line {number}: {error}", 'Write {"text": "…", "model": "PROVIDER/MODEL", "passed": true}.'
        ) from error
    if (found.passed is None) != (not found.model):
        raise InvalidInput(f"line {number}: model and passed belong together", "Give both, or a text alone.")
    return found
