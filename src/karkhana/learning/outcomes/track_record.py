"""Track records with shrinkage: how often changes of a kind turn out well, when of the kind itself little is known.

A hierarchical Beta-binomial model: a narrow group (this strategy in this repository) starts from the mean of the wider
one around it (this model anywhere), so that one bad outcome of one moves little and thirty move it all the way. How
much the wider group weighs is estimated from how far its groups differ from each other (empirical Bayes by marginal
likelihood); outcomes of the group itself take no part in that, so that a good one never lowers its own mean and a bad
one never raises it. Sources: Efron and Morris, "Data analysis using Stein's estimator and its generalizations", JASA
70 (1975); Kleinman, "Proportions with extraneous variance", JASA 68 (1973); Gelman et al., "Bayesian Data Analysis",
3rd ed., chapter 5.

Knows nothing of scores. Pending outcomes count for nothing.

>>> track_record([], Kind(type="bugfix", engineer="symbolic")).mean
0.5
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from karkhana.domain.confidence import TrackRecord
from karkhana.domain.outcomes import Label, Outcome


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a change is by."""

    type: str
    engineer: str
    model: str = ""
    repository: str = ""
    strategy: str = ""


class Shrinkage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed form of ``track_record.toml``."""

    levels: tuple[tuple[str, ...], ...]
    counted: int
    mean: float
    strength: float
    strengths: tuple[float, ...]
    groups: int


@lru_cache(maxsize=1)
def shrinkage() -> Shrinkage:
    """The one that ships with Karkhana."""
    data = resources.files("karkhana.learning.outcomes").joinpath("track_record.toml").read_bytes()
    return msgspec.toml.decode(data, type=Shrinkage)


Counts = tuple[float, float]
"""Good and bad; a change with weak signs is a part of both."""
Groups = Mapping[tuple[str, ...], Counts]


def track_record(outcomes: Iterable[Outcome], kind: Kind, rules: Shrinkage | None = None) -> TrackRecord:
    """The record of one kind by all outcomes there are, of it and of others."""
    return track_records(outcomes, [kind], rules)[0]


def track_records(
    outcomes: Iterable[Outcome], kinds: Sequence[Kind], rules: Shrinkage | None = None
) -> list[TrackRecord]:
    """The same for each of ``kinds``; the outcomes are looked at once."""
    rules = rules or shrinkage()
    settled = [outcome for outcome in outcomes if outcome.label is not Label.PENDING]
    levels = [_groups(settled, level) for level in rules.levels]
    counted = Counter((_key_of(outcome, rules.levels[rules.counted]), outcome.good) for outcome in settled)
    return [_record(kind, levels, counted, rules) for kind in kinds]


def _record(
    kind: Kind, levels: Sequence[Groups], counted: Mapping[tuple[tuple[str, ...], bool], int], rules: Shrinkage
) -> TrackRecord:
    mean, told = rules.mean, list[str]()
    keys = [_key(kind, level) for level in rules.levels]
    for number, (level, groups) in enumerate(zip(rules.levels, levels, strict=True)):
        strength = _strength(groups, keys[number], rules)
        good, bad = groups.get(keys[number], (0.0, 0.0))
        if number + 1 < len(keys):
            # What the next level will count is not counted twice.
            nearer = levels[number + 1].get(keys[number + 1], (0.0, 0.0))
            good, bad = good - nearer[0], bad - nearer[1]
        before, mean = mean, (strength * mean + good) / (strength + good + bad)
        if good + bad > 1e-9:
            told.append(f"{_others(level, number, rules)}: {good:.3g} of {good + bad:.3g}, {before:.2f} to {mean:.2f}")
    own = keys[rules.counted]
    return TrackRecord(
        good=counted.get((own, True), 0),
        bad=counted.get((own, False), 0),
        mean=round(min(1.0, max(0.0, mean)), 6),
        because=", then ".join(told),
    )


def _others(level: Sequence[str], number: int, rules: Shrinkage) -> str:
    name = level[-1]
    return f"this {name}" if number + 1 == len(rules.levels) else f"this {name} otherwise"


def _key(kind: Kind, level: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(getattr(kind, name)) for name in level)


def _key_of(outcome: Outcome, level: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(getattr(outcome.change, name)) for name in level)


def _groups(outcomes: Iterable[Outcome], level: Sequence[str]) -> dict[tuple[str, ...], Counts]:
    found: dict[tuple[str, ...], Counts] = {}
    for outcome in outcomes:
        good, bad = found.get(key := _key_of(outcome, level), (0.0, 0.0))
        found[key] = (good + 1 - outcome.badness, bad + outcome.badness)
    return found


def _strength(groups: Groups, own: tuple[str, ...], rules: Shrinkage) -> float:
    """Outcomes that the prior of a level weighs as much as, by all groups but ``own``."""
    others = {key: counts for key, counts in groups.items() if key != own}
    if len(others) < rules.groups:
        return rules.strength
    families: dict[tuple[str, ...], list[Counts]] = {}
    for key, counts in others.items():
        families.setdefault(key[:-1], []).append(counts)

    def likelihood(strength: float) -> float:
        return sum(_family(counts, strength, rules) for counts in families.values())

    # The first of equals: the smallest, which trusts the group itself most.
    return max(rules.strengths, key=likelihood)


def _family(groups: Sequence[Counts], strength: float, rules: Shrinkage) -> float:
    """Log marginal likelihood of groups with one mean."""
    good, bad = sum(g for g, _ in groups), sum(b for _, b in groups)
    mean = (good + rules.strength * rules.mean) / (good + bad + rules.strength)
    a, b = strength * mean, strength * (1 - mean)
    return sum(_log_beta(a + g, b + n) - _log_beta(a, b) for g, n in groups)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
