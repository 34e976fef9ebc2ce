"""From lessons to weights, and from an attempt to credits: what the engineer takes from the past and gives to it.

Templates are subjects ``template:NAME``; signals of localisation are ``signal:NAME``. Knows names and counts; knows
nothing of where lessons are kept.

>>> multipliers((), "KeyError", {"negation": 1.0, "sign": 3.0})
{}
"""

import functools
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.events import AnyEvent, HypothesisTried
from karkhana.domain.lessons import Credit, Lesson, Role, multiplier, posterior
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.localisation.localise import Suspect, ranks, shipped_weights
from karkhana.ports import Trail

TEMPLATE, SIGNAL = "template:", "signal:"
_CHANCE = 0.0015
"""Chance that one candidate of a template with prior 1 is the right one: seeded bugs have it at about place 700."""
_REJECTED = 300.0
"""Candidates that did not pass weigh as much as one that did and was rejected."""
_TOLD = 6
"""Templates that the trail names on each side."""
_NOTABLE = 1.25
"""Factor from which on a change of order is told."""


def circumstance_of(spectrum: Spectrum, targets: Iterable[int]) -> str:
    """How most of the target tests fail: the name of an exception, or of an outcome without one."""
    kinds = Counter(
        failure.type if (failure := spectrum.tests[n].failure) is not None else spectrum.tests[n].outcome
        for n in targets
    )
    return min(kinds, key=lambda kind: (-kinds[kind], kind), default="")


def multipliers(lessons: Sequence[Lesson], circumstance: str, priors: Mapping[str, float]) -> dict[str, float]:
    """Template → factor for its prior, for those that past outcomes say something about.

    ``priors`` are relative chances of one candidate of each template to be the right one.
    """
    by_subject: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        by_subject.setdefault(lesson.subject, []).append(lesson)
    return {
        name: multiplier(by_subject[TEMPLATE + name], TEMPLATE + name, circumstance, min(0.5, _CHANCE * prior))
        for name, prior in sorted(priors.items())
        if TEMPLATE + name in by_subject and prior > 0
    }


def balanced(factors: Mapping[str, float], priors: Mapping[str, float]) -> dict[str, float]:
    """Factors for all templates whose mean logarithm, weighted by the priors, is 0: scores keep their scale.

    >>> balanced({"a": 4.0}, {"a": 1.0, "b": 1.0})
    {'a': 2.0, 'b': 0.5}
    """
    total = sum(priors.values())
    mean = math.exp(sum(prior * math.log(factors.get(name, 1.0)) for name, prior in priors.items()) / total)
    return {name: factors.get(name, 1.0) / mean for name in priors}


def signal_weights(lessons: Sequence[Lesson], circumstance: str, weights: Mapping[str, float]) -> dict[str, float]:
    """Signal → its weight, moved by how high it ranked the functions that turned out to be at fault.

    The weights keep their sum, so that suspicion stays comparable.
    """
    half = 0.5
    moved = {
        name: weight * posterior(lessons, SIGNAL + name, circumstance, half) / half for name, weight in weights.items()
    }
    scale = sum(weights.values()) / sum(moved.values())
    return {name: weight * scale for name, weight in moved.items()}


def template_credits(circumstance: str, tried: Mapping[str, int], chosen: str = "") -> tuple[Credit, ...]:
    """Credits of templates; ``tried``: candidates of each, ``chosen`` (joined by ``+``): what the change comes from."""
    used = Counter(name for name in chosen.split("+") if name)
    vain: Counter[str] = Counter()
    for kind, count in tried.items():
        for name in kind.split("+"):
            vain[name] += count
    vain.subtract(dict.fromkeys(used, 1))
    return (
        *(
            Credit(
                subject=TEMPLATE + n,
                circumstance=circumstance,
                role=Role.USED,
                trials=count / used.total(),
                stake=_REJECTED * count / used.total(),
            )
            for n, count in used.items()
        ),
        *(
            Credit(subject=TEMPLATE + n, circumstance=circumstance, role=Role.IN_VAIN, trials=float(count))
            for n, count in sorted(vain.items())
            if count > 0
        ),
    )


def signal_credits(circumstance: str, ranks: Mapping[str, int]) -> tuple[Credit, ...]:
    """Credits of signals by the rank (from 1) that each gave to the repaired function on its own."""
    found: list[Credit] = []
    for name, rank in sorted(ranks.items()):
        subject, share = SIGNAL + name, 1.0 / rank
        # A wrong change says nothing about the place, which may have been the right one.
        found.append(Credit(subject=subject, circumstance=circumstance, role=Role.USED, trials=share, stake=0.0))
        if share < 1.0:
            found.append(Credit(subject=subject, circumstance=circumstance, role=Role.IN_VAIN, trials=1.0 - share))
    return tuple(found)


def told(factors: Mapping[str, float]) -> str:
    """The most notable factors as a sentence for the trail; empty when nothing is notable."""
    up = sorted((n for n in factors if factors[n] >= _NOTABLE), key=lambda n: (-factors[n], n))[:_TOLD]
    down = sorted((n for n in factors if factors[n] <= 1 / _NOTABLE), key=lambda n: (factors[n], n))[:_TOLD]
    if not up and not down:
        return ""
    parts = []
    if up:
        parts.append("more likely " + ", ".join(f"{n} x{factors[n]:.1f}" for n in up))
    if down:
        parts.append("less likely " + ", ".join(f"{n} x{factors[n]:.2f}" for n in down))
    return "past outcomes make " + "; ".join(parts)


@functools.cache
def shipped_lessons() -> tuple[Lesson, ...]:
    """What fixes in open-source histories taught: ``experience.toml``."""
    text = resources.files(__package__).joinpath("experience.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["templates"]
    return tuple(
        Lesson(subject=TEMPLATE + name, circumstance="", good=row["good"], bad=row["bad"], here=False)
        for name, row in sorted(rows.items())
    )


class Lore:
    """One assignment's lessons, and what its outcome will teach."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self._lessons = (*shipped_lessons(), *lessons)
        self._priors = {entry.name: entry.prior for entry in catalogue().values()}
        self._circumstance = ""
        self._kind = ""
        self._ranks: Mapping[str, int] = {}
        self.templates: Mapping[str, float] = {}
        """Template → factor for its prior."""
        self.signals: Mapping[str, float] = shipped_weights()
        """Signal → weight."""
        self.suspects: tuple[Suspect, ...] = ()
        """The functions that are looked into."""

    def meet(self, spectrum: Spectrum, targets: Iterable[int]) -> None:
        """Take what the past says about failures such as these."""
        self._circumstance = circumstance_of(spectrum, targets)
        self.templates = balanced(multipliers(self._lessons, self._circumstance, self._priors), self._priors)
        self.signals = signal_weights(self._lessons, self._circumstance, shipped_weights())

    @property
    def told(self) -> str:
        """What this and other repositories changed in the order, as a sentence; empty when nothing did."""
        usual = multipliers(shipped_lessons(), self._circumstance, self._priors)
        return told({name: factor / usual.get(name, 1.0) for name, factor in self.templates.items()})

    def chosen(self, kind: str, repaired: Suspect) -> None:
        """Remember what the change comes from."""
        self._kind = kind
        self._ranks = ranks(self.suspects, repaired)

    def credits(self, tried: Mapping[str, int]) -> tuple[Credit, ...]:
        """What the outcome will say something about."""
        return (
            *template_credits(self._circumstance, tried, self._kind),
            *signal_credits(self._circumstance, self._ranks),
        )


class Witness:
    """Passes events on to the trail, and remembers which templates were tried."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self.tried: Counter[str] = Counter()
        """Template → candidates of it that were run."""

    def record(self, event: AnyEvent) -> None:
        """As the trail behind it."""
        if isinstance(event, HypothesisTried):
            self.tried[event.kind] += event.tried
        self._trail.record(event)

    def keep(self, content: bytes) -> str:
        """As the trail behind it."""
        return self._trail.keep(content)
