"""The factory in numbers, on both databases."""

from storage_support import ORDER, StoppedClock

from karkhana.domain.tasks import Status
from karkhana.storage.database import Database
from karkhana.storage.figures import SCORES, Waiting, figures
from karkhana.storage.runs import RunStore
from karkhana.storage.tables import intake_answers, ledger_entries
from karkhana.storage.tasks import TaskStore


def test_an_empty_factory_has_figures(database: Database) -> None:
    found = figures(database)
    assert (found.tasks, found.started, found.finished, found.costs) == ({}, {}, {}, {})
    assert (found.held, found.overdue, found.parked, found.oldest_ready_s) == (0, 0, 0, 0.0)
    assert found.outboxes["answers"] == Waiting(0, 0.0)


def test_tasks_runs_and_leases_are_counted(
    database: Database, tasks: TaskStore, runs: RunStore, clock: StoppedClock
) -> None:
    claims = [tasks.add_and_claim(ORDER, "worker", 20.0)[1] for _ in range(4)]
    runs.finish(claims[0].run_id, 1, Status.DELIVERED, b"{}", engineer="symbolic", quality_score=0.9)
    runs.finish(claims[1].run_id, 1, Status.FAILED, b"{}", quality_score=0.901)
    runs.park(claims[2].run_id, 1)
    clock.move(15)
    tasks.add(ORDER)
    clock.move(10)
    found = figures(database, clock)
    assert found.tasks == {"delivered": 1, "failed": 1, "planning": 2, "queued": 1}
    assert found.oldest_ready_s == 10.0
    assert found.started == {"bugfix": 4}
    assert found.finished == {("delivered", "bugfix", "symbolic"): 1, ("failed", "bugfix", ""): 1}
    assert (found.held, found.overdue, found.parked) == (0, 1, 1)
    assert dict(zip(SCORES, found.scores, strict=True))[0.9] == 1
    assert dict(zip(SCORES, found.scores, strict=True))[0.95] == 1
    assert abs(found.score_sum - 1.801) < 1e-9


def test_money_and_what_waits_to_be_sent_are_counted(database: Database, clock: StoppedClock) -> None:
    entry = dict.fromkeys(("key_id", "team", "task_id", "prices", "attempt"), "")
    entry |= {"writer": 1, "at": 0.0, "day": "2026-05-12", "provider": "p", "model": "m", "state": "settled"}
    answer = {"door": "d", "reference": "r", "task_id": "t", "text": "x", "due_at": 0.0, "attempts": 0}
    now = clock().timestamp()
    with database.writing() as connection:
        for number, cost in enumerate((1_500_000_000_000, None)):
            connection.execute(ledger_entries.insert().values(**entry, entry=number, cost=cost))
        connection.execute(intake_answers.insert().values(**answer, at=now - 30.0, sent_at=None))
        connection.execute(intake_answers.insert().values(**answer, at=now - 90.0, sent_at=now))
    found = figures(database, clock)
    assert found.costs == {("p", "m"): (2, 1.5)}
    assert found.outboxes["answers"] == Waiting(1, 30.0)
