from datetime import timedelta

import pytest
from storage_support import ORDER

from karkhana.domain.errors import InvalidInput, LeaseLost, UnknownRun, UnknownTask
from karkhana.domain.tasks import Status
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import RunStore


def test_a_run_in_the_foreground(tasks, runs, clock):
    task = tasks.add(ORDER).task_id
    claim = runs.create(task, "me", 20.0)
    assert runs.get(claim.run_id).started_at == clock.now
    with pytest.raises(InvalidInput, match="planning and cannot be started"):
        runs.create(task, "me", 20.0)
    with pytest.raises(UnknownTask):
        runs.create("BUILD-x", "me", 20.0)
    assert len(runs.list()) == 1


def test_unknown_runs(runs):
    for call in (runs.get, runs.lease, runs.result, runs.request_cancel):
        with pytest.raises(UnknownRun, match="run_x"):
            call("run_x")
    with pytest.raises(UnknownRun):
        runs.set_status("run_x", 1, Status.BUILDING)
    assert runs.take_over("run_x", "w", 20.0) is None


def test_a_status_is_mirrored_to_the_task(tasks, runs, run_id):
    runs.set_status(run_id, 1, Status.BUILDING)
    assert runs.get(run_id).status is Status.BUILDING
    assert tasks.get(runs.get(run_id).task_id).status is Status.BUILDING
    assert [run.run_id for run in runs.list(status=Status.BUILDING)] == [run_id]


def test_finishing(tasks, runs, run_id, clock):
    clock.move(7.5)
    for _ in range(2):
        runs.finish(
            run_id, 1, Status.DELIVERED, b'{"x":1}', engineer="symbolic", cost_usd=0.5, human_review=True,
            quality_score=0.93,
        )  # fmt: skip
        clock.move(100)
    run = runs.get(run_id)
    assert run.finished_at - run.started_at == timedelta(seconds=7.5)
    assert (run.status, run.engineer, run.cost_usd) == (Status.DELIVERED, "symbolic", 0.5)
    assert runs.result(run_id) == b'{"x":1}'
    task = tasks.get(run.task_id)
    assert (task.status, task.assigned_to, task.actual_duration) == (Status.DELIVERED, None, 7.5)
    assert (task.human_review, task.quality_score) == (True, 0.93)
    assert runs.heartbeat("worker", 20.0) == []
    assert runs.take_over(run_id, "w2", 20.0) is None
    assert runs.expired(clock.now.timestamp() + 1e6) == []


def test_finishing_lets_the_tasks_go_that_waited(tasks, runs, run_id):
    waiting = tasks.add(ORDER, depends_on=[runs.get(run_id).task_id]).task_id
    assert tasks.claim("w", [], 20.0) is None
    runs.finish(run_id, 1, Status.DELIVERED, b"")
    assert tasks.claim("w", [], 20.0).task_id == waiting


def test_a_heartbeat_extends_all_leases_of_the_worker(tasks, runs, run_id, clock):
    other = tasks.add_and_claim(ORDER, "other", 20.0)[1].run_id
    clock.move(15)
    assert [lease.run_id for lease in runs.heartbeat("worker", 20.0)] == [run_id]
    clock.move(10)
    assert [lease.run_id for lease in runs.expired()] == [other]
    assert runs.lease(run_id).expires_at == clock.now.timestamp() + 10


def test_taking_over_an_expired_run_fences_its_worker(tasks, runs, run_id, clock):
    assert runs.take_over(run_id, "w2", 20.0) is None
    clock.move(20)
    (late,) = runs.expired()
    assert (late.run_id, late.owner, late.epoch, late.tags) == (run_id, "worker", 1, ())
    claim = runs.take_over(run_id, "w2", 20.0)
    assert (claim.run_id, claim.epoch) == (run_id, 2)
    assert runs.take_over(run_id, "w3", 20.0) is None
    assert tasks.get(claim.task_id).assigned_to == "w2"
    assert runs.heartbeat("worker", 20.0) == []
    for write in (
        lambda: runs.set_status(run_id, 1, Status.BUILDING),
        lambda: runs.finish(run_id, 1, Status.DELIVERED, b""),
        lambda: runs.release(run_id, 1),
        lambda: runs.park(run_id, 1),
    ):
        with pytest.raises(LeaseLost, match="epoch 1"):
            write()
    assert runs.get(run_id).status is Status.PLANNING
    runs.finish(run_id, 2, Status.DELIVERED, b"")


def test_the_tags_of_an_expired_run_tell_who_can_take_it(tasks, runs, clock):
    tasks.add(ORDER, tags=["gpu"])
    claim = tasks.claim("w", ["gpu"], 20.0)
    clock.move(30)
    assert [(lease.run_id, lease.tags) for lease in runs.expired()] == [(claim.run_id, ("gpu",))]


def test_a_released_run_can_be_taken_at_once(runs, run_id):
    runs.release(run_id, 1)
    assert [lease.run_id for lease in runs.expired()] == [run_id]
    assert runs.take_over(run_id, "w2", 20.0).epoch == 2


def test_a_parked_run_waits_until_someone_takes_it(runs, run_id, clock):
    runs.park(run_id, 1)
    clock.move(1e7)
    assert runs.expired() == []
    assert runs.take_over(run_id, "w2", 20.0).epoch == 2


def test_a_request_to_cancel_is_seen_at_the_heartbeat(runs, run_id):
    runs.request_cancel(run_id)
    assert [lease.cancel_requested for lease in runs.heartbeat("worker", 20.0)] == [True]
    assert runs.lease(run_id).cancel_requested


def test_lists_are_newest_first(tasks, runs, clock):
    made = []
    for _ in range(3):
        made.append(tasks.add_and_claim(ORDER, "w", 20.0)[1].run_id)
        clock.move(1)
    assert [run.run_id for run in runs.list()] == made[::-1]
    assert [run.run_id for run in runs.list(limit=1, offset=2)] == made[:1]


def test_no_secret_of_a_result_is_stored(database, run_id):
    runs = RunStore(database, redactor=Redactor({"SHOP_TOKEN": "tok-correct-horse"}))
    runs.finish(run_id, 1, Status.DELIVERED, b'{"diff":"+T = \\"tok-correct-horse\\"\\n"}')
    assert runs.result(run_id) == b'{"diff":"+T = \\"[redacted:SHOP_TOKEN]\\"\\n"}'
