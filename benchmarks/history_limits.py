"""Runs a command with a limit on the CPU seconds of it and everything that it starts.

Reads /proc, so Linux only. Knows nothing of what the command does.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.25


@dataclass(frozen=True)
class Ended:
    """How a bounded command ended."""

    stdout: str
    stderr: str
    cpu_s: float
    """CPU seconds of the command and all its descendants."""
    wall_s: float
    stopped: str
    """``cpu`` or ``wall`` when a limit was reached, else empty."""


def bounded(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    cpu_s: float,
    wall_s: float,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``command`` until it ends or a limit is reached; then it and its descendants are killed."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        begun = time.monotonic()
        process = subprocess.Popen(
            command, stdin=given, stdout=out, stderr=err, env=environment, start_new_session=True, text=True
        )
        used, stopped = _watch(process, begun, cpu_s, wall_s)
        out.seek(0)
        err.seek(0)
        return Ended(out.read(), err.read(), used, time.monotonic() - begun, stopped)


def _watch(process: subprocess.Popen[str], begun: float, cpu_s: float, wall_s: float) -> tuple[float, str]:
    """Wait for the process; its CPU seconds and the limit that ended it."""
    ended: list[float] = []

    def wait() -> None:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.append(usage.ru_utime + usage.ru_stime)

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    used, stopped = 0.0, ""
    while waiter.is_alive():
        waiter.join(_LOOK_S)
        tree = list(descendants(process.pid))
        used = max(used, sum(cpu for _, cpu in tree))
        over = "cpu" if used > cpu_s else "wall" if time.monotonic() - begun > wall_s else ""
        if over and not stopped:
            stopped = over
            for number, _ in tree:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
    return max(used, *ended), stopped


def descendants(pid: int) -> Iterator[tuple[int, float]]:
    """(process, CPU seconds of it and of its children that have ended) for a process and all below it."""
    parents: dict[int, list[tuple[int, float]]] = {}
    own = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            continue  # it ended while we looked
        cpu = sum(map(int, fields[11:15])) / _TICK
        parents.setdefault(int(fields[1]), []).append((int(entry.name), cpu))
        if int(entry.name) == pid:
            own = cpu
    yield pid, own
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            yield child
            waiting.append(child[0])
