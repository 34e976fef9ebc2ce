"""A line that does nothing but prove that the queue can be relied on: for drills, tests and benchmarks.

It has the stations of the real line, and writes down in a side log what it does and when, in a file that outlives
the process. Each station's result holds a random number, and the commit that is delivered is a hash of all of
them: a finished station that ran again would show as a different commit. The forge is a file per task to which a
commit is added only on top of the one that it was made for, as in a git push; it counts.

A drill can hold a process at a point of a run so that somebody can kill it there. Knows nothing of who does::

    python -m benchmarks.drill FOLDER --pause-at "middle of deliver"
"""

import argparse
import fcntl
import hashlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from karkhana.domain.events import Noted
from karkhana.domain.json import canonical
from karkhana.domain.settings import QueueSettings
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.engine import DurableEngine
from karkhana.factory.worker import Worker, stop_on_signals
from karkhana.factory.worker_endings import QueueStores
from karkhana.storage.database import open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.messages import MessageStore
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import Claim, RunStore
from karkhana.storage.tasks import TaskStore

STEPS = ("plan", "build", "self_review", "verify", "decide", "deliver", "finish")
CLAIMED = "after the claim"
POINTS = (CLAIMED, *(f"{where} {step}" for step in STEPS for where in ("before", "middle of", "after")))
"""Where a process can be held: when it has the lease but no workflow yet, around each station, and inside each."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the side log."""

    what: str
    """``claim``, ``begin`` and ``end`` of a station, ``finished`` for the queue."""
    worker: str
    at: float
    """Seconds since the epoch; for a claim, when its transaction began."""
    until: float = 0.0
    """For a claim: when its transaction had ended."""
    run_id: str = ""
    task_id: str = ""
    step: str = ""


class SideLog:
    """An append-only file that several processes write, one whole line at a time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "side.log"

    def add(self, mark: Mark) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, canonical(mark) + b"\n")
        finally:
            os.close(descriptor)

    def read(self) -> list[Mark]:
        if not self._path.exists():
            return []
        return [msgspec.json.decode(line, type=Mark) for line in self._path.read_bytes().splitlines()]


class CountingForge:
    """A branch per task: a file with one line for each commit that was ever pushed to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "forge"
        self._folder.mkdir(exist_ok=True)

    def push(self, branch: str, expected: str, commit: str) -> None:
        """Put ``commit`` on top of ``expected`` (empty for a new branch); does nothing when it is there already.

        Raises ``RuntimeError`` when the branch has moved on: something else was delivered.
        """
        with (self._folder / branch).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            head = file.read().splitlines()[-1:] or [""]
            if head == [commit]:
                return
            if head != [expected]:
                raise RuntimeError(f"{branch} is at {head[0]}, not at {expected or 'nothing'}: delivered twice")
            file.write(commit + "\n")

    def pushes(self, branch: str) -> int:
        path = self._folder / branch
        return len(path.read_text().splitlines()) if path.exists() else 0


class Drill:
    """The line. ``steps`` is the number of stations; the last ones always are ``deliver`` and ``finish``."""

    def __init__(self, folder: Path, stores: QueueStores, worker: str, *, steps: int = 7, pause_at: str = "") -> None:
        self._steps = STEPS[len(STEPS) - steps :]
        self._stores = stores
        self._worker = worker
        self._log = SideLog(folder)
        self._forge = CountingForge(folder)
        self._pause_at = pause_at
        self.release = folder / "go"
        """A process that is held goes on when this file is there."""

    def line(self, run_id: str, engine: DurableEngine) -> None:
        task_id = self._stores.runs.get(run_id).task_id
        epoch = engine.control(run_id).epoch
        results: list[str] = []
        for step in self._steps:
            self.point(f"before {step}")
            results.append(engine.step(step, partial(self._station, run_id, task_id, epoch, step, results)))
            self.point(f"after {step}")

    def _station(self, run_id: str, task_id: str, epoch: int, step: str, results: list[str]) -> str:
        self._mark("begin", run_id, task_id, step)
        self._stores.events.trail(run_id, epoch).record(Noted(text=step))
        if step == "deliver":
            self._forge.push(task_id, "", hashlib.sha256(canonical([run_id, results])).hexdigest())
        if step == "finish":
            self._stores.runs.finish(run_id, epoch, Status.DELIVERED, canonical(results))
            self._mark("finished", run_id, task_id, step)
        self.point(f"middle of {step}")
        self._mark("end", run_id, task_id, step)
        return secrets.token_hex(8)

    def _mark(self, what: str, run_id: str, task_id: str, step: str) -> None:
        self._log.add(Mark(what=what, worker=self._worker, at=time.time(), run_id=run_id, task_id=task_id, step=step))

    def point(self, point: str) -> None:
        """Wait here if this is where the process is to be held."""
        if point == self._pause_at:
            self._pause_at = ""
            sys.stdout.write(f"at {point}\n")
            sys.stdout.flush()
            while not self.release.exists():
                time.sleep(0.02)


class TimedTasks(TaskStore):
    """Writes each claim, with the times around its transaction, into the side log."""

    log: SideLog
    claimed: Callable[[str], None] = staticmethod(lambda _point: None)

    def claim(self, worker: str, tags: Collection[str], lease_s: float, now: float | None = None) -> Claim | None:
        began = time.time()
        claim = super().claim(worker, tags, lease_s, now)
        if claim is not None:
            self.log.add(
                Mark(
                    what="claim",
                    worker=worker,
                    at=began,
                    until=time.time(),
                    run_id=claim.run_id,
                    task_id=claim.task_id,
                )
            )
            self.claimed(CLAIMED)
        return claim


@contextmanager
def open_drill_stores(folder: Path, url: str | None) -> Iterator[QueueStores]:
    """The real stores, in ``folder`` or at ``url``."""
    with open_database(url, folder) as database:
        tasks = TimedTasks(database)
        tasks.log = SideLog(folder)
        events = EventLog(database, Redactor({}))
        yield QueueStores(tasks, RunStore(database), events, MessageStore(database))


def drill_order(text: str = "drill") -> Order:
    """An order that needs no repository."""
    return Order(ticket=Ticket(text=text), repository="/drill", commit="0" * 40)


def main() -> None:
    """Work as one worker of a drill until nothing is left (``--drain``) or SIGTERM."""
    parser = argparse.ArgumentParser(description="a worker whose line only proves that the queue can be relied on")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--name", default=f"drill-{os.getpid()}")
    parser.add_argument("--steps", type=int, default=len(STEPS))
    parser.add_argument("--pause-at", default="", choices=("", *POINTS))
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--heartbeat", type=float, default=0.2)
    parser.add_argument("--lease", type=float, default=1.0)
    parser.add_argument("--poll", type=float, default=0.05)
    parser.add_argument("--grace", type=float, default=30.0)
    parser.add_argument("--drain", action="store_true")
    parser.add_argument("--hold", action="store_true", help="claim nothing before the file FOLDER/go is there")
    options = parser.parse_args()
    settings = QueueSettings(
        heartbeat_s=options.heartbeat, lease_s=options.lease, poll_s=options.poll, takeovers=len(POINTS) + 5
    )
    with ExitStack() as stack:
        stores = stack.enter_context(open_drill_stores(options.folder, options.url))
        drill = Drill(options.folder, stores, options.name, steps=options.steps, pause_at=options.pause_at)
        engine = stack.enter_context(
            DurableEngine(
                drill.line, stores.messages, home=options.folder, database_url=options.url, executor=options.name
            )
        )
        assert isinstance(stores.tasks, TimedTasks)
        stores.tasks.claimed = drill.point
        worker = Worker(options.name, settings, stores, engine, concurrency=options.concurrency)
        stack.enter_context(stop_on_signals(worker))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while options.hold and not drill.release.exists() and not worker.stopping:
            time.sleep(0.01)
        worker.work(drain=options.drain, grace_s=options.grace)


if __name__ == "__main__":
    main()
