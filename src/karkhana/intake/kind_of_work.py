"""What kind of work a text asks for: a linear model over its words, learned from public tickets and commits.

The model is data (:file:`kind_of_work.toml`, made by ``benchmarks/train_ticket_types.py``): a weight per feature and
type, as in multinomial logistic regression. Features are the title's words, pairs of them and its first word, the words
of the prose, and marks of the text's shape. Knows nothing of labels and people.

>>> type, probability, words = guess(take_apart("Bump urllib3 from 1.26.4 to 1.26.5"))
>>> type, words[0]
(<TaskType.DEPS: 'deps'>, 'bump')
"""

import math
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

from karkhana.domain.tasks import TaskType
from karkhana.intake.words import Parts, take_apart

__all__ = ["features", "guess", "take_apart"]

TITLE_MAX = 30
PROSE_MAX = 200
SHOWN = 4
EMPTY = frozenset({"the", "and", "for", "this", "that", "with", "are", "was", "has", "not", "from"})
"""Words that say nothing to a reader, whatever they weigh."""


def features(parts: Parts) -> dict[str, float]:
    """Feature → value. Title and prose are each of length one, so that a long text does not drown its title."""
    title = parts.title[:TITLE_MAX]
    named = {f"t:{word}" for word in title}
    named.update(f"t:{one} {two}" for one, two in pairwise(title))
    named.update(f"f:{word}" for word in title[:1])
    prose = {f"w:{word}" for word in dict.fromkeys(parts.prose[: 2 * PROSE_MAX])}
    marks = {
        "m:trace": bool(parts.frames),
        "m:error": bool(parts.error),
        "m:code": parts.blocks > 0,
        "m:asks": parts.headline.endswith("?"),
        "m:bare": not parts.prose,
        "m:long": len(parts.prose) > PROSE_MAX,
    }
    found = dict.fromkeys(sorted(named), 1.0 / math.sqrt(max(1, len(named))))
    found.update(dict.fromkeys(sorted(prose), 1.0 / math.sqrt(max(1, len(prose)))))
    found.update({name: 0.3 for name, holds in marks.items() if holds})
    return found


def guess(parts: Parts) -> tuple[TaskType, float, tuple[str, ...]]:
    """The likeliest type, its probability, and the words that speak most for it, the weightiest first."""
    model = _model()
    found = features(parts)
    types: list[str] = model["types"]
    weights: dict[str, list[float]] = model["weights"]
    sums = list(model["bias"])
    for name, value in found.items():
        for number, weight in enumerate(weights.get(name, ())):
            sums[number] += weight * value
    top = max(sums)
    odds = [math.exp(each - top) for each in sums]
    best = max(range(len(types)), key=lambda number: odds[number])
    speaking = sorted(
        ((weights[name][best] * value, name) for name, value in found.items() if name in weights),
        key=lambda pair: (-pair[0], pair[1]),
    )
    return TaskType(types[best]), odds[best] / sum(odds), tuple(_shown(name for gain, name in speaking if gain > 0))


def _shown(names: Iterable[str]) -> list[str]:
    marks: dict[str, str] = _model()["marks"]
    told = dict.fromkeys(marks.get(name, name[2:]) for name in names)
    return [words for words in told if len(words) > 2 and words not in EMPTY and "0" not in words][:SHOWN]


@cache
def _model() -> dict[str, Any]:
    return tomllib.loads((resources.files("karkhana.intake") / "kind_of_work.toml").read_text("utf-8"))
