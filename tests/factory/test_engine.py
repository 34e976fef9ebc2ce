"""The engine on both databases, inside one process. Killed processes: ``test_worker_kills.py``."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from karkhana.domain.errors import BudgetExhausted, InfrastructureFailure, LeaseLost, RunCancelled
from karkhana.domain.events import StepRetried
from karkhana.factory.engine import DurableEngine, Line
from karkhana.factory.engine_control import Ending, EndingKind, RunControl


class Letters:
    """A mailbox in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], list[str]] = {}

    def post(self, run_id: str, topic: str, message: str) -> None:
        self.kept.setdefault((run_id, topic), []).append(message)

    def read(self, run_id: str, topic: str, index: int) -> str | None:
        letters = self.kept.get((run_id, topic), [])
        return letters[index] if index < len(letters) else None


class Node:
    """An engine of one home, and how its executions ended."""

    def __init__(self, home: Path, letters: Letters | None = None, name: str = "node", **options: Any) -> None:
        self.home = home
        self.letters = letters or Letters()
        self.options = {"executor": name, "backoff_s": 0.001, **options}

    def run(self, line: Line, run_id: str = "run_1", epoch: int = 1) -> Ending:
        """Run to the end in a new engine, as a new process would."""
        endings: list[Ending] = []
        with DurableEngine(line, self.letters, home=self.home, **self.options) as engine:
            engine.ended = lambda _control, ending: endings.append(ending)
            engine.start(run_id, epoch)
            assert engine.join([run_id], timeout_s=60)
        assert len(endings) == 1
        return endings[0]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    """On each database in turn."""
    if request.param == "sqlite":
        return Node(tmp_path)
    return Node(tmp_path, database_url=request.getfixturevalue("postgres_url"))


def crash_once(trips: list[str]) -> None:
    """What a dead process leaves: the step is not recorded, the workflow not ended."""
    if not trips:
        trips.append("crashed")
        raise LeaseLost("killed")


def test_the_address_of_a_sqlite_file_is_no_server(tmp_path: Path) -> None:
    node = Node(tmp_path / "home", database_url=f"sqlite:///{tmp_path}/elsewhere.sqlite3")
    assert node.run(lambda _run_id, engine: engine.step("only", dict)).kind is EndingKind.FINISHED
    assert (node.home / "engine.sqlite3").is_file()


def test_a_step_runs_once_though_the_line_runs_twice(any_node: Node) -> None:
    ran: list[str] = []
    trips: list[str] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        ran.append(f"first {engine.step('first', lambda: ran.append('effect') or {'n': 1})}")
        engine.step("second", lambda: crash_once(trips))
        ran.append("end")

    assert any_node.run(line).kind is EndingKind.LOST
    assert any_node.run(line, epoch=2).kind is EndingKind.FINISHED
    assert ran == ["effect", "first {'n': 1}", "first {'n': 1}", "end"]


def test_a_step_gives_the_same_data_before_and_after_a_crash(node: Node) -> None:
    seen: list[Any] = []
    trips: list[str] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        seen.append(engine.step("tuple", lambda: {"pair": (1, "ü"), "none": None}))
        engine.step("crash", lambda: crash_once(trips))

    node.run(line)
    node.run(line, epoch=2)
    assert seen == [{"pair": [1, "ü"], "none": None}] * 2


def test_an_error_of_a_step_is_its_result(any_node: Node) -> None:
    raised: list[str] = []
    trips: list[str] = []

    def spend() -> None:
        raised.append("spent")
        raise BudgetExhausted("200 turns are used up", "Raise --max-turns.")

    def line(_run_id: str, engine: DurableEngine) -> None:
        with pytest.raises(BudgetExhausted, match="200 turns") as failure:
            engine.step("build", spend)
        raised.append(failure.value.next)
        engine.step("crash", lambda: crash_once(trips))

    any_node.run(line)
    assert any_node.run(line, epoch=2).kind is EndingKind.FINISHED
    assert raised == ["spent", "Raise --max-turns.", "Raise --max-turns."]


def test_only_the_machinery_is_retried(tmp_path: Path) -> None:
    events: list[StepRetried] = []
    node = Node(tmp_path, attempts=3, retried=lambda _control, event: events.append(event))
    tries: list[int] = []

    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise InfrastructureFailure("the sandbox broke")
        return len(tries)

    seen: list[int] = []
    assert node.run(lambda _id, engine: seen.append(engine.step("build", flaky))).kind is EndingKind.FINISHED
    assert seen == [3]
    assert [(e.step, e.attempt, e.error) for e in events] == [
        ("build", 1, "the sandbox broke"),
        ("build", 2, "the sandbox broke"),
    ]


def test_machinery_that_stays_broken_ends_the_run_as_broken_and_is_not_recorded(tmp_path: Path) -> None:
    node = Node(tmp_path, attempts=2)
    tries: list[int] = []

    def broken() -> None:
        tries.append(1)
        raise InfrastructureFailure("no space left", "Free some space.")

    ending = node.run(lambda _id, engine: engine.step("build", broken))
    assert (ending.kind, ending.reason, ending.next) == (EndingKind.BROKEN, "no space left", "Free some space.")
    assert len(tries) == 2


def test_a_bug_ends_the_run_as_crashed_with_its_traceback(node: Node) -> None:
    def line(_run_id: str, engine: DurableEngine) -> None:
        engine.step("build", lambda: int("many"))

    ending = node.run(line)
    assert ending.kind is EndingKind.CRASHED
    assert "ValueError" in ending.reason
    assert "test_engine.py" in ending.next


def test_a_run_of_another_line_fails_with_a_reason(node: Node) -> None:
    trips: list[str] = []

    def before(_run_id: str, engine: DurableEngine) -> None:
        engine.step("plan", lambda: None)
        engine.step("crash", lambda: crash_once(trips))

    def after(_run_id: str, engine: DurableEngine) -> None:
        engine.step("prepare", lambda: trips.append("prepared"))

    node.run(before)
    ending = node.run(after, epoch=2)
    assert (ending.kind, trips) == (EndingKind.FAILED, ["crashed"])
    assert "the line has changed" in ending.reason


def test_steps_belong_into_a_line(node: Node) -> None:
    engine = DurableEngine(lambda _id, _engine: None, node.letters, home=node.home, **node.options)
    with engine, pytest.raises(RuntimeError, match="belong into a line"):
        engine.step("alone", lambda: None)


def test_the_ending_of_a_run_that_ended_is_told_again(node: Node) -> None:
    ran: list[int] = []
    node.run(lambda _id, _engine: ran.append(1))
    assert node.run(lambda _id, _engine: ran.append(2), epoch=2).kind is EndingKind.FINISHED
    assert ran == [1]


def test_an_older_epoch_never_gets_the_run_back(any_node: Node) -> None:
    trips: list[str] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        engine.step("crash", lambda: crash_once(trips))
        engine.step("again", lambda: trips.append("again"))
        raise LeaseLost("killed")

    any_node.run(line, epoch=3)
    assert any_node.run(line, epoch=2).kind is EndingKind.LOST
    assert any_node.run(line, epoch=3).kind is EndingKind.LOST
    assert trips == ["crashed"]
    any_node.run(line, epoch=4)
    assert trips == ["crashed", "again"]


def test_a_zombie_cannot_record_its_step(any_node: Node) -> None:
    ran: list[str] = []
    hold, taken = threading.Event(), threading.Event()

    def line(_run_id: str, engine: DurableEngine) -> None:
        def work() -> str:
            mine = f"epoch {engine.control('run_1').epoch}"
            ran.append(mine)
            if mine == "epoch 1":
                taken.set()
                assert hold.wait(60)
            return mine

        ran.append(f"result of {engine.step('work', work)}")

    endings: dict[int, Ending] = {}
    with DurableEngine(line, any_node.letters, home=any_node.home, **any_node.options) as engine:
        engine.ended = lambda control, ending: endings.__setitem__(control.epoch, ending)
        engine.start("run_1", 1)
        assert taken.wait(60)
        engine.start("run_1", 2)
        while 2 not in endings:
            threading.Event().wait(0.01)
        hold.set()
        assert engine.join(["run_1"], 60)
    assert {epoch: ending.kind for epoch, ending in endings.items()} == {1: EndingKind.LOST, 2: EndingKind.FINISHED}
    assert ran == ["epoch 1", "epoch 2", "result of epoch 2"]


def test_a_run_that_waits_leaves_memory_and_goes_on_when_the_message_is_there(node: Node) -> None:
    ran: list[str | None] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        engine.step("ask", lambda: ran.append("asked"))
        ran.append(engine.wait("approval", None))
        ran.append(engine.wait("approval", None))

    first = node.run(line)
    assert (first.kind, first.topic, first.until) == (EndingKind.PARKED, "approval", None)
    node.letters.post("run_1", "approval", "yes")
    assert node.run(line, epoch=2).kind is EndingKind.PARKED
    node.letters.post("run_1", "approval", "and no")
    assert node.run(line, epoch=3).kind is EndingKind.FINISHED
    assert ran == ["asked", "yes", "yes", "and no"]


def test_a_wait_ends_at_its_time_whatever_happens_in_between(tmp_path: Path) -> None:
    now = [1000.0]
    node = Node(tmp_path, clock=lambda: now[0])
    seen: list[str | None] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        seen.append(engine.wait("approval", 60.0))

    assert node.run(line).until == 1060.0
    now[0] = 1059.0
    assert node.run(line, epoch=2).until == 1060.0
    now[0] = 1060.0
    assert node.run(line, epoch=3).kind is EndingKind.FINISHED
    assert seen == [None]


def test_a_wait_that_ended_without_a_message_leaves_the_next_message_to_the_next_wait(tmp_path: Path) -> None:
    now = [1000.0]
    node = Node(tmp_path, clock=lambda: now[0])
    seen: list[str | None] = []

    def line(_run_id: str, engine: DurableEngine) -> None:
        seen[:] = [engine.wait("resume", 60.0), engine.wait("resume", None)]

    assert node.run(line).until == 1060.0
    now[0] = 1060.0
    assert node.run(line, epoch=2).kind is EndingKind.PARKED
    node.letters.post("run_1", "resume", "ten more turns")
    assert node.run(line, epoch=3).kind is EndingKind.FINISHED
    assert seen == [None, "ten more turns"]


def test_cancelling_stops_the_step_that_runs_and_lets_the_line_close_the_run(node: Node) -> None:
    started = threading.Event()
    ran: list[str] = []

    def work(control: RunControl) -> None:
        dead = threading.Event()
        with control.on_stop(dead.set):
            started.set()
            assert dead.wait(60)
        raise InfrastructureFailure("the sandbox is gone")

    def line(run_id: str, engine: DurableEngine) -> None:
        try:
            engine.step("build", lambda: work(engine.control(run_id)))
        except RunCancelled:
            engine.step("finish", lambda: ran.append("finished"))

    with DurableEngine(line, node.letters, home=node.home, **node.options) as engine:
        engine.start("run_1")
        assert started.wait(60)
        engine.control("run_1").cancel()
        assert engine.join(["run_1"], 60)
    assert ran == ["finished"]


def test_a_cancelled_run_whose_line_does_not_care_can_be_continued(node: Node) -> None:
    cancelled: list[Callable[[], None]] = []

    def line(run_id: str, engine: DurableEngine) -> None:
        if not cancelled:
            cancelled.append(engine.control(run_id).cancel)
            cancelled[0]()
        engine.step("build", lambda: None)

    assert node.run(line).kind is EndingKind.CANCELLED
    assert node.run(line, epoch=2).kind is EndingKind.FINISHED


def test_closing_hands_running_work_back(node: Node) -> None:
    started = threading.Event()

    def line(run_id: str, engine: DurableEngine) -> None:
        def work() -> None:
            started.set()
            engine.control(run_id).sleep(600)

        engine.step("build", work)

    endings: list[Ending] = []
    engine = DurableEngine(line, node.letters, home=node.home, **node.options)
    engine.ended = lambda _control, ending: endings.append(ending)
    engine.start("run_1")
    assert started.wait(60)
    engine.close()
    assert [ending.kind for ending in endings] == [EndingKind.LOST]
    assert node.run(lambda _id, engine: engine.step("build", lambda: None), epoch=2).kind is EndingKind.FINISHED


def test_what_is_over_is_forgotten_and_what_is_not_is_kept(any_node: Node) -> None:
    ran: list[str] = []

    def line(run_id: str, engine: DurableEngine) -> None:
        engine.step("work", lambda: ran.append(run_id))
        engine.wait("approval", None)

    for run_id in ("run_1", "run_2"):
        any_node.run(line, run_id)
    with DurableEngine(line, any_node.letters, home=any_node.home, **any_node.options) as engine:
        assert engine.forget(lambda _run_id: True) == 0
        assert engine.forget(lambda run_id: run_id == "run_1", older_than_s=0.0) == 1
        assert engine.forget(lambda run_id: run_id == "run_1", older_than_s=0.0) == 0
    assert any_node.run(line, "run_2", epoch=2).kind is EndingKind.PARKED
    assert ran == ["run_1", "run_2"]


def test_two_homes_do_not_see_each_other(tmp_path: Path) -> None:
    ran: list[str] = []
    Node(tmp_path / "a").run(lambda run_id, engine: engine.step("s", lambda: ran.append("a")))
    Node(tmp_path / "b").run(lambda run_id, engine: engine.step("s", lambda: ran.append("b")))
    assert ran == ["a", "b"]
