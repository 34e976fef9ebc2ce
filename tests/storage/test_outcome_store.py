"""Outcomes in both databases: each change and each sign once, what was seen stays, no secret is kept."""

import msgspec
import pytest
from storage_support import ORDER

from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.storage.database import Database
from karkhana.storage.outcome_store import PLAIN, OutcomeStore
from karkhana.storage.tasks import TaskStore

SHOP, BANK = "/home/me/shop", "/home/me/bank"


@pytest.fixture
def store(database: Database) -> OutcomeStore:
    return OutcomeStore(database, redact=lambda text: text.replace("tok-correct-horse", "[redacted]"))


@pytest.fixture
def run_ids(tasks: TaskStore, clock) -> list[str]:
    found = []
    for _ in range(3):
        found.append(tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id)
        clock.move(1.0)
    return found


def change(run_id: str, repository: str = SHOP, at: float = 5.0) -> ScoredChange:
    return ScoredChange(
        run_id=run_id,
        repository=repository,
        type="bugfix",
        engineer="llm",
        model="large",
        strategy="plain@1",
        commit="c" * 40,
        score=0.81,
        raw=0.83,
        weights="3",
        components={"coverage": 1.0, "behaviour": 0.5},
        at=at,
    )


def reverted(run_id: str, commit: str = "5c1f", detail: str = "") -> Sign:
    return Sign.make(run_id, SignKind.REVERTED, commit, at=9.0, detail=detail, cause="regression")


def test_what_was_kept_comes_back_the_oldest_first(store: OutcomeStore, run_ids: list[str]) -> None:
    assert store.changes() == []
    first, second = change(run_ids[0], at=7.0), change(run_ids[1], BANK, at=6.0)
    store.keep(first)
    store.keep(second)
    assert store.changes() == [second, first]
    assert store.changes(repository=SHOP) == [first]
    assert store.changes(run_id=run_ids[1]) == [second]


def test_what_was_seen_stays_when_a_change_is_kept_again(store: OutcomeStore, run_ids: list[str]) -> None:
    store.keep(change(run_ids[0]))
    store.land(run_ids[0], "d" * 40, 8.0)
    store.land(run_ids[0], "e" * 40, 9.0)
    store.watched(SHOP, 30.0)
    store.watched(SHOP, 20.0)
    store.mark_spread(run_ids[0], "good")
    store.keep(msgspec.structs.replace(change(run_ids[0]), score=0.5))
    (found,) = store.changes()
    assert (found.score, found.landed_at, found.landed_as, found.watched_at) == (0.5, 8.0, "d" * 40, 30.0)
    assert store.spread() == {run_ids[0]: "good"}


def test_only_the_repository_that_was_watched(store: OutcomeStore, run_ids: list[str]) -> None:
    store.keep(change(run_ids[0]))
    store.keep(change(run_ids[1], BANK))
    store.watched(BANK, 30.0)
    assert [(c.repository, c.watched_at) for c in store.changes()] == [(SHOP, None), (BANK, 30.0)]


def test_a_sign_counts_once(store: OutcomeStore, run_ids: list[str]) -> None:
    store.keep(change(run_ids[0]))
    assert store.add(reverted(run_ids[0]))
    assert not store.add(reverted(run_ids[0]))
    assert store.add(reverted(run_ids[0], "7aa0"))
    assert store.add(reverted(run_ids[1]))
    assert [sign.reference for sign in store.signs([run_ids[0]])[run_ids[0]]] in (["5c1f", "7aa0"], ["7aa0", "5c1f"])
    assert set(store.signs()) == {run_ids[0], run_ids[1]}
    assert set(store.signs(run_ids[1:])) == {run_ids[1]}


def test_no_secret_is_kept(store: OutcomeStore, run_ids: list[str]) -> None:
    store.add(reverted(run_ids[0], detail="Revert: it printed tok-correct-horse"))
    assert store.signs()[run_ids[0]][0].detail == "Revert: it printed [redacted]"


def test_all_is_forgotten(store: OutcomeStore, run_ids: list[str]) -> None:
    store.keep(change(run_ids[0]))
    store.add(reverted(run_ids[0]))
    store.clear()
    assert (store.changes(), store.signs()) == ([], {})


def test_the_newest_come_with_what_tells_how_they_turned_out(store: OutcomeStore, run_ids: list[str]) -> None:
    for run_id, at in zip(run_ids, (7.0, 6.0, 8.0), strict=True):
        store.keep(change(run_id, at=at))
    store.land(run_ids[0], "d" * 40, 7.5)
    store.watched(SHOP, 9.0)
    whole = {each.run_id: each for each in store.changes()}
    found = store.newest(2)
    assert [each.change.run_id for each in found] == [run_ids[0], run_ids[2]]
    for each in found:
        assert [getattr(each.change, name) for name in PLAIN] == [
            getattr(whole[each.change.run_id], name) for name in PLAIN
        ]
        assert (each.product, each.asked) == ("shop", False)
