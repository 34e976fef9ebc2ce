"""Who can be asked to solve a task, and who says whether it is solved. A rung need not be a model.

>>> Verdict(passed=True).cost
Decimal('0')
"""

import itertools
from typing import NamedTuple, Protocol, TypeVar

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.domain.money import ZERO, Money, Unpriced
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate
from karkhana.routing.exchanges import Whole
from karkhana.routing.policy.choosing import Estimate
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.priors import SYMBOLIC
from karkhana.routing.policy.purse import Purse, Purses
from karkhana.routing.prices import PriceBook, prompt_tokens, upper_bound

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
_NUMBERS = itertools.count(1)


class Rung(Protocol[T_contra, A_co]):
    """Somebody who can be asked."""

    @property
    def name(self) -> str:
        """``PROVIDER/MODEL``, or a name without a slash."""

    def estimate(self, task: T_contra) -> Estimate:
        """What asking is expected to take."""

    def most(self, task: T_contra) -> Money | Unpriced:
        """What asking may cost at most."""

    async def ask(self, task: T_contra, purse: Purse) -> A_co | None:
        """An answer, or ``None``: it abstains. What it costs is taken from the purse.

        Raises ``ProviderFault`` if it is out of order, and ``PurseEmpty``.
        """


class Verdict(NamedTuple):
    """What came of checking an answer."""

    passed: bool
    reason: str = ""
    cost: Money = ZERO


class Verifier(Protocol[T_contra, A_contra]):
    """Says whether an answer is good, e.g. by running the tests."""

    @property
    def most(self) -> Money:
        """What checking one answer may cost at most."""

    async def verify(self, task: T_contra, answer: A_contra) -> Verdict:
        """Must not cost more than ``most``."""


class ModelRung:
    """A model as a rung; ``purses`` must observe the caller's attempts."""

    def __init__(
        self,
        candidate: Candidate,
        caller: Caller,
        prices: PriceBook,
        purses: Purses,
        habits: Habits,
        *,
        deadline_s: float = 600.0,
    ) -> None:
        self.candidate = candidate
        self._caller = caller
        self._prices = prices
        self._purses = purses
        self._habits = habits
        self._deadline_s = deadline_s

    @property
    def name(self) -> str:
        return str(self.candidate)

    def estimate(self, task: ChatRequest) -> Estimate:
        habit, rate = self._habits.of(self.name), self._prices.rate(self.candidate)
        if isinstance(rate, Unpriced):
            return Estimate(None, seconds=habit.seconds, output_price=None)
        tier = rate.tiers[0]
        output = min(habit.output, task.max_tokens) if task.max_tokens else habit.output
        # a bound counts about twice the tokens that there are
        cost = (prompt_tokens(task) / 2 * tier.input + output * tier.output) / 1e18 + rate.call / 1e12
        return Estimate(cost, seconds=habit.seconds, output_price=tier.output / 1e12)

    def most(self, task: ChatRequest) -> Money | Unpriced:
        return upper_bound(task, self._prices.rate(self.candidate))

    async def ask(self, task: ChatRequest, purse: Purse) -> ChatAnswer | None:
        call = f"task-{next(_NUMBERS)}"
        self._purses.open(call, purse, self.most(task))
        try:
            called = await self._caller.call([self.candidate], Whole(task), self._deadline_s, name=call)
        finally:
            self._purses.close(call)
        return called.answer


class Free(Protocol[T_contra, A_co]):
    """Work that costs nothing; ``None``: it abstains."""

    async def __call__(self, task: T_contra, /) -> A_co | None: ...


class FreeRung(Rung[T_contra, A_co]):
    """Somebody who costs nothing but time, e.g. the symbolic engineer."""

    def __init__(self, work: Free[T_contra, A_co], *, name: str = SYMBOLIC, seconds: float = 0.0) -> None:
        self._work = work
        self._name = name
        self._seconds = seconds

    @property
    def name(self) -> str:
        return self._name

    def estimate(self, task: T_contra) -> Estimate:
        del task
        return Estimate(0.0, seconds=self._seconds)

    def most(self, task: T_contra) -> Money | Unpriced:
        del task
        return ZERO

    async def ask(self, task: T_contra, purse: Purse) -> A_co | None:
        del purse
        return await self._work(task)
