"""Corrects what nobody could count: entries that were charged with their reservation, by their provider's own account.

A crash, a lost race or a client that left leave such entries. Each holds the name that the provider was told for the
request (``x-client-request-id``), by which the provider's record of it is found. Knows nothing of how that is got.

>>> read_record('{"attempt": "18c-1-2", "cost_usd": "0.000165"}').cost
Decimal('0.000165')
"""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from karkhana.domain.chat import Usage
from karkhana.domain.errors import InvalidInput
from karkhana.domain.money import ZERO, Money, picos, usd
from karkhana.routing.ledger import LARGEST_CALL, reservation_of
from karkhana.routing.ledger_keeping import Closing, LedgerKeeper
from karkhana.storage.database import Database
from karkhana.storage.ledger_reading import Entry, LedgerReader
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore

_NEXT = 'Each line is an object like {"attempt": "NAME", "cost_usd": "0.000165", "usage": {"input": 20, "output": 5}}.'
_TOGETHER = 500
"""Entries that are corrected in one transaction, so that the gateway does not wait long for its turn."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider says of one request. Raises ``ValueError`` for what no call can cost."""

    attempt: str
    """The name that the provider was told."""
    cost_usd: str
    """What it charges, as text; ``0`` if it never got the request or refused it."""
    usage: Usage | None = None

    def __post_init__(self) -> None:
        if not ZERO <= usd(self.cost_usd) <= LARGEST_CALL:
            raise ValueError(f"cost_usd must be from 0 to {LARGEST_CALL}")
        if self.usage is not None and min(msgspec.structs.astuple(self.usage)) < 0:
            raise ValueError("tokens must not be negative")

    @property
    def cost(self) -> Money:
        return usd(self.cost_usd)


class Reconciled(msgspec.Struct, kw_only=True):
    """What came of it."""

    corrected: int = 0
    """Entries that are charged with what their provider says now."""
    freed: Money = ZERO
    """By how much less than before, in dollars."""
    passed_over: int = 0
    """Records of requests that are not in doubt, or that the ledger does not know."""
    in_doubt: int = 0
    """Entries that nobody told anything of."""


def read_record(line: str | bytes) -> Record:
    """Raises ``InvalidInput``."""
    try:
        return msgspec.json.decode(line, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no record of a request: {error}", _NEXT) from error


def read_records(path: Path) -> Iterator[Record]:
    """One from each line of a file. Raises ``InvalidInput`` with the line of the first mistake."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield read_record(line)
                    except InvalidInput as error:
                        raise InvalidInput(f"{path}, line {number}: {error.message}", error.next) from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", "Name a file with one record a line.") from error


def in_doubt(database: Database) -> Iterator[Entry]:
    """All entries that are charged with their reservation because nobody knows better."""
    reader, after = LedgerReader(database), 0
    while page := reader.entries(state="unknown", after=after):
        yield from page
        after = page[-1].entry


def reconcile(database: Database, records: Iterable[Record], clock: Callable[[], float] = time.time) -> Reconciled:
    """Charge what the records say; the gateway may go on meanwhile. Doing it twice changes nothing more."""
    doubted = {entry.attempt: entry for entry in in_doubt(database) if entry.attempt}
    done, batch = Reconciled(), list[Closing]()
    keeper = LedgerKeeper(LedgerStore(database), clock)
    for record in records:
        entry = doubted.pop(record.attempt, None)
        if entry is None:
            done.passed_over += 1
            continue
        batch.append(Closing(reservation_of(entry), _closed(entry, record, clock())))
        done.corrected += 1
        done.freed = Money(done.freed + (entry.cost or ZERO) - record.cost)
        if len(batch) == _TOGETHER:
            keeper.keep([], batch)
            batch = []
    keeper.keep([], batch)
    done.in_doubt = len(doubted)
    return done


def _closed(entry: Entry, record: Record, now: float) -> ClosedEntry:
    usage = () if record.usage is None else _tokens(record.usage)
    state = "settled" if record.cost or usage else "released"
    return ClosedEntry(entry.entry, state, picos(record.cost), now, *usage)


def _tokens(usage: Usage) -> tuple[int, ...]:
    return tuple(getattr(usage, name) for name in ClosedEntry.__struct_fields__[4:])
