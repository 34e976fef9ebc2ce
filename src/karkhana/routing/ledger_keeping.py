"""Keeps many calls' money in one transaction: what is over is charged, what begins is admitted and written down.

Runs in the ledger's own thread. Knows nothing of asyncio, prices or HTTP.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.spending import Account, Standing, start_of
from karkhana.routing.budgets import Lock, admit
from karkhana.storage.ledger_store import BalanceRow, ClosedEntry, LedgerStore, LedgerTransaction, OpenEntry

LOST_AFTER_S = 20.0
"""Seconds of silence after which a writer counts as gone, and what it left open is charged."""

_MOST = (1 << 62) - 1
"""A balance that is higher stays there, far above any limit, instead of failing whoever shares the transaction."""


class Reservation(msgspec.Struct, kw_only=True):
    """A call that may be made, and the most that it is expected to cost."""

    entry: int
    """Its number in the ledger."""
    account: Account
    provider: str
    model: str
    prices: str
    """Version of the prices."""
    amount: int | None
    """Trillionths of a dollar; ``None``: the price is not known."""
    at: float
    day: str
    attempt: str = ""
    """What the provider is told as the name of the request."""
    warnings: list[Standing] = []
    """Budgets whose soft limit is passed with it."""
    over: bool = False


class Closing(NamedTuple):
    reservation: Reservation
    row: ClosedEntry


class _Change(NamedTuple):
    scopes: tuple[str, ...]
    day: str
    spent: int
    reserved: int


class LedgerKeeper:
    """For one thread."""

    def __init__(self, store: LedgerStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.writer = 0

    def start(self) -> int:
        """A number for this writer, which goes into the entries that it makes."""
        with self._store.transaction() as transaction:
            self.writer = transaction.new_writer(self._clock())
        return self.writer

    def keep(self, openings: Sequence[Reservation], closings: Sequence[Closing]) -> list[KarkhanaError | None]:
        """One outcome for each opening: ``None`` if it is written down, else why it may not be.

        Closing the same entry twice, or one that was never written down, changes nothing.
        """
        with self._store.transaction() as transaction:
            changes = _close(transaction, closings)
            scopes = set[str]().union(*{opening.account.scopes for opening in openings})
            books = _Books(transaction, scopes, changes, {opening.day for opening in openings})
            books.apply(changes)
            outcomes = [_admit(books, opening) for opening in openings]
            books.write()
            admitted = zip(openings, outcomes, strict=True)
            transaction.open([_row(self.writer, opening) for opening, refusal in admitted if refusal is None])
        return outcomes

    def beat(self) -> int:
        """Tell that this writer is alive, and charge what others left open; how many entries that were."""
        now = self._clock()
        with self._store.transaction() as transaction:
            if self.writer:
                transaction.seen(self.writer, now)
            lost = transaction.charge_lost(now - LOST_AFTER_S, now)
            changes = [
                _Change(Account(row.key_id, row.team, row.task_id).scopes, row.day, row.reserved, -row.reserved)
                for row in lost
                if row.reserved is not None
            ]
            books = _Books(transaction, set(), changes, set())
            books.apply(changes)
            books.write()
        return len(lost)

    def stop(self) -> None:
        """Leave; what is still open may be charged at once."""
        with self._store.transaction() as transaction:
            transaction.seen(self.writer, 0.0)
        self._store.close()


def _close(transaction: LedgerTransaction, closings: Sequence[Closing]) -> list[_Change]:
    # in one order, as everybody does who closes entries
    ordered = sorted(closings, key=lambda closing: closing.row.entry)
    closed = transaction.close([closing.row for closing in ordered])
    rest = [closing for closing in ordered if closing.row.entry not in closed]
    # given up for lost when it was only late: it was charged with what was reserved
    corrected = transaction.close([closing.row for closing in rest], "unknown") if rest else set()
    # Most are on few accounts and of one day.
    sums: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for reservation, row in ordered:
        late = row.entry not in closed
        if late and row.entry not in corrected:
            continue
        amount, cost = reservation.amount or 0, row.cost or 0
        key = (reservation.account.scopes, reservation.day)
        found = sums.get(key)
        if found is None:
            found = sums[key] = [0, 0]
        found[0] += cost - amount if late else cost
        found[1] -= 0 if late else amount
    return [_Change(*key, *found) for key, found in sums.items()]


def _admit(books: "_Books", opening: Reservation) -> KarkhanaError | None:
    try:
        locks = books.locks(opening.account.scopes, opening.day)
        if locks:
            opening.warnings = admit(locks, opening.amount, f"{opening.provider}/{opening.model}")
    except KarkhanaError as refusal:
        return refusal
    return None


def _row(writer: int, opening: Reservation) -> OpenEntry:
    return OpenEntry(
        opening.entry,
        writer,
        opening.at,
        opening.day,
        opening.account.key_id,
        opening.account.team,
        opening.account.task_id,
        opening.provider,
        opening.model,
        opening.prices,
        opening.amount,
        attempt=opening.attempt,
    )


class _Books:
    """The balances that a batch is about, locked."""

    def __init__(
        self, transaction: LedgerTransaction, scopes: Iterable[str], changes: Sequence[_Change], days: set[str]
    ) -> None:
        self._transaction = transaction
        wanted = set(scopes).union(*(change.scopes for change in changes))
        days = days.union(change.day for change in changes)
        budgets = transaction.budgets(wanted) if wanted else []
        starts = {(row.budget, start_of(row.period, day)): row for row in budgets for day in days}
        self._by_scope: dict[tuple[str, str], list[Lock]] = {}
        self._found: dict[tuple[tuple[str, ...], str], list[Lock]] = {}
        self._before: dict[tuple[int, str], BalanceRow] = {}
        self._locks: list[Lock] = []
        for balance in transaction.balances(starts) if starts else ():
            row = starts[balance.budget, balance.start]
            lock = Lock(row.budget, row.scope, row.period, balance.start, row.soft, row.hard, balance[2], balance[3])
            self._locks.append(lock)
            self._before[balance.budget, balance.start] = balance
            for day in days:
                if start_of(row.period, day) == balance.start:
                    self._by_scope.setdefault((row.scope, day), []).append(lock)

    def locks(self, scopes: tuple[str, ...], day: str) -> list[Lock]:
        if not self._by_scope:
            return []
        found = self._found.get((scopes, day))
        if found is None:
            found = [lock for scope in scopes for lock in self._by_scope.get((scope, day), ())]
            self._found[scopes, day] = found
        return found

    def apply(self, changes: Iterable[_Change]) -> None:
        for change in changes:
            for lock in self.locks(change.scopes, change.day):
                lock.spent += change.spent
                lock.reserved += change.reserved

    def write(self) -> None:
        rows = [BalanceRow(lock.budget, lock.start, min(lock.spent, _MOST), lock.reserved) for lock in self._locks]
        changed = [row for row in rows if row != self._before[row.budget, row.start]]
        if changed:
            self._transaction.set_balances(changed)
