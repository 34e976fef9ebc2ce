"""The only file that imports DBOS, and the only one that knows its tables.

One workflow function per process, started and taken over by its owner token. DBOS lets a step's result in only
while the workflow's row still carries the token of the execution that made it. Our tokens are the lease's
epoch, and a row is claimed only from a *smaller* token; so of two workers that both believe they hold the lease
the one with the older epoch can never take the workflow back, however late it wakes up.

DBOS's own recovery hands a dead executor's workflows to any executor that polls its internal queue. Here exactly
the worker that won the lease runs the workflow: rows wait in a queue that nobody listens to, and are claimed by
:meth:`DbosRuntime.dispatch`. Nothing listens on the network, nothing is reported anywhere.
"""

import fcntl
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import sqlalchemy as sa

from karkhana.domain.errors import DatabaseUnavailable, LeaseLost, RunFailure
from karkhana.domain.json import canonical, decode
from karkhana.storage.database import patient, sqlite_file

if TYPE_CHECKING:
    from dbos._sys_db import SystemDatabase

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION = "karkhana"
APPLICATION_VERSION = "karkhana-1"
"""DBOS runs a workflow only under the version that began it. Its default is a hash of the source: any edit would
strand the work that is under way. Ours changes when the *names and order of the line's steps* change meaning."""
WORKFLOW = "karkhana.line"
QUEUE = "karkhana.claimed"
BUSY_TIMEOUT_MS = 30_000
SWEPT_AT_ONCE = 1000


class CanonicalJson:
    """DBOS's serializer port. Its default is pickle, which runs code when it reads."""

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            data = {"exception": type(data).__name__, "message": str(data)}
        return canonical(data).decode()

    def deserialize(self, serialized_data: str) -> Any:
        data = decode(serialized_data, Any)
        if isinstance(data, dict) and data.keys() == {"exception", "message"}:
            return RuntimeError(f"{data['exception']}: {data['message']}")
        return data

    def name(self) -> str:
        return "karkhana_json"


class DaemonThreads(Executor):
    """A thread per call that does not keep the process alive.

    DBOS's own pool would: a worker that was told to stop could not leave while a step of its does not listen. The
    step's run is handed back, and whatever the step still does is fenced, as after a crash.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # signals too: whoever asks for the result gets what was raised
                future.set_exception(error)

        threading.Thread(target=run, name="karkhana-run", daemon=True).start()
        return future


class DbosRuntime:
    """DBOS, launched for one process. There can be one at a time: DBOS is a process-wide singleton."""

    def __init__(
        self, *, home: Path, database_url: str | None, executor: str, body: Callable[[str, str], dict[str, Any]]
    ) -> None:
        """``body(run_id, token)`` is the workflow.

        Raises ``DatabaseUnavailable``.
        """
        import dbos

        self._dbos = dbos
        # DBOS frees everything that an earlier process of the same name had, and our fence with it.
        self._executor = f"{executor}-{secrets.token_hex(4)}"
        self._engine: sa.Engine | None = None
        # DBOS adds a console handler to its logger when there is none.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        logging.getLogger("dbos").propagate = False
        config: dict[str, Any] = {
            "name": APPLICATION,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._executor,
            "serializer": CanonicalJson(),
            "log_level": "CRITICAL",
            "use_listen_notify": False,
            "enable_otlp": False,
            "dbos_system_schema": "dbos",
        }
        if sqlite_file(database_url, home) is not None:
            # also when the trail's file lies elsewhere: a backup looks for the engine's in the home
            self._engine = _sqlite(home / "engine.sqlite3")
            config["system_database_engine"] = self._engine
        else:
            assert database_url is not None
            config["system_database_url"] = _psycopg(database_url)
            config["sys_db_pool_size"] = 8
        try:
            with _one_at_a_time(home / "engine.lock"):
                self._launch(config, body)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            dbos.DBOS.destroy(destroy_registry=True)
            raise DatabaseUnavailable(
                f"the engine's database cannot be opened: {error}",
                "check that it is reachable and writable (KARKHANA_DATABASE_URL, KARKHANA_HOME)",
            ) from error

    def _launch(self, config: dict[str, Any], body: Callable[[str, str], dict[str, Any]]) -> None:
        from dbos._context import assert_current_dbos_context

        def line(run_id: str) -> dict[str, Any]:
            owner = assert_current_dbos_context().owner_xid
            assert owner is not None
            return body(run_id, owner)

        instance: Any = self._dbos.DBOS(config=config)  # type: ignore[arg-type]
        self._workflow = self._dbos.DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(line)
        self._dbos.DBOS.listen_queues([])
        self._dbos.DBOS.launch()
        # Only the runs move to the daemon threads; DBOS's own chores stay in its pool, which close() ends.
        self._pool = instance._executor_field
        instance._executor_field = DaemonThreads()
        self._instance = instance
        self._system: SystemDatabase = instance._sys_db

    def dispatch(self, run_id: str, owner: str) -> dict[str, Any] | None:
        """Run the workflow in a thread of this process, from its last finished step.

        Returns its recorded result when it has ended already, else ``None``. Raises ``LeaseLost`` when an owner
        with a later epoch has it.
        """
        from dbos._core import execute_dequeued_workflow

        with self._dbos.SetWorkflowID(run_id):
            self._dbos.DBOS.enqueue_workflow(QUEUE, self._workflow, run_id)
        if not self._claim(run_id, owner):
            return self._recorded(run_id)
        status = self._system.get_workflow_status(run_id)
        if status is None:
            raise LeaseLost(f"{run_id}: its workflow was removed")
        execute_dequeued_workflow(self._instance, status, owner)
        return None

    def step(self, name: str, function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Inside a workflow: run ``function`` unless its result is recorded; record its result.

        A ``BaseException`` that is no ``Exception`` passes through unrecorded. Raises ``LeaseLost`` when the
        workflow has a new owner, and ``RunFailure`` when the recorded steps are those of another line.
        """
        from dbos._error import DBOSUnexpectedStepError, DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError

        try:
            return self._dbos.DBOS.run_step({"name": name}, function)
        except (DBOSWorkflowConflictIDError, DBOSWorkflowCancelledError) as error:
            raise LeaseLost(f"step {name}: the workflow has a new owner") from error
        except DBOSUnexpectedStepError as error:
            raise RunFailure(
                f"the line has changed since this run began: step {name!r} is not what was recorded in its place",
                "Put the ticket in again; let running work end before the next upgrade.",
            ) from error

    def known(self, older_than_s: float) -> list[str]:
        """The oldest workflows that were made so many seconds ago or more."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        found = self._dbos.DBOS.list_workflows(
            name=WORKFLOW, end_time=before.isoformat(), limit=SWEPT_AT_ONCE, load_input=False, load_output=False
        )
        return [one.workflow_id for one in found]

    def forget(self, run_ids: list[str]) -> None:
        """Remove everything that is stored of these workflows."""
        self._dbos.DBOS.delete_workflows(run_ids)

    def close(self) -> None:
        """Stop DBOS's threads and close its connections. Workflows that are still running are left to their owners."""
        self._dbos.DBOS.destroy(destroy_registry=True)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._engine is not None:
            self._engine.dispose()

    def _claim(self, run_id: str, owner: str) -> bool:
        status = self._system.tables.workflow_status
        # Byte order whatever the database's locale; SQLite compares bytes anyway.
        held = status.c.owner_xid if self._engine is not None else sa.collate(status.c.owner_xid, "C")
        with self._system.engine.begin() as connection:
            claimed = connection.execute(
                sa.update(status)
                .where(status.c.workflow_uuid == run_id)
                .where(status.c.status != "SUCCESS")
                .where(sa.or_(held.is_(None), held < owner))
                .values(status="PENDING", executor_id=self._executor, owner_xid=owner)
            )
            return bool(claimed.rowcount)

    def _recorded(self, run_id: str) -> dict[str, Any]:
        handle: Any = self._dbos.DBOS.retrieve_workflow(run_id)
        if handle.get_status().status != "SUCCESS":
            raise LeaseLost(f"{run_id}: another worker has a later claim on it")
        result: dict[str, Any] = handle.get_result()
        return result


def _sqlite(path: Path) -> sa.Engine:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # IMMEDIATE: a read that turns into a write would fail at once instead of waiting for the lock.
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        # WAL makes DBOS's steps about four times as fast; NORMAL survives kill -9 (not a power cut) losslessly.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _psycopg(url: str) -> str:
    return patient(sa.make_url(url)).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Processes of one home migrate in turn; on PostgreSQL DBOS also takes an advisory lock."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
