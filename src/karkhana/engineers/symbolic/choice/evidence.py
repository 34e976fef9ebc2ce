"""What the behaviour of passing changes says about one group of them, and the course of the search about all.

Knows groups, outcomes and statuses; knows nothing of texts or of how the numbers are weighed.
"""

import math
from collections.abc import Mapping, Sequence, Set

from karkhana.behaviour.observation import Observations
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.choice.choose import Group, disputed
from karkhana.engineers.symbolic.choice.features import count, odd_answers
from karkhana.engineers.symbolic.proposals import PROPOSED
from karkhana.engineers.symbolic.search import Outcome

_LARGE_MARGIN = 10.0
Voices = Mapping[tuple[int, tuple[Edit, ...]], Set[int]]
"""(place, edits) → the numbers of the proposals that are exactly this."""
_CONSULTED = 20
"""Groups whose agreement is looked at."""


def consensus(groups: Sequence[Group], seen: Observations | None) -> dict[int, float]:
    """Number of an observed group → how far the others, weighed by their plausibility, answer as it does, in [0,1].

    Wrong changes are wrong in different ways, so what is right tends to be in the middle of them.
    """
    known = [g for g in groups if g.number is not None][:_CONSULTED]
    if seen is None or not known:
        return {}
    top = max(g.standing for g in known)
    # Flatter than plausibility itself: the favourite must not be its own crown witness.
    weights = [math.exp((g.standing - top) / 2) for g in known]
    found: dict[int, float] = {}
    for one in known:
        pairs = [
            (weight, 1.0 - disputed(one, other, seen))
            for other, weight in zip(known, weights, strict=True)
            if other is not one
        ]
        whole = sum(weight for weight, _ in pairs)
        assert one.number is not None
        found[one.number] = sum(w * agreed for w, agreed in pairs) / whole if whole else 1.0
    return found


def over_rivals(numbers: Sequence[float]) -> list[float]:
    """How far each number is above the least of the others; 0 for one alone.

    >>> over_rivals([3.5, 7.0])
    [-3.5, 3.5]
    """
    found: list[float] = []
    for position, number in enumerate(numbers):
        others = [*numbers[:position], *numbers[position + 1 :]]
        found.append(number - min(others) if others else 0.0)
    return found


def behaviour(
    one: Group, groups: Sequence[Group], seen: Observations | None, agreement: Mapping[int, float]
) -> dict[str, float]:
    """Feature → number, for one of the ``groups``; ``agreement`` is their consensus."""
    rivals = [g for g in groups if g is not one]
    top = max(g.standing for g in groups)
    whole = sum(math.exp(g.standing - top) for g in groups)
    margin = one.standing - rivals[0].standing if rivals else _LARGE_MARGIN
    facts = {
        "compared": float(seen is not None and one.number is not None),
        "share": math.exp(one.standing - top) / whole,
        "classes": count(len(groups)),
        "margin": max(-_LARGE_MARGIN, min(_LARGE_MARGIN, margin)),
        "dispute": disputed(one, rivals[0], seen, len(rivals)) if rivals else 0.0,
        "consensus": agreement.get(one.number, 0.5) if one.number is not None else 0.5,
        "centrality": _centrality(one, agreement),
    }
    if seen is None or one.number is None:
        return facts | dict.fromkeys(_OBSERVED, 0.0)
    number = one.number
    return facts | {
        "changed_passing": seen.changed(number, "passing"),
        "changed_near_passing": seen.changed_answers(number, "near-passing"),
        "changed_near_failing": seen.changed_answers(number, "near-failing"),
        "broken": seen.broken(number),
        "fails": seen.failing(number),
        "odd_answers": odd_answers(seen.original, seen.variants[number]),
        "examples_lost": count(seen.lost(number)),
        "examples_gained": count(seen.gained(number)),
    }


def heard(one: Group, voices: Voices) -> dict[str, float]:
    """Who stands behind what a group does: the templates together are one voice, each proposal is another.

    ``agreeing`` is 0 for one voice, a half for two, two thirds for three.
    """
    members = [ranked.hypothesis for ranked in one.members]
    from_templates = any(not h.kind.startswith(PROPOSED) for h in members)
    own = frozenset[int]().union(*(voices.get((h.suspect, h.edits), ()) for h in members))
    count = from_templates + len(own)
    return {"proposed": float(not from_templates), "agreeing": 1.0 - 1.0 / max(1, count)}


def _centrality(one: Group, agreement: Mapping[int, float]) -> float:
    others = [share for number, share in agreement.items() if number != one.number]
    if one.number is None or one.number not in agreement or not others:
        return 0.0
    return agreement[one.number] - max(others)


_OBSERVED = (
    "changed_passing",
    "changed_near_passing",
    "changed_near_failing",
    "broken",
    "fails",
    "odd_answers",
    "examples_lost",
    "examples_gained",
)


def before_first_hit(outcomes: Sequence[Outcome]) -> int:
    """Candidates that were run before one passed."""
    tried = 0
    for outcome in outcomes:
        for status in outcome.statuses:
            if status == "p":
                return tried
            tried += status not in "-dsx"
    return tried
