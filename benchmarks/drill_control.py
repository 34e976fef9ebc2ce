"""Kills workers at chosen points of a drill, and judges from what they left behind whether anything was done twice.

The workers are real processes, killed by SIGKILL from outside; see :mod:`benchmarks.drill` for what
they do. Knows nothing of how a run is continued.
"""

import queue
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import msgspec

from benchmarks.drill import CLAIMED, STEPS, CountingForge, SideLog, drill_order, open_drill_stores
from karkhana.domain.tasks import Status

KILL_POINTS = (CLAIMED, *(f"{where} {step}" for step in STEPS for where in ("before", "middle of")))
"""Between the claim and the workflow, at every boundary between stations, and inside every station."""
PATIENCE_S = 60.0


class WorkerProcess:
    """A drill's worker as a child process. Killed when its block ends, if it still lives."""

    def __init__(self, folder: Path, url: str | None, *options: str, module: str = "benchmarks.drill") -> None:
        """``options`` as on the command line of ``module``, which says ``ready``, and ``at POINT`` where it waits."""
        command = [sys.executable, "-m", module, str(folder), *options]
        if url is not None:
            command += ["--url", url]
        here = Path(__file__).parent.parent
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reader.join()

    def wait_for(self, line: str) -> None:
        """Wait until the worker says ``line``. Raises ``TimeoutError``, or ``RuntimeError`` when it ends first."""
        while True:
            try:
                said = self._lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise TimeoutError(f"the worker did not say {line!r}") from None
            if said == line:
                return
            if not said:
                raise RuntimeError(f"the worker ended before it said {line!r}, exit code {self._process.wait()}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code. Raises ``TimeoutExpired``."""
        self._process.terminate()
        return self.wait()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code. Raises ``TimeoutExpired``."""
        return self._process.wait(timeout_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line.rstrip("\n"))
        self._lines.put("")


class KillReport(msgspec.Struct, kw_only=True):
    """What a number of kills did. All but the first three must be zero."""

    kills: int = 0
    runs: int = 0
    takeover_s: float = 0.0
    """Median from the kill to the next worker's first station; the lease has to run out in between."""
    unfinished: int = 0
    redone: int = 0
    """Stations that began again though they had finished, or oftener than they were interrupted."""
    skipped: int = 0
    """Stations that never came to their end."""
    delivered_twice: int = 0
    broken_trails: int = 0

    @property
    def clean(self) -> bool:
        return not (self.unfinished or self.redone or self.skipped or self.delivered_twice or self.broken_trails)


def kill_workers(folder: Path, url: str | None, kills: int, *, kills_per_run: int = 5) -> KillReport:
    """Carry out drill runs while killing ``kills`` workers, each at another point, and judge what is left."""
    report = KillReport()
    waits: list[float] = []
    strides = -(-len(KILL_POINTS) // kills_per_run)
    while report.kills < kills:
        points = KILL_POINTS[report.runs % strides :: strides][: kills - report.kills]
        with open_drill_stores(folder, url) as stores:
            task_id = stores.tasks.add(drill_order()).task_id
        waits += _carry_out_with_kills(folder, url, points, task_id)
        judge_run(folder, url, task_id, points, report)
        report.kills += len(points)
        report.runs += 1
    report.takeover_s = round(statistics.median(waits), 3) if waits else 0.0
    return report


def _carry_out_with_kills(folder: Path, url: str | None, points: tuple[str, ...], task_id: str) -> list[float]:
    """The seconds from each kill to the first station that began after it."""
    killed: list[float] = []
    with ExitStack() as stack:
        worker = stack.enter_context(WorkerProcess(folder, url, "--pause-at", points[0]))
        for following in (*points[1:], ""):
            worker.wait_for(f"at {points[len(killed)]}")
            # The next one stands by, as on another node; it finds the run when the lease has run out.
            options = ("--pause-at", following) if following else ()
            standby = stack.enter_context(WorkerProcess(folder, url, *options))
            standby.wait_for("ready")
            worker.kill()
            killed.append(time.time())
            worker = standby
        _await_status(folder, url, task_id, Status.DELIVERED)
        worker.stop()
    begun = [mark.at for mark in SideLog(folder).read() if mark.task_id == task_id and mark.what == "begin"]
    after = [min((at for at in begun if at > moment), default=None) for moment in killed]
    return [at - moment for at, moment in zip(after, killed, strict=True) if at is not None]


def _await_status(folder: Path, url: str | None, task_id: str, status: Status) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with open_drill_stores(folder, url) as stores:
        while stores.tasks.get(task_id).status is not status and time.monotonic() < deadline:
            time.sleep(0.05)


def judge_run(folder: Path, url: str | None, task_id: str, points: tuple[str, ...], report: KillReport) -> None:
    """Add to ``report`` what went wrong with the task, whose workers were killed at ``points``."""
    marks = [mark for mark in SideLog(folder).read() if mark.task_id == task_id]
    with open_drill_stores(folder, url) as stores:
        report.unfinished += stores.tasks.get(task_id).status is not Status.DELIVERED
        runs = stores.runs.list(task_id=task_id)
        report.unfinished += len(runs) != 1
        report.broken_trails += any(stores.events.verify(run.run_id) for run in runs)
    report.delivered_twice += CountingForge(folder).pushes(task_id) != 1
    for step in STEPS:
        begun = sum(mark.what == "begin" and mark.step == step for mark in marks)
        ended = sum(mark.what == "end" and mark.step == step for mark in marks)
        interrupted = points.count(f"middle of {step}")
        # Inside "finish" the run is over already: there is nothing to continue, and nothing that may be.
        over = step == "finish" and interrupted
        report.redone += max(0, begun - (1 if over else 1 + interrupted))
        report.skipped += ended != (0 if over else 1)
