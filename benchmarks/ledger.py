"""What money costs: own CPU per call for prices, keys, limits and the ledger, and how long a reservation waits.

A key with a monthly hard limit and its team with a daily soft one; 64 callers at once, each reserving and settling in
turn. Nothing is called in between, so the machine is full and waits are at their longest.

    python -m benchmarks.ledger [--database sqlite|postgresql|both] [--calls N] [--json]
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks.common import emit
from benchmarks.databases import backends
from karkhana.domain.chat import Usage
from karkhana.domain.money import Money, Unpriced, usd
from karkhana.domain.spending import Account, Budget, Period
from karkhana.routing.keys import VirtualKeys, digest, minted
from karkhana.routing.ledger import Ledger
from karkhana.routing.ledger_keeping import Closing, LedgerKeeper, Reservation
from karkhana.routing.prices import PriceBook, body_tokens, bound, cost
from karkhana.routing.prices_shipped import Wanted, shipped
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore
from karkhana.storage.virtual_key_store import VirtualKeyStore

CALLERS = 64
ROUNDS = 20_000
BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"' + b"words " * 600 + b'"}]}'
USAGE = Usage(input=900, cache_read=100, output=60)
BOUND, COST = usd("0.0102"), usd("0.000198")


def each_us(body: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Own CPU microseconds of ``body``."""
    began = time.process_time()
    for _ in range(rounds):
        body()
    return round((time.process_time() - began) / rounds * 1e6, 2)


def in_memory(database: Database) -> dict[str, float]:
    """What never leaves the process."""
    found = shipped((Wanted("https://api.anthropic.com", "claude-sonnet-4-5"),))
    assert found.cards[0] is not None
    book = PriceBook({("anthropic", "sonnet"): found.cards[0]})
    rate = book.rate(("anthropic", "sonnet"))
    assert not isinstance(rate, Unpriced)
    store = VirtualKeyStore(database)
    secret, key = minted("benchmark", models=("claude-*",), requests_per_minute=10**9, tokens_per_minute=10**12)
    store.add(key, digest(secret))
    holder = VirtualKeys(store).find(secret)
    keys = VirtualKeys(store)
    return {
        "find_key_us": each_us(lambda: keys.find(secret)),
        "check_model_us": each_us(lambda: holder.check("claude-5")),
        "limits_us": each_us(lambda: holder.limits.take(1000)),
        "rate_us": each_us(lambda: book.rate(("anthropic", "sonnet"))),
        "bound_us": each_us(lambda: bound(body_tokens(BODY), 1000, rate)),
        "cost_us": each_us(lambda: cost(USAGE, rate)),
    }


async def through_the_ledger(database: Database, calls: int) -> dict[str, float]:
    """Reserve and settle ``calls`` times with :data:`CALLERS` at once."""
    account, waits = Account("k1", "web"), []
    spent: dict[str, float] = {"reserve": 0.0, "settle": 0.0}

    async def caller(ledger: Ledger, count: int) -> None:
        for _ in range(count):
            began, own = time.perf_counter(), time.thread_time()
            reserving = ledger.reserve(account, "anthropic", "sonnet", BOUND, "benchmark")
            spent["reserve"] += time.thread_time() - own
            reservation = await reserving
            waits.append(time.perf_counter() - began)
            own = time.thread_time()
            ledger.settle(reservation, COST, USAGE)
            spent["settle"] += time.thread_time() - own

    async with Ledger(database) as ledger:
        await caller(ledger, 50)
        waits.clear()
        spent.update(reserve=0.0, settle=0.0)
        process, loop = time.process_time(), time.thread_time()
        await asyncio.gather(*(caller(ledger, calls // CALLERS) for _ in range(CALLERS)))
        await ledger.written()
        process, loop = time.process_time() - process, time.thread_time() - loop
    waits.sort()
    return {
        "reserve_us": round(spent["reserve"] / len(waits) * 1e6, 2),
        "settle_us": round(spent["settle"] / len(waits) * 1e6, 2),
        "loop_us_per_call": round(loop / len(waits) * 1e6, 2),
        "writing_us_per_call": round((process - loop) / len(waits) * 1e6, 2),
        "all_us_per_call": round(process / len(waits) * 1e6, 2),
        "wait_ms_p50": round(waits[len(waits) // 2] * 1000, 2),
        "wait_ms_p99": round(waits[len(waits) * 99 // 100] * 1000, 2),
    }


def batches(database: Database, sizes: tuple[int, ...] = (1, 8, 64)) -> dict[str, float]:
    """Own CPU per call of the writing alone, by how many share a transaction."""
    keeper = LedgerKeeper(LedgerStore(database), time.time)
    writer, number = keeper.start(), 0
    figures = {}
    for size in sizes:
        before: list[Closing] = []
        rounds = 3000 // size + 20
        began = time.process_time()
        for _ in range(rounds):
            opened = [
                Reservation(
                    entry=(writer << 40) + number + index,
                    account=Account("k1", "web"),
                    provider="anthropic",
                    model="sonnet",
                    prices="benchmark",
                    amount=10**9,
                    at=time.time(),
                    day="2026-11-21",
                )
                for index in range(size)
            ]
            number += size
            keeper.keep(opened, before)
            before = [Closing(one, ClosedEntry(one.entry, "settled", 10**8, 1.0, 1, 2, 3, 4, 5, 6)) for one in opened]
        figures[f"batch_{size}_us_per_call"] = round((time.process_time() - began) / rounds / size * 1e6, 2)
        keeper.keep([], before)
    keeper.stop()
    return figures


def measure(folder: Path, url: str | None, calls: int) -> dict[str, float]:
    """All figures on one database; checks that the balance is the sum of what was settled."""
    with open_database(url, folder) as database:
        budgets = BudgetStore(database)
        budgets.put(Budget(scope="key:k1", period=Period.MONTH, hard=usd(1_000_000)))
        budgets.put(Budget(scope="team:web", period=Period.DAY, soft=usd(1_000_000)))
        figures = uvloop.run(through_the_ledger(database, calls))
        [standing] = budgets.standings(["key:k1"], time.strftime("%Y-%m-%d", time.gmtime()))
        assert standing.used == Money(COST * (calls // CALLERS * CALLERS + 50))
        return {**figures, **batches(database), **in_memory(database)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="sqlite")
    arguments.add_argument("--calls", type=int, default=20_000)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    figures: dict[str, float] = {}
    for name, folder, url in backends(chosen.database):
        measured = measure(folder, url, chosen.calls)
        figures |= measured if name == "sqlite" else {f"{name}_{key}": value for key, value in measured.items()}
    emit("The ledger", figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
