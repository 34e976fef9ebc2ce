"""What past outcomes teach: how often a way of working led to a good change, and when.

A lesson is about a *subject* (a name that only the engineer understands, e.g. ``template:negation``) under a
*circumstance* (e.g. ``TypeError``, how the target tests fail). Knows counts; knows neither templates nor databases.

What counts is trials: one candidate change that was tried is one trial of its template, so that a template which makes
a thousand candidates per success is worth less than one which makes ten. The posterior is that of a Beta distribution;
each level of evidence, from far to near (elsewhere, this repository, this repository under the same circumstance),
starts from the mean of the level before it with the weight of :data:`SUCCESSES` successes, so that little evidence
moves little.

>>> round(multiplier([Lesson(subject="t", circumstance="KeyError", good=3.0)], "t", "KeyError", prior=0.001), 2)
3.99
"""

import enum
from collections.abc import Iterable, Sequence

import msgspec

SUCCESSES = 1.0
"""Successes (with as many trials as they would take) that the level before weighs as much as."""
ELSEWHERE = 0.3
"""Weight of one trial in another repository."""
WEAK = 0.2
"""Weight of having been tried in vain when nothing at all was found."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """Trials of one subject under one circumstance that were good or bad; counts may be fractions."""

    subject: str
    circumstance: str
    good: float = 0.0
    bad: float = 0.0
    here: bool = True
    """In the repository at hand; else in all others together."""


class Role(enum.StrEnum):
    """What a subject did in a run."""

    USED = "used"
    """The change that was handed over comes from it."""
    IN_VAIN = "in_vain"
    """It was tried, and what it gave was not handed over."""


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """An engineer's word on what its outcome will say something about."""

    subject: str
    circumstance: str
    role: Role
    trials: float = 1.0
    """Above 0."""
    stake: float = 1.0
    """Bad trials that a change costs what it comes from, when it turns out bad: a wrong change that passes all tests
    says more than a candidate that fails one."""


class Verdict(enum.StrEnum):
    """What became of the work."""

    GOOD = "good"
    """Verified and delivered."""
    BAD = "bad"
    """Rejected by a person, or rolled back."""
    ABSTAINED = "abstained"
    """Nothing was handed over."""


def taught(credits: Iterable[Credit], verdict: Verdict) -> tuple[Lesson, ...]:
    """What one outcome teaches about everything that took part in it; sorted.

    A good change speaks for what it comes from and against what was tried in vain; a bad one only against what it
    comes from; an abstention weakly against what was tried.
    """
    counts: dict[tuple[str, str], list[float]] = {}
    for credit in credits:
        good, bad = _effect(credit, verdict)
        if good or bad:
            row = counts.setdefault((credit.subject, credit.circumstance), [0.0, 0.0])
            row[0] += good
            row[1] += bad
    return tuple(
        Lesson(subject=subject, circumstance=circumstance, good=round(good, 4), bad=round(bad, 4))
        for (subject, circumstance), (good, bad) in sorted(counts.items())
    )


def _effect(credit: Credit, verdict: Verdict) -> tuple[float, float]:
    if credit.role is Role.USED:
        return (credit.trials * (verdict is Verdict.GOOD), credit.stake * (verdict is Verdict.BAD))
    weight = {Verdict.GOOD: 1.0, Verdict.BAD: 0.0, Verdict.ABSTAINED: WEAK}[verdict]
    return 0.0, credit.trials * weight


def posterior(lessons: Sequence[Lesson], subject: str, circumstance: str, prior: float) -> float:
    """Mean of the posterior of the chance that one trial of a subject is good; ``prior`` in (0,1): the mean before."""
    levels = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    for lesson in lessons:
        if lesson.subject == subject:
            level = levels[(lesson.circumstance == circumstance) + 1 if lesson.here else 0]
            level[0] += lesson.good
            level[1] += lesson.bad
    mean = prior
    for weight, (good, bad) in zip((ELSEWHERE, 1.0, 1.0), levels, strict=True):
        mean = (SUCCESSES + weight * good) / (SUCCESSES / mean + weight * (good + bad))
    return mean


def multiplier(lessons: Sequence[Lesson], subject: str, circumstance: str, prior: float) -> float:
    """Posterior mean over prior mean: what to multiply a prior weight by. 1.0 when nothing was learned."""
    return posterior(lessons, subject, circumstance, prior) / prior
