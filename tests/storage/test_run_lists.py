"""Lists of runs by filter and cursor, on both databases, and from an index."""

import pytest
import sqlalchemy as sa
from storage_support import ORDER

from karkhana.domain.events import ModelAnswered
from karkhana.domain.tasks import Status, TaskType
from karkhana.storage.run_lists import RunFilter, RunLists


@pytest.fixture
def lists(database) -> RunLists:
    return RunLists(database)


@pytest.fixture
def made(tasks, runs, clock) -> list[str]:
    """Six runs: of two products in turn, the first failed and the last delivered."""
    found = []
    for number in range(6):
        clock.move(1)
        _, claim = tasks.add_and_claim(
            ORDER, "worker", 20.0, product=f"shop{number % 2}", title=f"ticket {number} 100%"
        )
        found.append(claim.run_id)
    runs.finish(found[0], 1, Status.FAILED, b"{}", engineer="llm")
    runs.finish(found[5], 1, Status.DELIVERED, b"{}", engineer="symbolic", quality_score=0.93)
    return found


def ids(rows) -> list[str]:
    return [row.run_id for row in rows]


def test_newest_first_and_by_cursor_both_ways(lists, made):
    down = made[::-1]
    assert ids(lists.page(RunFilter(), limit=2)) == down[:2]
    assert ids(lists.page(RunFilter(), before=down[1], limit=2)) == down[2:4]
    assert ids(lists.page(RunFilter(), after=down[4], limit=2)) == down[2:4]


def test_filters_hold_together(lists, made):
    assert ids(lists.page(RunFilter(status=Status.FAILED))) == made[:1]
    assert ids(lists.page(RunFilter(product="shop1"))) == [made[5], made[3], made[1]]
    assert ids(lists.page(RunFilter(product="shop1", status=Status.DELIVERED))) == [made[5]]
    assert ids(lists.page(RunFilter(type=TaskType.DEPS))) == []


def test_a_row_tells_of_its_run(lists, made):
    row = lists.page(RunFilter(), limit=1)[0]
    assert (row.title, row.product, row.type, row.status) == ("ticket 5 100%", "shop1", "bugfix", Status.DELIVERED)
    assert (row.engineer, row.score, row.worker) == ("symbolic", 0.93, "")
    assert lists.get("run_nothing") is None


def test_counts(lists, made, tasks, clock):
    tasks.add(ORDER)
    assert lists.queued() == 1
    assert lists.count(Status.PLANNING) == 4
    assert ids(lists.active()) == made[1:5]
    assert lists.finished_since(clock().timestamp() - 1) == {"failed": 1, "delivered": 1}
    assert lists.finished_since(clock().timestamp() + 1) == {}
    assert lists.products() == ["shop0", "shop1"]


def test_finding_by_name(lists, made):
    assert made[0] in ids(lists.named(made[0][:10]))
    assert made[2] in ids(lists.named(made[2]))
    assert ids(lists.named("TICKET 3")) == [made[3]]
    assert ids(lists.named("tick")) == made[::-1]
    assert ids(lists.named("t 100%")) == made[::-1]
    assert ids(lists.named("4 ticket")) == [made[4]]
    for nothing in ("%", "_icket", "icket", "ticket 7", "", "   "):
        assert lists.named(nothing) == [], nothing
    assert len(lists.named("BUILD-")) == 6


def test_the_pulse_changes_with_every_event_and_ticket(lists, made, log, tasks):
    seen = [lists.pulse()]
    assert lists.pulse() == seen[0]
    log.trail(made[1], 1).record(ModelAnswered(turn=1, purpose="work", model="m", answer={}))
    seen.append(lists.pulse())
    tasks.add(ORDER)
    seen.append(lists.pulse())
    assert len(set(seen)) == 3
    assert lists.heads([made[1]])[made[1]].seq == 1


def test_costs_leave_the_database_without_their_answers(lists, made, log):
    trail = log.trail(made[1], 1)
    for cost, recalled in (("0.25", False), ("9", True), ("", False)):
        answer = ModelAnswered(turn=1, purpose="work", model="m", answer={"a": 1}, cost_usd=cost, recalled=recalled)
        trail.record(answer)
    assert lists.spent(made[:2]) == {made[0]: [], made[1]: [(1, "0.25", False), (2, "9", True), (3, "", False)]}
    assert lists.spent([made[1]], after=2) == {made[1]: [(3, "", False)]}


def test_every_list_is_read_from_an_index(database):
    if database.kind != "sqlite":
        pytest.skip("a planner that counts rows would rather scan six")
    with database.reading() as connection:
        for column in ("status", "product", "type"):
            query = f"SELECT * FROM runs WHERE {column} = 'x' AND run_id < 'y' ORDER BY run_id DESC LIMIT 51"
            plan = " ".join(row[3] for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}")))
            assert f"ix_runs_{column}_run_id" in plan
            assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        ((True, frozenset()), [0, 1, 2, 3, 4, 5]),
        ((True, frozenset({"shop1"})), [0, 2, 4]),
        ((False, frozenset({"shop1"})), [1, 3, 5]),
        ((False, frozenset({"shop0", "shop1"})), [0, 1, 2, 3, 4, 5]),
        ((True, frozenset({"shop0", "shop1"})), []),
        ((False, frozenset()), []),
    ],
)
def test_what_may_not_be_seen_is_in_no_list_and_no_count(lists, made, tasks, visible, seen):
    mine = [made[number] for number in seen]
    assert ids(lists.page(RunFilter(visible=visible))) == mine[::-1]
    assert ids(lists.active(visible=visible)) == [run for run in mine if run not in (made[0], made[5])]
    assert lists.count(Status.PLANNING, visible=visible) == len(set(mine) - {made[0], made[5]})
    ended = lists.finished_since(0.0, visible=visible)
    assert sum(ended.values()) == len(set(mine) & {made[0], made[5]})
    assert lists.products(visible=visible) == sorted({f"shop{number % 2}" for number in seen})
    assert sorted(ids(lists.named("ticket", visible=visible))) == sorted(mine)
    assert sorted(ids(lists.named("run_", visible=visible))) == sorted(mine)
    tasks.add(ORDER, product="shop0")
    tasks.add(ORDER, product="shop1")
    mine = {f"shop{number % 2}" for number in seen}
    assert lists.queued(visible=visible) == len(mine)
    assert {task.product for task in tasks.list(status=Status.QUEUED, visible=visible)} == mine
