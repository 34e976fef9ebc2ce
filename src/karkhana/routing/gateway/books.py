"""Keeps books on the gateway's attempts: reserves what one may cost before it is sent, settles what it did cost.

Knows nothing of HTTP. A provider's answer without a usage, or without its end, is charged with what was reserved.
"""

import asyncio
import logging

import msgspec

from karkhana.domain.money import ZERO, Money, Unpriced, shown
from karkhana.domain.spending import Account, Standing
from karkhana.routing.attempt import Attempt, Ending, Outcome
from karkhana.routing.gateway.spans import CallSpan
from karkhana.routing.gateway.tally import Tally
from karkhana.routing.ledger import Ledger
from karkhana.routing.ledger_keeping import Reservation
from karkhana.routing.prices import PriceBook, answer_tokens, bound, cost

_log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True):
    """What a call is about, for the books."""

    account: Account
    prompt: int
    """Tokens of the prompt at most."""
    answer: int | None
    """Tokens of the answer that the client allows."""
    answers: int = 1


class Bill:
    """What one call did cost so far."""

    __slots__ = ("closed", "cost", "job", "open", "span", "tokens", "warnings")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cost: Money | Unpriced | None = None
        """Of what is settled; ``None``: nothing yet."""
        self.open: dict[int, Reservation] = {}
        self.closed = False
        self.tokens = 0
        """Of the prompt and the answer, as far as the providers told."""
        self.warnings: list[Standing] = []
        """Budgets whose soft limits are passed."""
        self.span: CallSpan | None = None


class Books:
    """An observer of attempts (:class:`karkhana.routing.attempt.Observer`)."""

    def __init__(
        self,
        ledger: Ledger,
        prices: PriceBook,
        limits: dict[tuple[str, str], int] | None = None,
        tally: Tally | None = None,
    ) -> None:
        """``limits``: tokens that a model's answer may have; ``tally`` counts the attempts."""
        self._ledger = ledger
        self._tally = tally or Tally()
        self._prices = prices
        self._limits = limits or {}
        self._bills: dict[str, Bill] = {}

    def open(self, call: str, job: Job) -> Bill:
        """Before a call; :meth:`close` it afterwards."""
        bill = self._bills[call] = Bill(job)
        return bill

    def close(self, call: str) -> None:
        """No attempt of the call will begin any more; those under way still settle."""
        bill = self._bills[call]
        bill.closed = True
        if not bill.open:
            del self._bills[call]

    async def begins(self, attempt: Attempt) -> None:
        """Raises ``BudgetReached``, ``PriceUnknown``, and ``InfrastructureFailure`` if it cannot be written down."""
        bill, place = self._bills[attempt.call], (attempt.place.provider, attempt.place.model)
        rate = self._prices.rate(place)
        answer = answer_tokens(bill.job.answer, self._limits.get(place), bill.job.answers)
        most = bound(bill.job.prompt, answer, rate)
        version = "" if isinstance(rate, Unpriced) else rate.version
        reserved = self._ledger.reserve(bill.job.account, *place, most, version, attempt.name)
        try:
            reservation = bill.open[attempt.number] = await reserved
        except asyncio.CancelledError:
            if not reserved.cancelled() and reserved.exception() is None:
                # It came in the same turn as the end of our wait, so the ledger takes it for delivered.
                self._ledger.release(reserved.result())
            raise
        if reservation.warnings:
            bill.warnings = reservation.warnings
            for standing in self._tally.warned(reservation.warnings):
                _log.warning("%s, more than its soft limit of %s", standing, shown(standing.budget.soft or ZERO))

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        bill = self._bills[attempt.call]
        reservation = bill.open.pop(attempt.number)
        spent: Money | Unpriced | None = None
        if not ending.charged:
            self._ledger.release(reservation)
        elif ending.usage is None or ending.outcome is not Outcome.ANSWERED:
            # What was told before an answer broke off is no more than its beginning.
            self._ledger.settle_unknown(reservation)
            if ending.first_s is not None:
                # Else whoever leaves just before the end has no limit of tokens.
                bill.tokens += bill.job.prompt + (bill.job.answer or 0)
        else:
            spent = cost(ending.usage, self._prices.rate((attempt.place.provider, attempt.place.model)))
            self._ledger.settle(reservation, spent, ending.usage)
            bill.tokens += ending.usage.prompt + ending.usage.output
            if isinstance(spent, Unpriced) or isinstance(bill.cost, Unpriced):
                bill.cost = spent if isinstance(spent, Unpriced) else bill.cost
            else:
                bill.cost = Money(spent + (bill.cost or 0))
        self._tally.attempt(attempt, ending, spent)
        if bill.span is not None:
            bill.span.attempt(attempt, ending)
        if bill.closed and not bill.open:
            del self._bills[attempt.call]
