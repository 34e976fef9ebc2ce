"""Which of the passing candidates is the right one, and how far do the others disagree?

On inputs like those of the tests: does it leave alone what was not broken, does it keep the examples of the
documentation, does it fail where others answer? Candidates that behave alike stand together, as one group.
Knows looks and outcomes; runs nothing.
"""

import math
from collections.abc import Sequence

import msgspec

from karkhana.behaviour.observation import Observations
from karkhana.engineers.symbolic.choice.appearance import Ranked
from karkhana.engineers.symbolic.choice.features import odd_answers
from karkhana.engineers.symbolic.choice.questions import difference, question

_ELSEWHERE = 0.3
"""Dispute with a candidate whose behaviour cannot be compared."""
_PLAUSIBLE = 4.0
"""Rivals so many log units behind the best no longer count as alternatives."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Log units per unit of evidence."""

    newly_broken: float = 4.0
    fails: float = 1.5
    changed_passing: float = 3.0
    changed_near_passing: float = 2.0
    changed_near_failing: float = 0.2
    changed_after_error: float = 6.0
    """When the failing tests failed by an exception, what was answered near them was right."""
    odd_answers: float = 2.0
    """New answers are of a type that no other answer has."""
    example_broken: float = 3.0
    example_gained: float = 0.5
    company: float = 0.15
    """Per e-fold of candidates that behave alike."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Candidates that behave alike, best first."""

    members: tuple[Ranked, ...]
    standing: float
    """Plausibility in log units; only differences mean something."""
    number: int | None = None
    """Its first member's number among the observed variants; ``None`` when it was not observed."""

    @property
    def best(self) -> Ranked:
        return self.members[0]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The groups in order of preference, and how far the others disagree with the first."""

    groups: tuple[Group, ...]
    disagreement: float = 0.0
    distinguishing: str = ""
    """An input and what the chosen and its best rival answer to it."""
    question: str = ""

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """The best of each group, then the others of each."""
        return (*(g.best for g in self.groups), *(r for g in self.groups for r in g.members[1:]))

    @property
    def classes(self) -> int:
        return len(self.groups)


def group(
    observed: Sequence[Ranked],
    observations: Observations | None,
    others: Sequence[Ranked] = (),
    *,
    raised: bool,
    weights: Weights | None = None,
) -> tuple[Group, ...]:
    """Candidates by what they do, most plausible group first; those not observed stand alone.

    ``raised``: the failing tests failed by an exception of the code, so what it answered elsewhere was right.
    """
    seen = observations is not None and [n for n in range(len(observed)) if observations.seen(n)]
    alone = [r for n, r in enumerate(observed) if not seen or n not in seen]
    groups = [Group(members=(other,), standing=other.value) for other in (*alone, *others)]
    if observations is not None and seen:
        weight = weights or Weights()
        judged = [_judged(r, observations, n, raised, weight) for n, r in enumerate(observed)]
        for numbers in observations.classes():
            if numbers[0] not in seen:
                continue
            order = sorted(numbers, key=lambda n: -judged[n].value)
            company = weight.company * math.log(len(numbers))
            groups.append(
                Group(
                    members=tuple(judged[n] for n in order),
                    standing=judged[order[0]].value + company,
                    number=order[0],
                )
            )
    # The sort is stable: of equals, the first by its looks.
    return tuple(sorted(groups, key=lambda g: -g.standing))


def choose(groups: Sequence[Group], observations: Observations | None) -> Choice:
    """The first group against the others."""
    if not groups:
        return Choice(groups=())
    best = groups[0]
    rivals = [g for g in groups[1:] if g.standing >= best.standing - _PLAUSIBLE]
    disagreement = max(
        (
            math.exp(min(0.0, rival.standing - best.standing)) * disputed(best, rival, observations, len(rivals))
            for rival in rivals
        ),
        default=0.0,
    )
    told, asked = "", ""
    seen = next((r for r in rivals if r.number is not None), None)
    if observations is not None and best.number is not None and seen is not None and seen.number is not None:
        found = observations.distinguishing(best.number, seen.number)
        if found is not None:
            told, asked = difference(*found), question(*found)
    return Choice(
        groups=tuple(groups),
        disagreement=min(1.0, disagreement),
        distinguishing=told[:500],
        question=asked,
    )


def disputed(one: Group, other: Group, observations: Observations | None, rivals: int = 1) -> float:
    """How far two groups differ, in [0,1]: measured, or supposed when it could not be."""
    if observations is not None and one.number is not None and other.number is not None:
        return observations.dispute(one.number, other.number)
    return _ELSEWHERE if observations is not None else min(0.5, 0.1 * rivals)


def _judged(ranked: Ranked, seen: Observations, number: int, raised: bool, weight: Weights) -> Ranked:
    value, reasons = ranked.value, list(ranked.reasons)
    broken = seen.broken(number)
    if broken:
        value -= weight.newly_broken * broken
        reasons.append(f"it fails on {broken:.0%} of inputs that were answered before")
    value -= weight.fails * seen.failing(number)
    value -= weight.changed_passing * seen.changed(number, "passing")
    near_passing = weight.changed_after_error if raised else weight.changed_near_passing
    near_failing = weight.changed_after_error if raised else weight.changed_near_failing
    value -= near_passing * seen.changed_answers(number, "near-passing")
    value -= near_failing * seen.changed_answers(number, "near-failing")
    odd = odd_answers(seen.original, seen.variants[number])
    if odd:
        value -= weight.odd_answers * odd
        reasons.append(f"{odd:.0%} of its new answers are of a type that no other answer has")
    value += weight.example_gained * seen.gained(number)
    lost = seen.lost(number)
    if lost:
        value -= weight.example_broken * lost
        reasons.append(f"{lost} example(s) of the documentation or the ticket are not kept")
    return msgspec.structs.replace(ranked, value=value, reasons=tuple(reasons))
