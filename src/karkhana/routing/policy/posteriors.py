"""How often each model was right, as Beta posteriors that forget. Knows nothing of databases and prices.

An outcome counts ``discount`` times less with each later outcome of its task type, whichever model that was about, and
half as much after each half-life. So a model that gets better or worse is noticed, and one that nobody asks any more
becomes uncertain again and is tried anew. Source: discounted Thompson sampling, V. Raj and S. Kalyani, "Taming
non-stationary bandits", arXiv:1707.09727.

A posterior of a type starts from the prior of the model's price class (``priors.toml``) and from what is known of the
model in other types, which counts as a few outcomes at most.

>>> known = Posteriors(discount=1.0, half_life_s=1e9)
>>> for passed in (True, True, False):
...     known.learn(Subject("", "bugfix", "cloud/small"), passed, at=0.0)
>>> known.evidence(Subject("", "bugfix", "cloud/small"), now=0.0)
Evidence(passed=2.0, failed=1.0, outcomes=3, good=2)
"""

import random
from typing import NamedTuple

from karkhana.routing.policy.priors import Prior, priors

EVERY_TYPE = "*"
"""The task type under which the outcomes of all types are counted together."""
LARGEST = 5_000
"""Cells that are remembered; clients make up task types."""


class Subject(NamedTuple):
    """What an outcome is about."""

    pool: str
    """Whose outcomes count together."""
    task_type: str
    rung: str
    """``PROVIDER/MODEL``, or the name of a rung that is no model."""


class Evidence(NamedTuple):
    """Outcomes as they count now."""

    passed: float = 0.0
    failed: float = 0.0
    outcomes: int = 0
    """How many there were, however little they count."""
    good: int = 0
    """Of these, how many passed."""


class Beta(NamedTuple):
    """A distribution of a chance."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    def drawn(self, chance: random.Random) -> float:
        return chance.betavariate(self.alpha, self.beta)


class _Cell:
    __slots__ = ("at", "failed", "good", "outcomes", "passed", "step")

    def __init__(self, at: float, step: int) -> None:
        self.passed = self.failed = 0.0
        self.outcomes = self.good = 0
        self.at = at
        self.step = step


class Posteriors:
    """All that was learnt from outcomes. Times are seconds since the epoch."""

    def __init__(self, *, discount: float, half_life_s: float) -> None:
        self._discount = discount
        self._half_life_s = half_life_s
        self._cells: dict[Subject, _Cell] = {}
        self._steps: dict[tuple[str, str], int] = {}

    def learn(self, subject: Subject, passed: bool, at: float) -> None:
        """One outcome."""
        for each in (subject, subject._replace(task_type=EVERY_TYPE)):
            step = self._steps[each[:2]] = self._steps.get(each[:2], 0) + 1
            cell = self._cells.get(each)
            if cell is None:
                self._make_room(at)
                cell = self._cells[each] = _Cell(at, step)
            kept = self._kept(cell, at, step)
            # one that comes late, from another process, counts by its own age
            weight = 0.5 ** (max(0.0, cell.at - at) / self._half_life_s)
            cell.passed = cell.passed * kept + weight * passed
            cell.failed = cell.failed * kept + weight * (not passed)
            cell.outcomes += 1
            cell.good += passed
            cell.at, cell.step = max(cell.at, at), step

    def evidence(self, subject: Subject, now: float) -> Evidence:
        """What is known of exactly this subject."""
        cell = self._cells.get(subject)
        if cell is None:
            return Evidence()
        kept = self._kept(cell, now, self._steps[subject[:2]])
        return Evidence(cell.passed * kept, cell.failed * kept, cell.outcomes, cell.good)

    def posterior(self, subject: Subject, prior: Prior, now: float) -> Beta:
        """Of the chance that the subject's next answer passes."""
        return self.belief(subject, prior, now)[0]

    def belief(self, subject: Subject, prior: Prior, now: float) -> tuple[Beta, Evidence]:
        """The same, with what is known of exactly this subject."""
        here = self.evidence(subject, now)
        alpha, beta = prior.counts
        if not prior.of_type and subject.task_type != EVERY_TYPE:
            passed, failed = self._elsewhere(subject, here, now)
            alpha, beta = alpha + passed, beta + failed
        return Beta(alpha + here.passed, beta + here.failed), here

    def _elsewhere(self, subject: Subject, here: Evidence, now: float) -> tuple[float, float]:
        """Outcomes of the other types, scaled so that they count as a few at most."""
        everywhere = self.evidence(Subject(subject.pool, EVERY_TYPE, subject.rung), now)
        passed, failed = max(0.0, everywhere.passed - here.passed), max(0.0, everywhere.failed - here.failed)
        scale = min(1.0, priors().pooling / (passed + failed)) if passed + failed else 0.0
        return passed * scale, failed * scale

    def subjects(self) -> list[Subject]:
        """All of which something is known, but for those over all types; sorted."""
        return sorted(subject for subject in self._cells if subject.task_type != EVERY_TYPE)

    def _kept(self, cell: _Cell, now: float, step: int) -> float:
        aged = 0.5 ** (max(0.0, now - cell.at) / self._half_life_s)
        return float(self._discount ** (step - cell.step) * aged)

    def _make_room(self, now: float) -> None:
        if len(self._cells) < LARGEST:
            return
        # a type that somebody made up has one outcome and goes first; a tenth at once, for this looks at all
        worth = {subject: sum(self.evidence(subject, now)[:2]) for subject in self._cells}
        for subject in sorted(worth, key=worth.__getitem__)[: LARGEST // 10]:
            del self._cells[subject]
        held = {subject[:2] for subject in self._cells}
        self._steps = {key: step for key, step in self._steps.items() if key in held}
