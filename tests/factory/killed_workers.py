"""Workers as processes, for tests that kill one in the middle of its work and let another one go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.factory.stores import open_stores

PATIENCE_S = 120.0


def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead worker is missed after two seconds."""
    for name, value in (("LEASE_S", "2"), ("HEARTBEAT_S", "0.5")):
        monkeypatch.setenv(f"KARKHANA_QUEUE_{name}", value)


def _begun() -> "subprocess.Popen[bytes]":
    command: list[str | Path] = [Path(sys.executable).parent / "karkhana", "worker"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


@contextmanager
def killed_worker() -> Iterator[None]:
    """It works while the block waits, and is killed at its end."""
    process = _begun()
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def worker() -> Iterator[None]:
    """It works while the block waits, and is stopped gently at its end."""
    process = _begun()
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def run_of(task_id: str) -> str:
    """Empty until it has begun."""
    with open_stores() as stores:
        return next((run.run_id for run in stores.runs.list(task_id=task_id)), "")


def status(run_id: str) -> Status:
    with open_stores() as stores:
        return stores.runs.get(run_id).status


def command_under_way(run_id: str, words: str = "") -> bool:
    """Whether the newest event is a command (with these words in it) that was begun."""
    with open_stores() as stores:
        *_, last = [ev.Noted(text=""), *(entry.event for entry in stores.events.entries(run_id))]
    return isinstance(last, ev.ToolCalled) and last.call["tool"] == "run_command" and words in str(last.call)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
