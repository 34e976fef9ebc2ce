"""One order of locks: what is done with a task and what its worker does with its run never wait for each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_support import ORDER

from karkhana.domain.errors import InvalidInput
from karkhana.domain.tasks import Status
from karkhana.storage.database import Database, open_database
from karkhana.storage.runs import RunStore
from karkhana.storage.tables import runs as run_table
from karkhana.storage.tasks import TaskStore
from postgres import until_waiting

PATIENCE_S = 20.0


@pytest.fixture
def postgres(postgres_migrated_url: str, tmp_path: Path) -> Iterator[Database]:
    with open_database(postgres_migrated_url, tmp_path / "home") as opened:
        yield opened


def finish(runs: RunStore, run_id: str) -> None:
    runs.finish(run_id, 1, Status.FAILED, b"{}")


def enter(runs: RunStore, run_id: str) -> None:
    runs.set_status(run_id, 1, Status.BUILDING)


def take_over(runs: RunStore, run_id: str) -> None:
    assert runs.take_over(run_id, "other", 20.0) is not None


@pytest.mark.postgres
@pytest.mark.parametrize("work", [finish, enter, take_over])
def test_a_cancellation_and_a_worker_wait_for_each_other_in_one_order_only(
    postgres: Database, work: Callable[[RunStore, str], None]
) -> None:
    tasks, runs = TaskStore(postgres), RunStore(postgres)
    task, claim = tasks.add_and_claim(ORDER, "worker", -1.0)

    def cancel() -> str:
        try:
            tasks.cancel(task.task_id)
        except InvalidInput as error:
            return error.message
        return ""

    with ThreadPoolExecutor(2) as pool:
        with postgres.writing() as connection:
            # both are begun while the run is held, the worker first
            held = sa.select(run_table.c.run_id).where(run_table.c.run_id == claim.run_id).with_for_update()
            connection.execute(held)
            worker = pool.submit(work, runs, claim.run_id)
            until_waiting(postgres, 1)
            cancelling = pool.submit(cancel)
            until_waiting(postgres, 2)
        worker.result(PATIENCE_S)
        told = cancelling.result(PATIENCE_S)
    if work is finish:
        assert told == f"{task.task_id} has ended already (failed)"
    else:
        assert told == ""
        assert runs.lease(claim.run_id).cancel_requested
