"""The ledger as a gateway uses it: in parallel, in several processes, through crashes and broken connections."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from karkhana.domain.chat import Usage
from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.money import ZERO, Unpriced, money, usd
from karkhana.domain.spending import Account, Budget, Period
from karkhana.routing.budgets import BudgetReached, PriceUnknown
from karkhana.routing.ledger import LARGEST_CALL, Ledger, reservation_of, room
from karkhana.routing.ledger_keeping import LOST_AFTER_S, Reservation
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader

ACCOUNT = Account("k1", "web")
USAGE = Usage(input=10, cache_read=20, output=5)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_home')}/karkhana.sqlite3"
    found: str = request.getfixturevalue("postgres_migrated_url")
    return found


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    with open_database(url, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def reader(database: Database) -> LedgerReader:
    return LedgerReader(database)


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def limit(database: Database, hard: str, scope: str = "key:k1", period: Period = Period.TOTAL) -> None:
    BudgetStore(database).put(Budget(scope=scope, period=period, hard=usd(hard)))


async def reserve(ledger: Ledger, amount: str = "0.01", account: Account = ACCOUNT) -> Reservation:
    return await ledger.reserve(account, "openai", "gpt", usd(amount), "v1")


def test_a_reservation_is_on_disk_before_the_call_and_its_cost_after(database, reader) -> None:
    async def work() -> None:
        async with Ledger(database) as ledger:
            made = await reserve(ledger, "0.5")
            [entry] = reader.entries()
            assert (entry.state, entry.reserved, entry.cost) == ("open", usd("0.5"), None)
            assert (entry.account, entry.provider, entry.model, entry.prices) == (ACCOUNT, "openai", "gpt", "v1")
            assert entry.day == today()
            ledger.settle(made, usd("0.123456789012"), USAGE)
            ledger.settle(made, usd("9"), USAGE)
            await ledger.written()
            entry = reader.entries()[0]
            assert (entry.state, entry.cost, entry.usage) == ("settled", usd("0.123456789012"), USAGE)

    run(work())


def test_two_hundred_at_once_never_pass_the_budget(database, reader) -> None:
    limit(database, "0.50")

    async def work() -> None:
        async with Ledger(database) as ledger:
            made = await asyncio.gather(*(reserve(ledger) for _ in range(200)), return_exceptions=True)
            admitted = [one for one in made if isinstance(one, Reservation)]
            assert len(admitted) == 50
            assert {type(one) for one in made} == {Reservation, BudgetReached}
            for one in admitted[:20]:
                ledger.release(one)
            for one in admitted[20:]:
                ledger.settle(one, usd("0.01"), USAGE)
            more = await asyncio.gather(*(reserve(ledger) for _ in range(200)), return_exceptions=True)
            assert sum(isinstance(one, Reservation) for one in more) == 20

    run(work())
    assert BudgetStore(database).standings(["key:k1"], today())[0].used == usd("0.5")
    assert reader.sums("key_id")[0].calls == 50


def spend(url: str, home: str, count: int) -> int:
    async def work() -> int:
        with open_database(url, Path(home)) as database:
            async with Ledger(database) as ledger:
                made = await asyncio.gather(*(reserve(ledger) for _ in range(count)), return_exceptions=True)
                admitted = [one for one in made if isinstance(one, Reservation)]
                for one in admitted:
                    ledger.settle(one, usd("0.01"), USAGE)
                return len(admitted)

    return int(run(work()))


def test_several_processes_share_a_budget_and_never_pass_it(url: str, database, tmp_path: Path) -> None:
    limit(database, "1.00", "team:web", Period.MONTH)
    with get_context("spawn").Pool(2) as pool:
        counts = pool.starmap(spend, [(url, str(tmp_path / "home"), 120)] * 2)
    assert sum(counts) == 100
    [standing] = BudgetStore(database).standings(["team:web"], today())
    assert (standing.spent, standing.reserved) == (usd(1), ZERO)


CRASH = """
import asyncio, os, signal, sys
from pathlib import Path
from test_ledger import ACCOUNT, USAGE, Ledger, open_database, reserve, usd

async def work():
    database = open_database(sys.argv[1], Path(sys.argv[2]))
    ledger = await Ledger(database).__aenter__()
    made = await asyncio.gather(*(reserve(ledger, "0.10") for _ in range(30)))
    for one in made[:12]:
        ledger.settle(one, usd("0.03"), USAGE)
    await ledger.written()
    for one in made[12:20]:
        ledger.settle(one, usd("0.03"), USAGE)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(work())
"""


def test_after_kill_9_what_was_written_stands_and_the_rest_costs_what_was_reserved(
    url, database, reader, tmp_path
) -> None:
    limit(database, "10")
    command = [sys.executable, "-c", CRASH, url, str(tmp_path / "home")]
    crashed = subprocess.run(command, cwd=Path(__file__).parent, check=False, capture_output=True)
    assert crashed.returncode == -signal.SIGKILL, crashed.stderr
    [before] = BudgetStore(database).standings(["key:k1"], today())
    assert (before.spent, before.reserved) == (usd("0.36"), usd("1.80"))

    async def later() -> None:
        async with Ledger(database, lambda: time.time() + LOST_AFTER_S + 1):
            pass

    run(later())
    [after] = BudgetStore(database).standings(["key:k1"], today())
    assert (after.spent, after.reserved) == (usd("0.36") + usd("1.80"), ZERO)
    assert len(reader.entries(state="unknown")) == 18


def test_what_was_charged_as_unknown_is_settled_anew_when_the_provider_told(database, reader) -> None:
    limit(database, "10")

    async def work() -> None:
        async with Ledger(database) as ledger:
            ledger.settle_unknown(await reserve(ledger, "0.10"))
            await ledger.written()
            [entry] = reader.entries(state="unknown")
            assert entry.cost == usd("0.10")
            ledger.settle(reservation_of(entry), usd("0.02"), USAGE)

    run(work())
    assert [(entry.state, entry.cost) for entry in reader.entries()] == [("settled", usd("0.02"))]
    assert BudgetStore(database).standings(["key:k1"], today())[0].spent == usd("0.02")


def test_a_call_that_costs_more_than_reserved_is_recorded_as_that(database, reader) -> None:
    limit(database, "1")

    async def work() -> None:
        async with Ledger(database) as ledger:
            ledger.settle(await reserve(ledger, "0.9"), usd("1.25"), USAGE)
            with pytest.raises(BudgetReached, match=r"\$1.25"):
                await reserve(ledger, "0.01")

    run(work())
    assert [entry.overrun for entry in reader.entries()] == [usd("0.35")]


def test_a_soft_limit_warns_from_the_call_that_passes_it(database) -> None:
    BudgetStore(database).put(Budget(scope="team:web", period=Period.DAY, soft=usd("0.15")))

    async def work() -> None:
        async with Ledger(database) as ledger:
            made = [await reserve(ledger, "0.10") for _ in range(2)]
            assert made[0].warnings == []
            assert [warning.used for warning in made[1].warnings] == [usd("0.20")]

    run(work())


def test_without_a_price_calls_are_written_down_but_not_under_a_hard_limit(database, reader) -> None:
    unknown = Unpriced("house/llama")

    async def work() -> None:
        async with Ledger(database) as ledger:
            made = await ledger.reserve(ACCOUNT, "house", "llama", unknown, "")
            ledger.settle(made, unknown, USAGE)
            await ledger.written()
            limit(database, "5", "team:web")
            with pytest.raises(PriceUnknown, match="house/llama"):
                await ledger.reserve(ACCOUNT, "house", "llama", unknown, "")

    run(work())
    [entry] = reader.entries()
    assert (entry.reserved, entry.cost, entry.usage, entry.state) == (None, None, USAGE, "settled")
    assert reader.sums("model")[0].unpriced == 1


@pytest.mark.parametrize(
    ("cost", "usage"),
    [
        (usd("9000000"), USAGE),
        (Unpriced("openai/gpt"), USAGE),
        (usd(1), Usage(input=1 << 70)),
        (usd(1), Usage(output=1 << 51)),
        (usd(1), Usage(reasoning=1 << 64)),
    ],
)
def test_a_count_that_cannot_be_true_counts_as_unknown(database, reader, cost, usage) -> None:
    async def work() -> None:
        async with Ledger(database) as ledger:
            first = await reserve(ledger, "8999999")
            ledger.settle(first, cost, usage)
            ledger.settle(await reserve(ledger), usd("0.01"), USAGE)

    run(work())
    assert [(entry.state, entry.cost) for entry in reader.entries()] == [
        ("unknown", LARGEST_CALL),
        ("settled", usd("0.01")),
    ]


def test_who_stops_waiting_has_reserved_nothing(database, reader) -> None:
    limit(database, "1")

    async def work() -> None:
        async with Ledger(database) as ledger:
            for pause in (0.0, 0.0005, 0.003):
                waiting = [asyncio.ensure_future(reserve(ledger)) for _ in range(20)]
                await asyncio.sleep(pause)
                for one in waiting:
                    one.cancel()
                for made in await asyncio.gather(*waiting, return_exceptions=True):
                    if isinstance(made, Reservation):
                        ledger.release(made)

    run(work())
    assert BudgetStore(database).standings(["key:k1"], today())[0].used == ZERO
    assert {entry.state for entry in reader.entries()} <= {"released"}


def test_a_paused_run_goes_on_when_the_limit_is_raised(database) -> None:
    limit(database, "0.01")

    async def work() -> None:
        async with Ledger(database) as ledger:
            with pytest.raises(BudgetReached) as caught:
                await reserve(ledger, "0.02")
            budgets = BudgetStore(database)
            waiting = asyncio.ensure_future(room(budgets, caught.value, every_s=0.01))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await asyncio.to_thread(limit, database, "0.02")
            await waiting
            assert (await reserve(ledger, "0.02")).amount == 2 * 10**10

    run(work())


def test_a_paused_run_goes_on_in_the_next_period_or_without_the_budget(database) -> None:
    limit(database, "0.01", period=Period.DAY)
    now = time.time()

    async def work() -> None:
        async with Ledger(database) as ledger:
            await reserve(ledger, "0.01")
            with pytest.raises(BudgetReached) as caught:
                await reserve(ledger, "0.01")
            budgets = BudgetStore(database)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(room(budgets, caught.value, every_s=0.01, clock=lambda: now), 0.05)
                raise AssertionError("there is no room yet")
            await room(budgets, caught.value, clock=lambda: now + 86_400)
            budgets.remove("key:k1", Period.DAY)
            await room(budgets, caught.value, clock=lambda: now)

    run(work())


@pytest.mark.postgres
def test_a_broken_connection_refuses_new_calls_and_loses_no_cost(
    postgres_migrated_url: str, postgres_server, tmp_path: Path
) -> None:
    with open_database(postgres_migrated_url, tmp_path / "home") as database:
        limit(database, "10")

        async def work() -> None:
            async with Ledger(database) as ledger:
                made = await reserve(ledger, "1")
                postgres_server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"
                )
                ledger.settle(made, usd("0.7"), USAGE)
                with pytest.raises(InfrastructureFailure):
                    await reserve(ledger, "1")
                assert isinstance(ledger.failure, InfrastructureFailure)
                await asyncio.sleep(0.6)
                assert (await reserve(ledger, "1")).amount == 10**12
                assert ledger.failure is None

        run(work())
        database.engine.dispose()
        [standing] = BudgetStore(database).standings(["key:k1"], today())
        assert (standing.spent, standing.reserved) == (usd("0.7"), usd(1))


def test_no_account_and_no_budget_are_written_down_all_the_same(database, reader) -> None:
    async def work() -> None:
        async with Ledger(database) as ledger:
            ledger.settle(await reserve(ledger, account=Account()), money(5), USAGE)

    run(work())
    assert [(entry.account, entry.cost) for entry in reader.entries()] == [(Account(), money(5))]
