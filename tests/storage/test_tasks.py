import random
import time
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from storage_support import ORDER

from karkhana.domain.errors import InvalidInput, UnknownTask
from karkhana.domain.tasks import Status, Ticket
from karkhana.storage.database import open_database
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import Blocker, TaskStore, next_ready


def test_a_task_is_stored_with_everything(tasks, clock):
    first = tasks.add(ORDER)
    task = tasks.add(
        ORDER,
        product="till",
        title="Round up",
        priority=9,
        generated_by="roadmap",
        estimated_duration=120.0,
        depends_on=[first.task_id, first.task_id],
        tags=["gpu", "arm", "gpu"],
    )
    assert task.task_id == "BUILD-2026-05-12-002"
    assert task.dependencies == (first.task_id,)
    assert task.tags == ("arm", "gpu")
    assert task.created_at == clock.now
    assert tasks.get(task.task_id) == task
    assert tasks.order(task.task_id) == ORDER
    assert (first.title, first.product) == ("total() is wrong", "shop")


@pytest.mark.parametrize("text", ["a\0b", "caf\udce9 is wrong", "$blob", "x" * 20_000, "ü" * 9000, ""])
def test_any_ticket_text_comes_back(tasks, text):
    order = msgspec.structs.replace(ORDER, ticket=Ticket(text=text), repository="/srv/\udce9/x")
    assert tasks.order(tasks.add(order).task_id) == order


def test_no_secret_of_a_ticket_is_stored(database, tasks):
    order = msgspec.structs.replace(ORDER, ticket=Ticket(text="use tok-correct-horse\nnow"))
    task = TaskStore(database, redactor=Redactor({"SHOP_TOKEN": "tok-correct-horse"})).add(order)
    assert task.title == "use [redacted:SHOP_TOKEN]"
    assert tasks.order(task.task_id).ticket.text == "use [redacted:SHOP_TOKEN]\nnow"


def test_unknown_tasks(tasks):
    for call in (tasks.get, tasks.order, tasks.cancel, tasks.blocked_by):
        with pytest.raises(UnknownTask, match="BUILD-x"):
            call("BUILD-x")
    with pytest.raises(UnknownTask, match="BUILD-y"):
        tasks.add(ORDER, depends_on=[tasks.add(ORDER).task_id, "BUILD-y"])
    with pytest.raises(UnknownTask):
        tasks.set_status("BUILD-x", Status.QUEUED)
    assert len(tasks.list()) == 1


@pytest.mark.parametrize("priority", [0, 11, -1])
def test_a_priority_that_cannot_be(tasks, priority):
    with pytest.raises(InvalidInput, match="between 1 and 10"):
        tasks.add(ORDER, priority=priority)


def test_the_highest_priority_is_claimed_first_and_the_oldest_among_equals(tasks, clock):
    added = []
    for priority in (1, 5, 10, 5, 10):
        clock.move(1)
        added.append(tasks.add(ORDER, priority=priority).task_id)
    claimed = [tasks.claim("w", [], 20.0).task_id for _ in added]
    assert claimed == [added[i] for i in (2, 4, 1, 3, 0)]
    assert tasks.claim("w", [], 20.0) is None


def test_a_claim_begins_a_run(tasks, runs, clock):
    task = tasks.add(ORDER)
    claim = tasks.claim("w1", [], 20.0)
    assert (claim.task_id, claim.epoch) == (task.task_id, 1)
    lease = runs.lease(claim.run_id)
    assert (lease.owner, lease.expires_at) == ("w1", clock.now.timestamp() + 20.0)
    assert runs.get(claim.run_id).status is Status.PLANNING
    after = tasks.get(task.task_id)
    assert (after.status, after.assigned_to) == (Status.PLANNING, "w1")


def test_a_task_needs_a_worker_with_all_its_tags(tasks):
    both = tasks.add(ORDER, priority=10, tags=["gpu", "arm"]).task_id
    gpu = tasks.add(ORDER, priority=9, tags=["gpu"]).task_id
    plain = tasks.add(ORDER, priority=1).task_id
    assert tasks.claim("w", ["x86"], 20.0).task_id == plain
    assert tasks.claim("w", [], 20.0) is None
    assert tasks.claim("w", ["gpu", "x86"], 20.0).task_id == gpu
    assert tasks.claim("w", ["arm", "gpu"], 20.0).task_id == both


@pytest.mark.parametrize("satisfied", [Status.DELIVERED, Status.DEPLOYED])
def test_a_task_starts_when_all_its_dependencies_are_satisfied(tasks, satisfied):
    a, b = tasks.add(ORDER).task_id, tasks.add(ORDER).task_id
    last = tasks.add(ORDER, priority=10, depends_on=[a, b]).task_id
    assert [tasks.claim("w", [], 20.0).task_id for _ in range(2)] == [a, b]
    assert tasks.claim("w", [], 20.0) is None
    tasks.set_status(a, satisfied)
    assert tasks.claim("w", [], 20.0) is None
    assert tasks.blocked_by(last) == (Blocker(b, Status.PLANNING),)
    tasks.set_status(b, satisfied)
    tasks.set_status(b, satisfied)
    assert tasks.blocked_by(last) == ()
    assert tasks.claim("w", [], 20.0).task_id == last


def test_a_dependency_that_is_rolled_back_blocks_again(tasks):
    a = tasks.add(ORDER).task_id
    tasks.set_status(a, Status.DEPLOYED)
    b = tasks.add(ORDER, depends_on=[a]).task_id
    tasks.set_status(a, Status.ROLLED_BACK)
    assert tasks.claim("w", [], 20.0) is None
    assert tasks.blocked_by(b) == (Blocker(a, Status.ROLLED_BACK),)
    tasks.set_status(a, Status.DELIVERED)
    assert tasks.claim("w", [], 20.0).task_id == b


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.REJECTED])
def test_a_task_whose_dependency_ended_badly_stays_queued_and_says_why(tasks, status):
    a = tasks.add(ORDER).task_id
    b = tasks.add(ORDER, depends_on=[a]).task_id
    tasks.set_status(a, status)
    assert tasks.claim("w", [], 20.0) is None
    assert tasks.get(b).status is Status.QUEUED
    assert [(x.task_id, x.hopeless) for x in tasks.blocked_by(b)] == [(a, True)]


def test_going_back_to_the_queue(tasks, runs):
    task = tasks.add(ORDER).task_id
    first = tasks.claim("w", [], 20.0)
    runs.finish(first.run_id, 1, Status.FAILED, b"{}")
    assert tasks.set_status(task, Status.QUEUED) is Status.FAILED
    second = tasks.claim("w", [], 20.0)
    assert second.task_id == task
    assert {run.run_id for run in runs.list(task_id=task)} == {first.run_id, second.run_id}


def test_cancelling_a_queued_task(tasks):
    task = tasks.add(ORDER).task_id
    assert tasks.cancel(task).status is Status.CANCELLED
    assert tasks.claim("w", [], 20.0) is None
    with pytest.raises(InvalidInput, match="ended already"):
        tasks.cancel(task)


def test_cancelling_a_running_task_asks_its_run(tasks, runs):
    task = tasks.add(ORDER).task_id
    claim = tasks.claim("w", [], 20.0)
    assert tasks.cancel(task).status is Status.PLANNING
    assert [lease.cancel_requested for lease in runs.heartbeat("w", 20.0)] == [True]
    runs.finish(claim.run_id, 1, Status.CANCELLED, b"{}")
    assert tasks.get(task).status is Status.CANCELLED


def test_add_and_claim_leaves_nothing_for_others(tasks, runs):
    task, claim = tasks.add_and_claim(ORDER, "me", 20.0, priority=10)
    assert tasks.get(task.task_id) == task
    assert runs.lease(claim.run_id).owner == "me"
    assert tasks.claim("w", [], 20.0) is None


def test_lists(tasks):
    ids = [tasks.add(ORDER, priority=p).task_id for p in (1, 10, 5)]
    tasks.set_status(ids[0], Status.FAILED)
    assert [t.task_id for t in tasks.list(status=Status.QUEUED)] == [ids[1], ids[2]]
    assert [t.task_id for t in tasks.list()] == ids[::-1]
    assert [t.task_id for t in tasks.list(limit=1, offset=1)] == [ids[1]]


def claim_everything(url: str, home: str, worker: str) -> list[tuple[float, str, int]]:
    with open_database(url, Path(home)) as opened:
        tasks, claimed = TaskStore(opened), []
        while True:
            began = time.monotonic()
            claim = tasks.claim(worker, ["gpu"], 60.0)
            if claim is None:
                return claimed
            claimed.append((began, claim.task_id, tasks.get(claim.task_id).priority))


def test_two_processes_claim_200_tasks_without_duplicates_and_by_priority(database, database_url, tmp_path):
    tasks, draw = TaskStore(database), random.Random(7)
    ids = [tasks.add(ORDER, priority=draw.randint(1, 10), tags=draw.choice([(), ("gpu",)])).task_id for _ in range(200)]
    with get_context("spawn").Pool(2) as pool:
        arguments = [(database_url, str(tmp_path / "home"), worker) for worker in ("w1", "w2")]
        claims = pool.starmap(claim_everything, arguments)
    assert sorted(task for claimed in claims for _, task, _ in claimed) == sorted(ids)
    for claimed in claims:
        priorities = [priority for _, _, priority in claimed]
        assert priorities == sorted(priorities, reverse=True)
    assert len(RunStore(database).list(limit=1000)) == 200


def test_ids_are_unique_when_two_processes_add(database, database_url, tmp_path):
    with get_context("spawn").Pool(2) as pool:
        made = pool.starmap(add_tasks, [(database_url, str(tmp_path / "home"), 50)] * 2)
    assert len({task_id for ids in made for task_id in ids}) == 100


def add_tasks(url: str, home: str, count: int) -> list[str]:
    with open_database(url, Path(home)) as opened:
        return [TaskStore(opened).add(ORDER).task_id for _ in range(count)]


def test_the_ready_index_serves_the_claim_among_many_tasks(database, tasks):
    blocker = tasks.add(ORDER, priority=1).task_id
    with database.writing() as connection:
        template = connection.execute(sa.text("SELECT * FROM tasks")).mappings().one()
        rows = [
            {**template, "ordinal": n, "task_id": f"T{n}", "priority": 10, "waiting_for": 1} for n in range(100, 5_100)
        ]
        connection.execute(
            sa.text(f"INSERT INTO tasks ({', '.join(template)}) VALUES ({', '.join(':' + name for name in template)})"),
            rows,
        )
    explain = "EXPLAIN QUERY PLAN " if database.kind == "sqlite" else "EXPLAIN "
    query = next_ready(["[]"]).compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.reading() as connection:
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + str(query)))
    assert "ix_tasks_ready" in plan
    assert tasks.claim("w", [], 20.0).task_id == blocker
