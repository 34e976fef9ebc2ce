"""The ledger in front of every call: reserve what it may cost, then settle what it did cost.

A reservation is on disk before the call is made; many that come within two milliseconds share one transaction, which a
thread of its own makes. What a call did cost follows in the next one. So after a crash a call is either settled or
open, and an open one is charged with what was reserved for it as soon as its writer has been silent for long enough.
Several processes may use one database: balances are decided on while they are locked there.

    async with Ledger(database) as ledger:
        reservation = await ledger.reserve(account, candidate.provider, candidate.model, bound, rate.version)
        ...
        ledger.settle(reservation, cost, usage)

Knows nothing of prices, HTTP, or who the client is.
"""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from karkhana.domain.chat import Usage
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.money import Money, Unpriced, picos, usd
from karkhana.domain.spending import Account
from karkhana.routing.budgets import BudgetReached
from karkhana.routing.ledger_keeping import Closing, LedgerKeeper, Reservation
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database
from karkhana.storage.ledger_reading import Entry
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore

T = TypeVar("T")
GATHER_S = 0.002
"""Seconds between two transactions: what comes in between shares one."""
BEAT_S = 5.0
LARGEST_CALL = usd(10_000)
"""More than that is not believed of one call: a bound is cut to it, and a cost above it counts as not known."""
_LARGEST_PICOS = picos(LARGEST_CALL)
_MOST_TOKENS = 1 << 50
RETRY_S = 0.5
"""Seconds until what could not be written is tried again."""

_Waiting = tuple[Reservation, "asyncio.Future[Reservation]"]
_Job = tuple[Callable[[], Any], Callable[[Any, Exception | None], None]]


class Ledger:
    """For one event loop of one process: a fork must make its own."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._keeper = LedgerKeeper(LedgerStore(database), clock)
        self._clock = clock
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._numbers = itertools.count(1)
        self._openings: list[_Waiting] = []
        self._closings: list[Closing] = []
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._day = (-1, "")
        self._failure: Exception | None = None
        self.transactions = 0
        """Made or tried so far."""
        self.failures = 0
        """Of them, those that could not be made."""
        self.seconds = 0.0
        """That they took together."""

    async def __aenter__(self) -> "Ledger":
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        try:
            self._numbers = itertools.count((await self._do(self._keeper.start) << 40) + 1)
            await self._do(self._keeper.beat)
        except BaseException:
            self._jobs.put(None)
            raise
        self._beat = self._loop.call_later(BEAT_S, self._live)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is settled, and leave."""
        if self._beat is not None:
            self._beat.cancel()
        try:
            await self.written()
            await self._do(self._keeper.stop)
        finally:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def reserve(  # noqa: PLR0917 - on the way of every call, where names of arguments cost as much again
        self, account: Account, provider: str, model: str, bound: Money | Unpriced, prices: str, attempt: str = ""
    ) -> "asyncio.Future[Reservation]":
        """To be awaited before the call; ``bound`` is the most that it may cost, ``attempt`` its name at the provider.

        Raises ``BudgetReached``, ``PriceUnknown``; ``InfrastructureFailure`` or ``DatabaseUnavailable`` if it cannot
        be written down. Whoever cancels the wait has reserved nothing.
        """
        now = self._clock()
        future: asyncio.Future[Reservation] = self._loop.create_future()
        reservation = Reservation(
            entry=next(self._numbers),
            account=account,
            provider=provider,
            model=model,
            prices=prices,
            amount=None if isinstance(bound, Unpriced) else picos(min(bound, LARGEST_CALL)),
            at=now,
            day=self._today(now),
            attempt=attempt,
        )
        self._openings.append((reservation, future))
        if self._timer is None and not self._busy:
            self._schedule()
        return future

    def settle(self, reservation: Reservation, cost: Money | Unpriced, usage: Usage) -> None:
        """The call is over and did cost this, more or less than reserved.

        A provider's count that cannot be true is no count, nor is a price that was known before no price: see
        :meth:`settle_unknown`.
        """
        amount = None if isinstance(cost, Unpriced) else picos(cost)
        nonsense = max(usage.prompt, usage.output, usage.reasoning) > _MOST_TOKENS
        if nonsense or (reservation.amount is not None if amount is None else amount > _LARGEST_PICOS):
            self.settle_unknown(reservation)
            return
        self._close(
            reservation,
            ClosedEntry(
                reservation.entry,
                "settled",
                amount,
                self._clock(),
                usage.input,
                usage.cache_read,
                usage.cache_write,
                usage.cache_write_long,
                usage.output,
                usage.reasoning,
            ),
        )

    def settle_unknown(self, reservation: Reservation) -> None:
        """The call was made, and nobody knows what it used: it is charged with what was reserved."""
        self._close(reservation, ClosedEntry(reservation.entry, "unknown", reservation.amount, self._clock()))

    def release(self, reservation: Reservation) -> None:
        """The call was not made, or its provider refused it: it costs nothing."""
        cost = None if reservation.amount is None else 0
        self._close(reservation, ClosedEntry(reservation.entry, "released", cost, self._clock()))

    async def written(self) -> None:
        """Wait until all that was settled is on disk. Raises what keeps it from being written."""
        before = self.failures
        while self._closings or self._openings or self._busy:
            if self.failures != before and self._failure is not None:
                raise self._failure
            await asyncio.sleep(GATHER_S)

    @property
    def failure(self) -> Exception | None:
        """Why the newest transaction could not be made, for a health page; ``None`` if it could."""
        return self._failure

    def _close(self, reservation: Reservation, row: ClosedEntry) -> None:
        if reservation.over:
            return
        reservation.over = True
        self._closings.append(Closing(reservation, row))
        if self._timer is None and not self._busy:
            self._schedule()

    def _today(self, now: float) -> str:
        number = int(now // 86_400)
        if number != self._day[0]:
            self._day = number, time.strftime("%Y-%m-%d", time.gmtime(number * 86_400))
        return self._day[1]

    def _schedule(self, wait_s: float = GATHER_S) -> None:
        # the first after a pause waits for nobody but those of the same turn of the loop
        due = max(0.0, self._last + wait_s - self._loop.time())
        self._timer = self._loop.call_later(due, self._flush)

    def _flush(self) -> None:
        self._timer = None
        # those who gave up have reserved nothing
        waiting = [entry for entry in self._openings if not entry[1].done()]
        closings = self._closings
        self._openings, self._closings = [], []
        if not waiting and not closings:
            return
        self._busy, self._last = True, self._loop.time()
        openings = [reservation for reservation, _ in waiting]
        job = lambda: self._keeper.keep(openings, closings)  # noqa: E731 - one line says it
        self._jobs.put((job, lambda outcomes, error: self._kept(waiting, closings, outcomes, error)))

    def _kept(
        self,
        waiting: list[_Waiting],
        closings: list[Closing],
        outcomes: list[KarkhanaError | None],
        error: Exception | None,
    ) -> None:
        self._busy, self._failure = False, error
        self.transactions += 1
        self.seconds += self._loop.time() - self._last
        if error is not None:
            self.failures += 1
            # once it works again; what is over cannot be refused any more
            self._closings = closings + self._closings
        for index, (reservation, future) in enumerate(waiting):
            refusal = error or outcomes[index]
            if future.done():
                if refusal is None:
                    self.release(reservation)
            elif refusal is None:
                future.set_result(reservation)
            else:
                future.set_exception(refusal)
            if error is not None:
                # it may be on disk all the same, when the connection broke after the commit
                self.release(reservation)
        if self._timer is None and (self._openings or self._closings):
            self._schedule(GATHER_S if error is None else RETRY_S)

    def _live(self) -> None:
        self._beat = self._loop.call_later(BEAT_S, self._live)
        self._jobs.put((self._keeper.beat, self._lived))

    def _lived(self, _: Any, error: Exception | None) -> None:
        # Also that it works again: nobody may send calls any more to a gateway that says it fails.
        self._failure = error

    async def _do(self, job: Callable[[], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T, error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put((job, done))
        return await future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            result, failure = None, None
            try:
                result = work()
            except Exception as error:
                # whatever broke, those who wait must hear of it; this thread has nobody else to tell
                failure = error
            self._loop.call_soon_threadsafe(done, result, failure)


def reservation_of(entry: Entry) -> Reservation:
    """To settle an entry anew that was charged as unknown, once its provider has told what it used."""
    return Reservation(
        entry=entry.entry,
        account=entry.account,
        provider=entry.provider,
        model=entry.model,
        prices=entry.prices,
        amount=None if entry.reserved is None else picos(entry.reserved),
        at=entry.at,
        day=entry.day,
        attempt=entry.attempt,
    )


async def room(
    budgets: BudgetStore, reached: BudgetReached, *, every_s: float = 1.0, clock: Callable[[], float] = time.time
) -> None:
    """Wait until the budget that was reached has room for what was wanted: raised, freed, or begun anew."""
    budget = reached.standing.budget
    while True:
        today = time.strftime("%Y-%m-%d", time.gmtime(clock()))
        found = await asyncio.to_thread(budgets.standings, [budget.scope], today)
        now = next((standing for standing in found if standing.budget.period == budget.period), None)
        if now is None or now.budget.hard is None or now.used + reached.wanted <= now.budget.hard:
            return
        await asyncio.sleep(every_s)
