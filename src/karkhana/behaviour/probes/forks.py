"""Forked children with limits: what a candidate breaks dies with its child.

Knows nothing of tests. A child sends JSON lines through a pipe, each with the marker of that pipe, so that what the
repository's code writes to descriptors it does not know is nobody's answer; the parent notices silence, death and the
regular end, and reads no more than it can hold. CPU time inside a child is bounded by ``ITIMER_PROF``, so a busy
machine does not turn a slow test into a hang.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

Send = Callable[[Any], None]
DONE, STALLED, DIED = "done", "stalled", "died"
_STRIKES = 25
"""Overtime signals that a child may swallow (``except BaseException: pass`` in a loop) before it is ended."""
_GRACE_S = 2
"""CPU seconds, rounded up, that code may go on for without giving way."""
_ANSWERS_BYTES = 64 << 20
_MEMORY_BYTES = 768 * 1024 * 1024
"""Address space that a child may add to what its parent had."""


class Overtime(BaseException):
    """The CPU seconds of one piece of work are used up."""


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`Overtime` in the block after ``seconds`` of CPU time, and again until it gives way."""
    strikes = 0

    def strike(number: int, frame: Any) -> None:
        nonlocal strikes
        strikes += 1
        if strikes > _STRIKES:
            os._exit(87)
        raise Overtime

    previous = signal.signal(signal.SIGPROF, strike)
    # A loop inside C code never lets a handler run: the kernel ends it a little later.
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    last = int(time.process_time() + seconds) + _GRACE_S
    resource.setrlimit(resource.RLIMIT_CPU, (last if hard == resource.RLIM_INFINITY else min(last, hard), hard))
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, 0.02)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _confine() -> None:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        used = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + _MEMORY_BYTES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _child(write: int, marker: bytes, work: Callable[[Send], None], confined: bool) -> None:
    def send(value: Any) -> None:
        data = b"\n" + marker + json.dumps(value, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(write, data) :]

    try:
        if confined:
            _confine()
        work(send)
        send({"end": True})
    # Whatever ends the child (including SystemExit and Overtime) is told to the parent by the missing end line.
    except BaseException:
        os._exit(70)
    finally:
        os._exit(0)


def forked(work: Callable[[Send], None], receive: Callable[[Any], None], idle_s: float, confined: bool = True) -> str:
    """Run ``work(send)`` in a child and ``receive(value)`` here for each value that it sends.

    Returns ``DONE``, ``DIED`` (the child ended without finishing) or ``STALLED`` (nothing was sent for
    ``idle_s`` wall-clock seconds; the child and all it started are killed). ``confined`` bounds the child's memory.
    """
    read, write = os.pipe()
    marker = os.urandom(8).hex().encode()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(write, marker, work, confined)
    os.close(write)
    state = DIED
    buffer = b""
    total = 0
    try:
        deadline = time.monotonic() + idle_s
        while True:
            ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                state = STALLED
                break
            data = os.read(read, 1 << 16)
            total += len(data)
            if not data or total > _ANSWERS_BYTES:
                break
            deadline = time.monotonic() + idle_s
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                if not line.startswith(marker):
                    continue
                value = json.loads(line[len(marker) :])
                if isinstance(value, dict) and value.get("end") is True:
                    state = DONE
                else:
                    receive(value)
            if state == DONE:
                break
    finally:
        os.close(read)
        for kill, target in ((os.killpg, pid), (os.kill, pid)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(target, signal.SIGKILL)
        os.waitpid(pid, 0)
    return state
