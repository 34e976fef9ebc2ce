"""Workers in processes of their own: killed, frozen, stopped, and started at the same moment."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.drill import STEPS, CountingForge, Mark, SideLog, drill_order, open_drill_stores
from benchmarks.drill_control import KillReport, WorkerProcess, judge_run, kill_workers

from karkhana.domain.events import Noted, RunTakenOver
from karkhana.domain.tasks import Status

PATIENCE_S = 60.0


def add_task(folder: Path, url: str | None) -> str:
    with open_drill_stores(folder, url) as stores:
        return stores.tasks.add(drill_order()).task_id


def status(folder: Path, url: str | None, task_id: str) -> Status:
    with open_drill_stores(folder, url) as stores:
        return stores.tasks.get(task_id).status


def marks(folder: Path) -> list[Mark]:
    return SideLog(folder).read()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def a_clean_run(folder: Path) -> str:
    """The marks of a run that nobody disturbed."""
    task_id = add_task(folder, None)
    with open_drill_stores(folder, None) as stores:
        claim = stores.tasks.claim("worker", (), 60.0)
        assert claim is not None
        stores.runs.finish(claim.run_id, claim.epoch, Status.DELIVERED, b"{}")
    CountingForge(folder).push(task_id, "", "commit")
    for step in STEPS:
        for what in ("begin", "end"):
            SideLog(folder).add(Mark(what=what, worker="worker", at=1.0, task_id=task_id, step=step))
    return task_id


def judged(folder: Path, task_id: str, *points: str) -> KillReport:
    report = KillReport()
    judge_run(folder, None, task_id, points, report)
    return report


def test_the_judge_finds_nothing_wrong_with_a_clean_run(tmp_path: Path) -> None:
    assert judged(tmp_path, a_clean_run(tmp_path)).clean


def test_the_judge_sees_a_station_that_ran_again(tmp_path: Path) -> None:
    task_id = a_clean_run(tmp_path)
    SideLog(tmp_path).add(Mark(what="begin", worker="worker", at=2.0, task_id=task_id, step="build"))
    assert judged(tmp_path, task_id).redone == 1
    assert judged(tmp_path, task_id, "before build").redone == 1
    assert judged(tmp_path, task_id, "middle of build").redone == 0


def test_the_judge_sees_a_second_delivery_and_the_forge_refuses_one_on_the_wrong_base(tmp_path: Path) -> None:
    task_id = a_clean_run(tmp_path)
    forge = CountingForge(tmp_path)
    forge.push(task_id, "", "commit")
    assert judged(tmp_path, task_id).clean
    with pytest.raises(RuntimeError, match="delivered twice"):
        forge.push(task_id, "", "another")
    forge.push(task_id, "commit", "another")
    assert judged(tmp_path, task_id).delivered_twice == 1


def test_the_judge_sees_what_was_left_undone(tmp_path: Path) -> None:
    task_id = add_task(tmp_path, None)
    report = judged(tmp_path, task_id)
    assert (report.unfinished, report.skipped, report.delivered_twice) == (2, 7, 1)


@pytest.mark.slow
def test_killed_workers_leave_nothing_undone_and_nothing_done_twice(tmp_path: Path) -> None:
    report = kill_workers(tmp_path, None, kills=6, kills_per_run=3)
    assert report.clean, report
    assert (report.kills, report.runs) == (6, 2)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    report = kill_workers(tmp_path, postgres_url, kills=2, kills_per_run=2)
    assert report.clean, report


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_up_too_late_does_no_harm(tmp_path: Path) -> None:
    task_id = add_task(tmp_path, None)
    with WorkerProcess(tmp_path, None, "--name", "zombie", "--pause-at", "middle of build") as zombie:
        zombie.wait_for("at middle of build")
        zombie.send(signal.SIGSTOP)
        with WorkerProcess(tmp_path, None, "--name", "heir") as heir:
            eventually(lambda: status(tmp_path, None, task_id) is Status.DELIVERED)
            heir.stop()
        (tmp_path / "go").touch()
        zombie.send(signal.SIGCONT)
        eventually(lambda: any(m.worker == "zombie" and m.what == "end" and m.step == "build" for m in marks(tmp_path)))
        assert zombie.stop() == 0
    assert CountingForge(tmp_path).pushes(task_id) == 1
    begun = [(mark.worker, mark.step) for mark in marks(tmp_path) if mark.what == "begin"]
    assert begun == [
        ("zombie", "plan"),
        ("zombie", "build"),
        *[("heir", step) for step in ("build", "self_review", "verify", "decide", "deliver", "finish")],
    ]
    with open_drill_stores(tmp_path, None) as stores:
        (run,) = stores.runs.list(task_id=task_id)
        assert stores.events.verify(run.run_id) == []
        events = [entry.event for entry in stores.events.entries(run.run_id)]
    assert events[:4] == [
        Noted(text="plan"),
        Noted(text="build"),
        RunTakenOver(worker="heir", previous_worker="zombie"),
        Noted(text="build"),
    ]


@pytest.mark.slow
def test_sigterm_hands_the_run_back_and_sigint_twice_leaves_at_once(tmp_path: Path) -> None:
    task_id = add_task(tmp_path, None)
    with WorkerProcess(tmp_path, None, "--pause-at", "middle of verify", "--lease", "600") as stubborn:
        stubborn.wait_for("at middle of verify")
        stubborn.send(signal.SIGINT)
        time.sleep(0.3)
        stubborn.send(signal.SIGINT)
        assert stubborn.wait() == 130
    with open_drill_stores(tmp_path, None) as stores:
        (run,) = stores.runs.list(task_id=task_id)
        assert stores.runs.expired() == []
        # What the lease's end would do in ten minutes.
        stores.runs.release(run.run_id, 1)
    with WorkerProcess(tmp_path, None, "--pause-at", "middle of decide", "--lease", "600", "--grace", "0.1") as polite:
        polite.wait_for("at middle of decide")
        polite.send(signal.SIGTERM)
        eventually(lambda: _released(tmp_path, run.run_id))
        with WorkerProcess(tmp_path, None, "--lease", "600") as heir:
            eventually(lambda: status(tmp_path, None, task_id) is Status.DELIVERED)
            assert heir.stop() == 0
        assert polite.wait() == 0, "a step that does not listen must not keep its worker alive"
    assert CountingForge(tmp_path).pushes(task_id) == 1


@pytest.mark.slow
def test_several_processes_open_new_databases_at_the_same_time(tmp_path: Path) -> None:
    workers = [WorkerProcess(tmp_path, None) for _ in range(4)]
    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
        for worker in workers:
            worker.wait_for("ready")
        task_id = add_task(tmp_path, None)
        eventually(lambda: status(tmp_path, None, task_id) is Status.DELIVERED)
        assert [worker.stop() for worker in workers] == [0, 0, 0, 0]


def _released(folder: Path, run_id: str) -> bool:
    with open_drill_stores(folder, None) as stores:
        return stores.runs.lease(run_id).owner is None
