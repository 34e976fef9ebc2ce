"""Asks cheap first, goes on after a failed check, never spends more than it may, and learns from each answer."""

import asyncio
import random
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.money import ZERO, Money, Unpriced, money, usd
from karkhana.domain.routes import RouteOutcome
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.policy.choosing import Estimate, Policy
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.posteriors import Posteriors, Subject
from karkhana.routing.policy.purse import Purse
from karkhana.routing.policy.router import BudgetEnded, Ended, Job, Router, Solved, Unsolved
from karkhana.routing.policy.rungs import FreeRung, Verdict
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import PriceBook


class Scripted:
    """A rung that answers as it was told, for a price that it may not reach."""

    def __init__(
        self, name: str, answer: str | None, most: Money | Unpriced, cost: Money = ZERO, fault: Fault | None = None
    ) -> None:
        self.name = name
        self.asked = 0
        self._answer, self._most, self._cost, self._fault = answer, most, cost, fault

    def estimate(self, task: str) -> Estimate:
        del task
        return Estimate(None if isinstance(self._most, Unpriced) else float(self._most))

    def most(self, task: str) -> Money | Unpriced:
        del task
        return self._most

    async def ask(self, task: str, purse: Purse) -> str | None:
        del task
        self.asked += 1
        purse.take(self._most)
        assert not isinstance(self._most, Unpriced)
        purse.pay(self._most, self._cost)
        if self._fault is not None:
            raise ProviderFault(self._fault, "out of order")
        return self._answer


class Good:
    """Finds answers good that say so."""

    def __init__(self, cost: Money = ZERO) -> None:
        self.most = cost
        self.checked: list[str] = []

    async def verify(self, task: str, answer: str) -> Verdict:
        del task
        self.checked.append(answer)
        return Verdict(answer.startswith("good"), "the tests ran", self.most)


class Kept:
    def __init__(self, posteriors: Posteriors) -> None:
        self.outcomes: list[RouteOutcome] = []
        self._posteriors = posteriors

    async def record(self, outcome: RouteOutcome) -> None:
        self.outcomes.append(outcome)
        subject = Subject(outcome.pool, outcome.task_type, outcome.rung)
        self._posteriors.learn(subject, outcome.passed, outcome.at)


class House:
    def __init__(self, **fields: Any) -> None:
        made = PolicySettings(**{"exploration": False, "value_usd": Decimal(10), **fields})
        self.posteriors = Posteriors(discount=1.0, half_life_s=1e9)
        habits = Habits()
        policy = Policy(made, PriceBook({}), self.posteriors, habits)
        self.kept = Kept(self.posteriors)
        self.router = Router(policy, self.kept, habits, chance=random.Random(1), wall=lambda: 0.0)

    def solve(self, rungs: list[Any], verifier: Any = None, budget: str = "100") -> Solved[str]:
        job = Job("bugfix", "the task", reference="run:1")
        return run(self.router.solve(job, rungs, verifier or Good(), usd(budget)))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_a_failed_answer_is_followed_by_the_next_rung_and_all_are_told() -> None:
    house = House()
    cheap, dear = Scripted("p/cheap", "bad", usd("0.1"), usd("0.01")), Scripted("p/dear", "good", usd("1"), usd("0.5"))
    solved = house.solve([dear, cheap], Good(usd("0.02")))
    assert (solved.answer, solved.rung, solved.cost) == ("good", "p/dear", usd("0.55"))
    assert [(step.rung, step.ended, step.cost) for step in solved.trail] == [
        ("p/cheap", Ended.FAILED, usd("0.03")),
        ("p/dear", Ended.PASSED, usd("0.52")),
    ]
    assert "its answer did not pass: the tests ran" in solved.trail[0].told
    assert [(o.reference, o.rung, o.passed) for o in house.kept.outcomes] == [
        ("run:1:p/cheap", "p/cheap", False),
        ("run:1:p/dear", "p/dear", True),
    ]


def test_a_rung_that_is_no_model_comes_first_and_its_abstentions_are_learnt() -> None:
    house = House()

    async def abstain(task: str) -> str | None:
        assert task == "the task"
        return None

    async def repair(task: str) -> str | None:
        return f"good {task}"

    model = Scripted("p/m", "good", usd("0.1"))
    solved = house.solve([model, FreeRung(abstain)])
    assert [step.ended for step in solved.trail] == [Ended.ABSTAINED, Ended.PASSED]
    assert (solved.trail[0].rung, solved.trail[0].cost) == ("symbolic", ZERO)
    solved = house.solve([model, FreeRung(repair)])
    assert (solved.rung, solved.cost, model.asked) == ("symbolic", ZERO, 1)
    found = house.posteriors.evidence(Subject("", "bugfix", "symbolic"), 0.0)
    assert (found.passed, found.failed) == (1, 1)


def test_a_rung_that_is_out_of_order_is_passed_over_and_not_blamed() -> None:
    house = House()
    broken = Scripted("p/broken", "good", usd("0.1"), usd("0.1"), fault=Fault.OVERLOADED)
    solved = house.solve([broken, Scripted("p/m", "good", usd("1"))])
    assert [step.ended for step in solved.trail] == [Ended.BROKE, Ended.PASSED]
    assert [o.rung for o in house.kept.outcomes] == ["p/m"]
    assert solved.cost == usd("0.1")


def test_the_budgets_end_is_told_with_what_was_tried() -> None:
    house = House()
    rungs = [Scripted("p/cheap", "bad", usd("0.4"), usd("0.4")), Scripted("p/dear", "good", usd("1"))]
    with pytest.raises(BudgetEnded, match=r"the budget of \$1\.00 ended .*cheap failed, p/dear too_dear") as raised:
        house.solve(rungs, budget="1")
    assert raised.value.cost == usd("0.4")
    assert "it may cost $1.00 with the check, and $0.60 are left" in raised.value.trail[-1].told
    assert rungs[1].asked == 0


def test_an_answer_is_not_bought_that_nobody_can_afford_to_check() -> None:
    rung = Scripted("p/m", "good", usd("0.9"))
    with pytest.raises(BudgetEnded):
        House().solve([rung], Good(usd("0.2")), budget="1")
    assert rung.asked == 0


def test_no_budget_can_be_kept_for_a_price_that_nobody_knows() -> None:
    with pytest.raises(BudgetEnded, match="p/m too_dear"):
        House().solve([Scripted("p/m", "good", Unpriced("p/m"))])


def test_when_nothing_passes_the_last_word_is_not_the_budget() -> None:
    with pytest.raises(Unsolved, match="no answer passed") as raised:
        House().solve([Scripted("p/m", "bad", usd("0.1"))])
    assert not isinstance(raised.value, BudgetEnded)
    with pytest.raises(Unsolved, match="there was nobody to ask"):
        House().solve([])


def test_one_that_does_not_pay_is_left_out() -> None:
    house = House(value_usd=Decimal("0.05"))
    dear = Scripted("p/dear", "good", usd("1"))
    with pytest.raises(Unsolved) as raised:
        house.solve([dear, Scripted("p/cheap", "bad", usd("0.001"))])
    assert {step.rung: step.ended for step in raised.value.trail} == {
        "p/dear": Ended.LEFT_OUT,
        "p/cheap": Ended.FAILED,
    }
    assert dear.asked == 0


def test_the_first_choice_has_its_propensity_when_it_was_drawn() -> None:
    house = House(exploration=True)
    solved = house.solve([Scripted(f"p/{name}", "good", usd("0.1")) for name in "ab"])
    assert 0.3 < solved.trail[0].propensity < 0.7


AMOUNT = st.integers(0, 10**12).map(money)
RUNG = st.tuples(st.sampled_from(["good", "bad", None]), AMOUNT, st.floats(0, 1), st.booleans())


@settings(deadline=None, max_examples=150)
@given(st.lists(RUNG, max_size=5), AMOUNT, st.integers(0, 3 * 10**12).map(money))
def test_no_more_is_ever_spent_than_the_budget(rows: list[Any], check: Money, budget: Money) -> None:
    rungs = []
    for number, (answer, most, share, breaks) in enumerate(rows):
        spent = money(int(float(most) * share * 10**12 * 0.999))
        rungs.append(Scripted(f"p/{number}", answer, most, spent, Fault.TIMEOUT if breaks else None))
    house = House(exploration=True, value_usd=Decimal(1000))
    job = Job("bugfix", "the task")
    try:
        solved = run(house.router.solve(job, rungs, Good(check), budget))
    except Unsolved as unsolved:
        trail, cost = unsolved.trail, unsolved.cost
    else:
        trail, cost = solved.trail, solved.cost
        assert trail[-1].ended is Ended.PASSED
    assert cost <= budget
    assert sum((step.cost for step in trail), ZERO) == cost
