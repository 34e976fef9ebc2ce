"""The ledger against a model of it: what is admitted, what is charged, and that balances are the sums of entries."""

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.money import money, picos
from karkhana.domain.spending import Account, Budget, Period, start_of
from karkhana.routing.budgets import BudgetReached, PriceUnknown
from karkhana.routing.ledger_keeping import LOST_AFTER_S, Closing, LedgerKeeper, Reservation
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore

ACCOUNTS = st.sampled_from([Account("a", "x"), Account("b", "x", "t"), Account("b", "y"), Account()])
SCOPES = ("key:a", "key:b", "team:x", "team:y", "task:t")
DAYS = ("2026-10-31", "2026-11-01", "2026-11-02")
TENS = st.integers(0, 6).map(lambda count: count * 10)
"""Coarse, so that limits are met exactly."""
AMOUNTS = st.none() | TENS


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def reservation(keeper: LedgerKeeper, number: int, account: Account, amount: int | None, day: str) -> Reservation:
    return Reservation(
        entry=(keeper.writer << 40) + number,
        account=account,
        provider="p",
        model="m",
        prices="v",
        amount=amount,
        at=1.0,
        day=day,
    )


def closing(made: Reservation, state: str, cost: int | None) -> Closing:
    return Closing(made, ClosedEntry(made.entry, state, cost, 2.0))


class Books(RuleBasedStateMachine):
    """Keeps the same books in the plainest way, and compares."""

    template: ClassVar[Path]
    entries = Bundle("entries")

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.home)
        self.database = open_database(None, self.home)
        self.budget_store = BudgetStore(self.database)
        self.clock = Clock()
        self.stores: list[LedgerStore] = []
        self.numbers = 0
        self.budgets: dict[tuple[str, Period], Budget] = {}
        self.books: dict[int, tuple[Reservation, str, int]] = {}
        self.crash()

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.database.close()
        shutil.rmtree(self.home)

    def sums(self, scope: str, period: Period, start: str) -> tuple[int, int]:
        mine = [
            (made.amount or 0, state, cost)
            for made, state, cost in self.books.values()
            if scope in made.account.scopes and start_of(period, made.day) == start
        ]
        spent = sum(cost for _, state, cost in mine if state != "open")
        return spent, sum(amount for amount, state, _ in mine if state == "open")

    def fits(self, made: Reservation) -> type[KarkhanaError] | None:
        hard = [b for b in self.budgets.values() if b.scope in made.account.scopes and b.hard is not None]
        if made.amount is None:
            return PriceUnknown if hard else None
        for budget in hard:
            used = sum(self.sums(budget.scope, budget.period, start_of(budget.period, made.day)))
            if used + made.amount > picos(budget.hard or money(0)):
                return BudgetReached
        return None

    @rule(
        scope=st.sampled_from(SCOPES),
        period=st.sampled_from(list(Period)),
        soft=st.none() | TENS,
        hard=st.none() | TENS.map(lambda limit: limit * 3),
    )
    def set_budget(self, scope: str, period: Period, soft: int | None, hard: int | None) -> None:
        if soft is None and hard is None:
            if (scope, period) in self.budgets:
                assert self.budget_store.remove(scope, period)
                del self.budgets[scope, period]
            return
        if soft is not None and hard is not None:
            soft = min(soft, hard)
        budget = Budget(
            scope=scope,
            period=period,
            soft=None if soft is None else money(soft),
            hard=None if hard is None else money(hard),
        )
        self.budget_store.put(budget)
        self.budgets[scope, period] = budget

    @rule(
        target=entries,
        wanted=st.lists(st.tuples(ACCOUNTS, AMOUNTS, st.sampled_from(DAYS)), max_size=12),
    )
    def open(self, wanted: list[tuple[Account, int | None, str]]):
        made = []
        for account, amount, day in wanted:
            self.numbers += 1
            made.append(reservation(self.keeper, self.numbers, account, amount, day))
        outcomes = self.keeper.keep(made, [])
        admitted = []
        for each, outcome in zip(made, outcomes, strict=True):
            expected = self.fits(each)
            assert (None if outcome is None else type(outcome)) is expected
            if expected is None:
                self.books[each.entry] = each, "open", 0
                admitted.append(each)
                self.check_warnings(each)
        return multiple(*admitted)

    def check_warnings(self, made: Reservation) -> None:
        passed = set()
        for budget in self.budgets.values():
            if budget.scope in made.account.scopes and budget.soft is not None:
                used = sum(self.sums(budget.scope, budget.period, start_of(budget.period, made.day)))
                if used > picos(budget.soft):
                    passed.add((budget.scope, budget.period))
        assert {(warning.budget.scope, warning.budget.period) for warning in made.warnings} == passed

    @rule(
        closings=st.lists(
            st.tuples(entries, st.sampled_from(["settled", "released", "unknown"]), st.integers(0, 200)), max_size=8
        )
    )
    def close(self, closings: list[tuple[Reservation, str, int]]) -> None:
        batch = []
        for made, state, cost in {made.entry: (made, state, cost) for made, state, cost in closings}.values():
            paid = {"released": 0, "unknown": made.amount or 0}.get(state, cost)
            batch.append(closing(made, state, None if made.amount is None else paid))
            before = self.books[made.entry]
            # one that was given up for lost may still be told right; what is settled stays as it is
            if before[1] in ("open", "unknown"):
                self.books[made.entry] = made, state, 0 if made.amount is None else paid
        self.keeper.keep([], batch)

    @rule()
    def crash(self) -> None:
        """The process ends without a word, another one begins."""
        store = LedgerStore(self.database)
        self.stores.append(store)
        self.keeper = LedgerKeeper(store, self.clock)
        self.keeper.start()

    @rule(seconds=st.sampled_from([1.0, LOST_AFTER_S / 2, LOST_AFTER_S * 1.5]))
    def beat(self, seconds: float) -> None:
        self.keeper.beat()
        self.clock.now += seconds
        self.keeper.beat()

    @invariant()
    def entries_are_as_expected(self) -> None:
        mine = self.keeper.writer << 40
        for entry in LedgerReader(self.database).entries():
            made, state, cost = self.books[entry.entry]
            if state == "open" and entry.state == "unknown":
                # charged in a recovery: only what a writer left that is gone
                assert entry.entry < mine
                assert entry.cost == entry.reserved
                self.books[entry.entry] = made, "unknown", made.amount or 0
                continue
            assert entry.state == state
            assert entry.cost is None or entry.cost == money(cost)
            assert (entry.reserved is None) == (made.amount is None)

    @invariant()
    def balances_are_sums_of_entries(self) -> None:
        self.entries_are_as_expected()
        for day in DAYS:
            for standing in self.budget_store.standings(SCOPES, day):
                budget = standing.budget
                assert budget == self.budgets[budget.scope, budget.period]
                spent, reserved = self.sums(budget.scope, budget.period, standing.start)
                assert (standing.spent, standing.reserved) == (money(spent), money(reserved))


def test_the_ledger_keeps_the_books_right(sqlite_template: Path) -> None:
    Books.template = sqlite_template
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            # each step of a search for a smaller example opens a database: that would take minutes
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('sqlite_home')}/karkhana.sqlite3"
    else:
        url = request.getfixturevalue("postgres_migrated_url")
    with open_database(url, tmp_path / "home") as opened:
        yield opened


def test_it_does_on_both_databases(database: Database) -> None:
    budgets = BudgetStore(database)
    budgets.put(Budget(scope="team:x", period=Period.DAY, hard=money(100)))
    keeper = LedgerKeeper(LedgerStore(database), Clock())
    keeper.start()
    made = [reservation(keeper, n, Account("a", "x"), 30, DAYS[0]) for n in range(1, 6)]
    outcomes = keeper.keep(made, [])
    assert [outcome is None for outcome in outcomes] == [True, True, True, False, False]
    keeper.keep([], [closing(made[0], "settled", 45), closing(made[1], "released", 0), closing(made[4], "settled", 9)])
    keeper.keep([], [closing(made[0], "settled", 45)])
    [standing] = budgets.standings(["team:x"], DAYS[0])
    assert (standing.spent, standing.reserved) == (money(45), money(30))
    keeper.stop()


def test_what_was_given_up_for_lost_is_corrected_when_it_was_only_late(database: Database) -> None:
    clock = Clock()
    budgets = BudgetStore(database)
    budgets.put(Budget(scope="key:a", period=Period.TOTAL, hard=money(100)))
    late, other = LedgerKeeper(LedgerStore(database), clock), LedgerKeeper(LedgerStore(database), clock)
    late.start()
    made = reservation(late, 1, Account("a"), 60, DAYS[0])
    assert late.keep([made], []) == [None]
    clock.now += LOST_AFTER_S + 1
    other.start()
    assert other.beat() == 1
    assert budgets.standings(["key:a"], DAYS[0])[0].spent == money(60)
    late.keep([], [closing(made, "settled", 7)])
    [standing] = budgets.standings(["key:a"], DAYS[0])
    assert (standing.spent, standing.reserved) == (money(7), money(0))
    late.stop()
    other.stop()


def test_what_is_open_when_a_writer_leaves_is_charged_by_the_next(database: Database) -> None:
    first, second = (LedgerKeeper(LedgerStore(database), Clock()) for _ in range(2))
    first.start()
    first.keep([reservation(first, 1, Account("a"), 60, DAYS[0])], [])
    first.stop()
    second.start()
    assert second.beat() == 1
    [entry] = LedgerReader(database).entries()
    assert (entry.state, entry.cost) == ("unknown", money(60))
    second.stop()
