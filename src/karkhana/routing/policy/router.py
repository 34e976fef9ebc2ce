"""Solves a task cheap first: ask, verify, and ask the next rung on failure, within a budget.

Knows nothing of what a task is, who is asked and how an answer is checked: those are :mod:`rungs`.

>>> # solved = await router.solve(Job("bugfix", request), rungs, verifier, usd("0.50"))
>>> # solved.answer, solved.cost, [step.told for step in solved.trail]
"""

import enum
import itertools
import random
import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.money import ZERO, Money, Unpriced, shown
from karkhana.domain.routes import RouteOutcome
from karkhana.routing.faults import ProviderFault
from karkhana.routing.policy.cascade import Offer, Stakes, by_draw, by_mean, ordered, paying, propensities
from karkhana.routing.policy.choosing import Ask, Policy, priced
from karkhana.routing.policy.explaining import sentence
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.purse import Purse, PurseEmpty
from karkhana.routing.policy.rungs import Rung, Verdict, Verifier

T = TypeVar("T")
A = TypeVar("A")


class Job(NamedTuple, Generic[T]):
    """A task to be solved."""

    task_type: str
    task: T
    text: str = ""
    """Its words, for a model of the wording."""
    pool: str = ""
    reference: str = ""
    """Names its outcomes, one for each rung; made up if empty."""


class Ended(enum.StrEnum):
    """What became of one rung."""

    PASSED = "passed"
    FAILED = "failed"
    """The verifier did not like the answer."""
    ABSTAINED = "abstained"
    BROKE = "broke"
    """It did not answer at all, which says nothing about its answers."""
    TOO_DEAR = "too_dear"
    """The budget does not hold what it may cost."""
    LEFT_OUT = "left_out"
    """Asking it does not pay."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One decision."""

    rung: str
    ended: Ended
    told: str
    """One sentence: why it stood where it stood, and what came of it."""
    cost: Money = ZERO
    """With the verifier's."""
    propensity: float = 1.0
    """Of the first one: how likely it was that this one would be first."""


class Solved(NamedTuple, Generic[A]):
    """An answer that passed."""

    answer: A
    rung: str
    cost: Money
    """Of all rungs and all checks."""
    trail: tuple[Step, ...]


class Unsolved(KarkhanaError):
    """No rung's answer passed; ``trail`` tells what each of them did."""

    def __init__(self, message: str, next: str, trail: tuple[Step, ...], cost: Money) -> None:
        super().__init__(message, next)
        self.trail = trail
        self.cost = cost


class BudgetEnded(Unsolved):
    """A rung was left that the budget does not hold."""


class Records(Protocol):
    """Where outcomes go."""

    async def record(self, outcome: RouteOutcome) -> None:
        """Keep an outcome, and learn from it."""


class Router:
    """Asks rungs in the order that is worth most. One for many tasks at a time."""

    def __init__(
        self,
        policy: Policy,
        records: Records,
        habits: Habits,
        *,
        chance: random.Random | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._records = records
        self._habits = habits
        self._chance = chance or random.Random()  # noqa: S311 - nothing is secret about it
        self._wall = wall
        self._clock = clock
        self._numbers = itertools.count(1)
        self._run = f"{time.time_ns():x}"

    async def solve(
        self, job: Job[T], rungs: Sequence[Rung[T, A]], verifier: Verifier[T, A], budget: Money
    ) -> Solved[A]:
        """The first answer that passes. Raises :class:`Unsolved`, or :class:`BudgetEnded` if money was the reason."""
        plan, stakes = self._plan(job, rungs, verifier)
        purse, trail = Purse(budget), [*plan.left_out]
        reference = job.reference or f"task:{self._run}-{next(self._numbers)}"
        for number, (offer, rung) in enumerate(plan.order):
            work = _Work(job.task, rung, verifier, purse)
            began, before = self._clock(), purse.spent
            answer, ended, why = await work.carry_out()
            propensity = plan.propensity if number == 0 else 1.0
            told = f"{sentence(offer, stakes)}; {why}"
            trail.append(
                Step(
                    rung=rung.name,
                    ended=ended,
                    told=told,
                    cost=Money(purse.spent - before),
                    propensity=propensity,
                )
            )
            if ended in (Ended.PASSED, Ended.FAILED, Ended.ABSTAINED):
                self._habits.seen(rung.name, seconds=self._clock() - began, output=None)
                await self._record(job, f"{reference}:{rung.name}", rung.name, ended is Ended.PASSED)
            if ended is Ended.PASSED and answer is not None:
                return Solved(answer, rung.name, purse.spent, tuple(trail))
        raise _unsolved(trail, purse)

    async def _record(self, job: Job[T], reference: str, rung: str, passed: bool) -> None:
        outcome = RouteOutcome(
            reference=reference, at=self._wall(), pool=job.pool, task_type=job.task_type, rung=rung, passed=passed
        )
        await self._records.record(outcome)

    def _plan(self, job: Job[T], rungs: Sequence[Rung[T, A]], verifier: Verifier[T, A]) -> tuple["_Plan[T, A]", Stakes]:
        # whoever verifies does ask again
        stakes = self._policy.stakes._replace(asks_again=1.0)
        ask = Ask("", (), task_type=job.task_type, pool=job.pool, text=job.text)
        offers = [self._policy.offer(ask, rung.name, rung.estimate(job.task), self._wall()) for rung in rungs]
        offers = priced([msgspec.structs.replace(offer, verify=float(verifier.most)) for offer in offers])
        drawn = self._policy.settings.exploration and len(offers) > 1
        chances = by_draw(self._chance) if drawn else by_mean
        order = ordered(offers, stakes, chances)
        kept = paying(order, stakes, chances)
        by_name = {rung.name: rung for rung in rungs}
        left_out = [
            Step(rung=offer.rung, ended=Ended.LEFT_OUT, told=f"{sentence(offer, stakes)}; it is not asked")
            for offer in order
            if offer not in kept
        ]
        propensity = propensities(offers, stakes, self._chance)[kept[0].rung] if drawn and kept else 1.0
        return _Plan([(offer, by_name[offer.rung]) for offer in kept], left_out, propensity), stakes


class _Plan(NamedTuple, Generic[T, A]):
    order: list[tuple[Offer, Rung[T, A]]]
    left_out: list[Step]
    propensity: float


class _Work(NamedTuple, Generic[T, A]):
    """Asking one rung, and having its answer checked."""

    task: T
    rung: Rung[T, A]
    verifier: Verifier[T, A]
    purse: Purse

    async def carry_out(self) -> tuple[A | None, Ended, str]:
        most, check = self.rung.most(self.task), self.verifier.most
        if isinstance(most, Unpriced):
            return None, Ended.TOO_DEAR, "its price is not known, so no budget can be kept"
        if not self.purse.holds(Money(most + check)):
            needed, left = shown(Money(most + check)), shown(self.purse.left)
            return None, Ended.TOO_DEAR, f"it may cost {needed} with the check, and {left} are left"
        # kept for the check, so that no answer is bought that nobody can afford to look at
        self.purse.take(check)
        verdict = Verdict(False)
        try:
            answer = await self.rung.ask(self.task, self.purse)
            if answer is not None:
                # a check that breaks may have cost all of it
                verdict = Verdict(False, cost=check)
                verdict = await self.verifier.verify(self.task, answer)
        except ProviderFault as fault:
            return None, Ended.BROKE, f"it did not answer: {fault.message}"
        except PurseEmpty as empty:
            return None, Ended.TOO_DEAR, f"it could not be asked again: {empty.message}"
        finally:
            self.purse.pay(check, verdict.cost)
        if answer is None:
            return None, Ended.ABSTAINED, "it abstained"
        why = f": {verdict.reason}" if verdict.reason else ""
        return (
            answer,
            Ended.PASSED if verdict.passed else Ended.FAILED,
            (f"its answer passed{why}" if verdict.passed else f"its answer did not pass{why}"),
        )


def _unsolved(trail: list[Step], purse: Purse) -> Unsolved:
    told = ", ".join(f"{step.rung} {step.ended.value}" for step in trail) or "there was nobody to ask"
    if any(step.ended is Ended.TOO_DEAR for step in trail):
        message = f"the budget of {shown(purse.limit)} ended before an answer passed ({told})"
        return BudgetEnded(message, "raise the budget, or add a price that is missing", tuple(trail), purse.spent)
    return Unsolved(
        f"no answer passed ({told})", "add a model that is better at this, or split the task", tuple(trail), purse.spent
    )
