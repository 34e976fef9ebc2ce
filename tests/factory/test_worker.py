"""The worker on the real stores and engine, inside one process. Killed processes: ``test_worker_drill.py``."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from karkhana.domain.errors import InfrastructureFailure, InvalidInput
from karkhana.domain.events import Noted, RunFinished, RunTakenOver
from karkhana.domain.settings import QueueSettings
from karkhana.domain.tasks import Order, Status, Task, Ticket
from karkhana.factory.engine import DurableEngine, Line
from karkhana.factory.engine_control import Ending, EndingKind, RunControl
from karkhana.factory.worker import Worker, worker_name
from karkhana.factory.worker_endings import QueueStores
from karkhana.factory.worker_heartbeat import Heartbeat
from karkhana.storage.database import Database, open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.messages import MessageStore
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import Lease, RunStore
from karkhana.storage.tasks import TaskStore

FAST = QueueSettings(heartbeat_s=0.05, lease_s=5.0, poll_s=0.01, infrastructure_attempts=2)
PATIENCE_S = 60.0


class Floor:
    """A factory floor: stores that outlive any worker, and workers one after the other."""

    def __init__(self, home: Path, database: Database, runs: RunStore | None = None, *, url: str | None = None) -> None:
        self.home = home
        self.url = url
        self.database = database
        events = EventLog(database, Redactor({}))
        self.stores = QueueStores(TaskStore(database), runs or RunStore(database), events, MessageStore(database))
        self.ran: list[str] = []

    def add(self, title: str, **options: Any) -> Task:
        return self.stores.tasks.add(
            Order(ticket=Ticket(text=title), repository="/nowhere", commit="0" * 40), **options
        )

    @contextmanager
    def worker(
        self, line: Line, *, settings: QueueSettings = FAST, name: str = "", **options: Any
    ) -> Iterator[tuple[Worker, DurableEngine]]:
        name = name or worker_name()
        with DurableEngine(
            line,
            self.stores.messages,
            home=self.home,
            database_url=self.url,
            executor=name,
            attempts=settings.infrastructure_attempts,
            backoff_s=0.001,
        ) as engine:
            yield Worker(name, settings, self.stores, engine, **options), engine

    def drain(self, line: Line, *, settings: QueueSettings = FAST, **options: Any) -> None:
        with self.worker(line, settings=settings, **options) as (worker, _engine):
            worker.work(drain=True)

    def title(self, run_id: str) -> str:
        return self.stores.tasks.get(self.stores.runs.get(run_id).task_id).title

    def close(self, run_id: str, engine: DurableEngine, status: Status = Status.DELIVERED) -> None:
        self.stores.runs.finish(run_id, engine.control(run_id).epoch, status, b"{}")

    def deliver(self, run_id: str, engine: DurableEngine) -> None:
        """The plainest line."""
        engine.step("work", lambda: self.ran.append(self.title(run_id)))
        engine.step("finish", lambda: self.close(run_id, engine))

    def status(self, task: Task) -> Status:
        return self.stores.tasks.get(task.task_id).status

    def last_run(self, task: Task) -> str:
        return self.stores.runs.list(task_id=task.task_id)[0].run_id

    def events(self, task: Task) -> list[Any]:
        return [entry.event for entry in self.stores.events.entries(self.last_run(task))]


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with open_database(None, tmp_path) as database:
        yield Floor(tmp_path, database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_floor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Floor]:
    """On each database in turn."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_database(url, tmp_path) as database:
        yield Floor(tmp_path, database, url=url)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@contextmanager
def in_background(worker: Worker, grace_s: float = PATIENCE_S) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=worker.work, kwargs={"grace_s": grace_s})
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_the_most_urgent_task_goes_first_and_the_oldest_of_equals(any_floor: Floor) -> None:
    for title, priority in (("low", 1), ("first of five", 5), ("high", 10), ("second of five", 5)):
        any_floor.add(title, priority=priority)
    any_floor.drain(any_floor.deliver)
    assert any_floor.ran == ["high", "first of five", "second of five", "low"]


def test_a_worker_takes_only_what_it_has_the_tags_for(floor: Floor) -> None:
    tagged = floor.add("needs a GPU", tags=("gpu", "linux"), priority=10)
    floor.add("needs nothing")
    floor.drain(floor.deliver, tags=("linux",))
    assert floor.ran == ["needs nothing"]
    assert floor.status(tagged) is Status.QUEUED
    floor.drain(floor.deliver, tags=("linux", "gpu", "fast"))
    assert floor.status(tagged) is Status.DELIVERED


def test_a_task_waits_for_what_it_depends_on(floor: Floor) -> None:
    base = floor.add("base", priority=1)
    floor.add("on top", priority=10, depends_on=(base.task_id,))
    floor.drain(floor.deliver)
    assert floor.ran == ["base", "on top"]


def test_a_slot_that_falls_free_is_filled_without_waiting_for_the_next_look(floor: Floor) -> None:
    base = floor.add("base")
    floor.add("on top", depends_on=(base.task_id,))
    floor.add("beside")
    # With a pause that is longer than the test may take.
    floor.drain(floor.deliver, settings=QueueSettings(**{**_fields(FAST), "poll_s": 3600.0}))
    assert floor.ran == ["base", "on top", "beside"]


def test_nothing_is_built_on_a_failure(floor: Floor) -> None:
    base = floor.add("base")
    top = floor.add("on top", depends_on=(base.task_id,))

    def fail(_run_id: str, _engine: DurableEngine) -> None:
        raise InvalidInput("it cannot be done", "Do something else.")

    floor.drain(fail)
    assert (floor.status(base), floor.status(top)) == (Status.FAILED, Status.QUEUED)
    last = floor.events(base)[-1]
    assert (last.status, last.reason, last.next) == (Status.FAILED, "it cannot be done", "Do something else.")


def test_broken_machinery_sends_the_task_back_a_few_times_and_then_fails_it(floor: Floor) -> None:
    task = floor.add("unlucky")
    tries: list[str] = []

    def broken(run_id: str, engine: DurableEngine) -> None:
        def work() -> None:
            tries.append(run_id)
            raise InfrastructureFailure("the sandbox does not start", "Run karkhana doctor.")

        engine.step("build", work)

    floor.drain(broken, settings=QueueSettings(**{**_fields(FAST), "requeues": 2}))
    runs = floor.stores.runs.list(task_id=task.task_id)
    assert len(runs) == 3
    assert len(tries) == 3 * FAST.infrastructure_attempts
    assert floor.status(task) is Status.FAILED
    assert "3 runs" in floor.events(task)[-1].reason
    first = [entry.event for entry in floor.stores.events.entries(runs[-1].run_id)]
    assert [type(event) for event in first] == [Noted, RunFinished]
    assert "goes back to the queue" in first[0].text


def test_a_passing_fault_does_not_cost_the_task(floor: Floor) -> None:
    task = floor.add("a little unlucky")
    faults = ["once"]

    def line(run_id: str, engine: DurableEngine) -> None:
        def work() -> None:
            if faults:
                raise InfrastructureFailure(faults.pop())

        engine.step("build", work)
        floor.deliver(run_id, engine)

    floor.drain(line)
    assert floor.status(task) is Status.DELIVERED
    assert len(floor.stores.runs.list(task_id=task.task_id)) == 1


def test_a_bug_fails_its_run_and_not_the_worker(floor: Floor) -> None:
    task = floor.add("crash", priority=10)
    floor.add("fine")

    def line(run_id: str, engine: DurableEngine) -> None:
        if floor.title(run_id) == "crash":
            raise ZeroDivisionError("boom")
        floor.deliver(run_id, engine)

    floor.drain(line)
    assert floor.ran == ["fine"]
    assert floor.status(task) is Status.FAILED
    assert floor.events(task)[-1].reason == "ZeroDivisionError: boom"


def test_a_line_that_forgets_to_close_its_run_fails_it(floor: Floor) -> None:
    task = floor.add("open end")
    floor.drain(lambda _run_id, engine: engine.step("work", lambda: None))
    assert floor.status(task) is Status.FAILED
    assert "without closing" in floor.events(task)[-1].reason


def test_cancelling_kills_what_the_run_is_doing(any_floor: Floor) -> None:
    task = any_floor.add("endless")
    working = threading.Event()

    def line(run_id: str, engine: DurableEngine) -> None:
        def work() -> None:
            killed = threading.Event()
            with engine.control(run_id).on_stop(killed.set):
                working.set()
                assert killed.wait(PATIENCE_S)
            any_floor.ran.append("killed")

        engine.step("build", work)
        any_floor.ran.append("went on")

    with any_floor.worker(line) as (worker, _engine), in_background(worker):
        assert working.wait(PATIENCE_S)
        any_floor.stores.tasks.cancel(task.task_id)
        eventually(lambda: any_floor.status(task) is Status.CANCELLED)
    assert any_floor.ran == ["killed"]


def test_a_run_that_waits_for_a_person_holds_no_slot_and_survives_its_worker(any_floor: Floor) -> None:
    waiting = any_floor.add("needs approval", priority=10)
    any_floor.add("needs none")

    def line(run_id: str, engine: DurableEngine) -> None:
        if any_floor.title(run_id) == "needs approval":
            engine.step("ask", lambda: any_floor.ran.append("asked"))
            any_floor.ran.append(f"answer: {engine.wait('approval', None)}")
        any_floor.deliver(run_id, engine)

    any_floor.drain(line)
    assert any_floor.ran == ["asked", "needs none"]
    lease = any_floor.stores.runs.lease(any_floor.last_run(waiting))
    assert (lease.owner, lease.expires_at) == (None, None)
    any_floor.drain(line)
    assert any_floor.ran == ["asked", "needs none"]
    any_floor.stores.messages.post(any_floor.last_run(waiting), "approval", "yes")
    any_floor.drain(line)
    assert any_floor.ran == ["asked", "needs none", "answer: yes", "needs approval"]
    assert any_floor.status(waiting) is Status.DELIVERED
    assert not any(isinstance(event, RunTakenOver) for event in any_floor.events(waiting))


def test_a_wait_with_an_end_ends_by_itself(floor: Floor) -> None:
    task = floor.add("impatient")

    def line(run_id: str, engine: DurableEngine) -> None:
        floor.ran.append(str(engine.wait("approval", 0.5)))
        floor.deliver(run_id, engine)

    with floor.worker(line) as (worker, _engine), in_background(worker):
        eventually(lambda: floor.status(task) is Status.DELIVERED)
    assert floor.ran == ["None", "impatient"]


def test_a_message_that_comes_between_looking_and_parking_is_not_lost(tmp_path: Path) -> None:
    class Answering(RunStore):
        """Somebody answers in the moment before the run is parked."""

        def park(self, run_id: str, epoch: int, until: float | None = None) -> None:
            floor.stores.messages.post(run_id, "approval", "just now")
            super().park(run_id, epoch, until)

    with open_database(None, tmp_path) as database:
        floor = Floor(tmp_path, database, Answering(database))
        floor.add("race")

        def line(run_id: str, engine: DurableEngine) -> None:
            floor.ran.append(str(engine.wait("approval", None)))
            floor.deliver(run_id, engine)

        floor.drain(line)
    assert floor.ran == ["just now", "race"]


def test_a_cancelled_run_that_waits_is_closed_by_the_next_worker(floor: Floor) -> None:
    task = floor.add("never mind")

    def line(run_id: str, engine: DurableEngine) -> None:
        engine.step("ask", lambda: floor.ran.append("asked"))
        engine.wait("approval", None)

    floor.drain(line)
    floor.stores.tasks.cancel(task.task_id)
    floor.drain(line)
    assert floor.ran == ["asked"]
    assert floor.status(task) is Status.CANCELLED


def test_a_worker_that_is_stopped_hands_its_run_back_at_the_last_finished_step(any_floor: Floor) -> None:
    task = any_floor.add("long")
    working = threading.Event()
    slow = [True]

    def line(run_id: str, engine: DurableEngine) -> None:
        engine.step("plan", lambda: any_floor.ran.append("planned"))

        def build() -> None:
            working.set()
            if slow:
                engine.control(run_id).sleep(PATIENCE_S)

        engine.step("build", build)
        any_floor.deliver(run_id, engine)

    with any_floor.worker(line, name="first") as (worker, _engine), in_background(worker, grace_s=0.1):
        assert working.wait(PATIENCE_S)
    lease = any_floor.stores.runs.lease(any_floor.last_run(task))
    assert (lease.owner, lease.expires_at) == (None, 0.0)
    slow.clear()
    any_floor.drain(line)
    assert any_floor.ran == ["planned", "long"]


def test_a_worker_that_is_stopped_lets_short_work_finish(floor: Floor) -> None:
    task = floor.add("short")
    working, go = threading.Event(), threading.Event()

    def line(run_id: str, engine: DurableEngine) -> None:
        working.set()
        assert go.wait(PATIENCE_S)
        floor.deliver(run_id, engine)

    with floor.worker(line) as (worker, _engine), in_background(worker):
        assert working.wait(PATIENCE_S)
        worker.stop()
        go.set()
    assert floor.status(task) is Status.DELIVERED


def test_a_lease_is_renewed_as_long_as_the_work_takes(floor: Floor) -> None:
    floor.add("longer than a lease")
    short = QueueSettings(**{**_fields(FAST), "lease_s": 0.5})
    working = threading.Event()

    def line(run_id: str, engine: DurableEngine) -> None:
        working.set()
        engine.control(run_id).sleep(1.5)
        floor.deliver(run_id, engine)

    with floor.worker(line, settings=short) as (worker, _engine), in_background(worker):
        assert working.wait(PATIENCE_S)
        seen: list[Lease] = []
        while not floor.ran:
            seen += floor.stores.runs.expired()
            time.sleep(0.02)
    assert not [lease for lease in seen if lease.owner is not None]


def test_a_run_whose_lease_went_to_another_worker_is_stopped_here(floor: Floor) -> None:
    task = floor.add("contested")
    working = threading.Event()
    endings: list[Ending] = []

    def line(run_id: str, engine: DurableEngine) -> None:
        working.set()
        engine.control(run_id).sleep(PATIENCE_S)

    still = QueueSettings(**{**_fields(FAST), "heartbeat_s": 1.0, "lease_s": 0.05})
    with floor.worker(line, settings=still) as (worker, engine):
        settle = engine.ended

        def watch(control: RunControl, ending: Ending) -> None:
            endings.append(ending)
            settle(control, ending)

        engine.ended = watch
        with in_background(worker):
            assert working.wait(PATIENCE_S)
            run_id = floor.last_run(task)
            eventually(lambda: floor.stores.runs.take_over(run_id, "other", 600.0) is not None)
            worker.stop()
            eventually(lambda: bool(endings))
    assert [ending.kind for ending in endings] == [EndingKind.LOST]
    assert floor.stores.runs.lease(run_id).owner == "other"
    assert floor.status(task) is Status.PLANNING


def test_a_worker_that_cannot_renew_its_leases_stops_its_runs_before_others_begin_them(floor: Floor) -> None:
    class Away(RunStore):
        """A database that is not there."""

        def heartbeat(self, worker: str, lease_s: float) -> list[Lease]:
            raise InfrastructureFailure("the connection was lost")

    working = threading.Event()
    endings: list[Ending] = []

    def line(run_id: str, engine: DurableEngine) -> None:
        working.set()
        engine.control(run_id).sleep(PATIENCE_S)

    brief = QueueSettings(**{**_fields(FAST), "lease_s": 0.2})
    with floor.worker(line) as (_worker, engine):
        engine.ended = lambda _control, ending: endings.append(ending)
        with Heartbeat("someone", brief, Away(floor.database), engine):
            engine.start("run_1")
            assert working.wait(PATIENCE_S)
            assert engine.join(["run_1"], PATIENCE_S)
    assert [(ending.kind, "renewed in time" in ending.reason) for ending in endings] == [(EndingKind.LOST, True)]


def test_a_run_that_kills_its_workers_is_given_up(floor: Floor) -> None:
    task = floor.add("poison")
    claim = floor.stores.tasks.claim("victim 1", (), 600.0)
    assert claim is not None
    for victim in (2, 3):
        floor.stores.runs.release(claim.run_id, victim - 1)
        assert floor.stores.runs.take_over(claim.run_id, f"victim {victim}", 0.0)
    floor.drain(floor.deliver, settings=QueueSettings(**{**_fields(FAST), "takeovers": 3}))
    assert floor.ran == []
    assert floor.status(task) is Status.FAILED
    assert isinstance(floor.events(task)[0], RunTakenOver)
    assert "3 workers died" in floor.events(task)[-1].reason


def test_a_take_over_respects_tags_and_is_written_down(floor: Floor) -> None:
    task = floor.add("needs a GPU", tags=("gpu",))
    claim = floor.stores.tasks.claim("dead", ("gpu",), 0.0)
    assert claim is not None
    floor.drain(floor.deliver)
    assert floor.ran == []
    floor.drain(floor.deliver, tags=("gpu",), name="alive")
    assert floor.ran == ["needs a GPU"]
    assert floor.events(task) == [RunTakenOver(worker="alive", previous_worker="dead")]


def test_an_ending_that_could_not_be_stored_is_settled_again(tmp_path: Path) -> None:
    class Stumbling(RunStore):
        """Fails once."""

        stumbled = False

        def park(self, run_id: str, epoch: int, until: float | None = None) -> None:
            if not self.stumbled:
                self.stumbled = True
                raise InfrastructureFailure("the database is locked")
            super().park(run_id, epoch, until)

    with open_database(None, tmp_path) as database:
        floor = Floor(tmp_path, database, Stumbling(database))
        task = floor.add("stumble")

        def line(run_id: str, engine: DurableEngine) -> None:
            engine.wait("approval", None)

        with floor.worker(line) as (worker, _engine), in_background(worker):
            eventually(lambda: bool(floor.stores.runs.list(task_id=task.task_id)))
            eventually(lambda: floor.stores.runs.lease(floor.last_run(task)).expires_at is None)


def test_two_runs_at_a_time(floor: Floor) -> None:
    for title in ("one", "two"):
        floor.add(title)
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def line(run_id: str, engine: DurableEngine) -> None:
        both.wait()
        floor.deliver(run_id, engine)

    floor.drain(line, concurrency=2)
    assert sorted(floor.ran) == ["one", "two"]


def test_a_run_in_the_foreground(floor: Floor) -> None:
    order = Order(ticket=Ticket(text="now"), repository="/nowhere", commit="0" * 40)
    with floor.worker(floor.deliver) as (worker, _engine):
        task, claim = floor.stores.tasks.add_and_claim(order, worker.name, FAST.lease_s)
        assert worker.carry_out(claim).kind is EndingKind.FINISHED
    assert floor.status(task) is Status.DELIVERED


def _fields(settings: QueueSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}
