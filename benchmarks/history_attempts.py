"""Has a mined ticket worked on: by ``karkhana run`` in its sandbox, or by the engineer alone.

Knows how a state before the fix becomes a repository and an environment; knows nothing of what a change is worth.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import git
from benchmarks.history_judge import replay
from benchmarks.history_limits import Ended, bounded
from benchmarks.mine_tickets import History, Ticket
from karkhana.domain.settings import EnvironmentSettings
from karkhana.workspace.environment import Environments

CPU_S = 60.0
"""CPU seconds for one ticket; preparing its environment is not counted."""
_MODEL_CPU_S = 40.0
"""More of them for running and comparing what a model proposes."""
PROGRAM = Path(sys.executable).parent / "karkhana"
_TOLD = frozenset({"hypothesis.tried", "candidates.compared", "note"})
_SHARED = ("environments", "instruments")
"""Folders of a home that all cases of a library share."""

Attempt = tuple[dict[str, bytes | None] | None, dict[str, Any]]
"""The changed files (``None``: nothing was delivered), and what was told."""


def directly(
    ticket: Ticket, git_dir: Path, python: Path, *, seconds: float, words: str, model: Sequence[str] = ()
) -> Attempt:
    """Ask the engineer alone, in a process of its own; ``model``: options that name one for the hybrid engineer."""
    command = [sys.executable, "-m", "benchmarks.history_direct", "--repository", git_dir, "--python", python]
    command += ["--seconds", str(seconds), "--words", words, *model]
    cpu_s = CPU_S + (_MODEL_CPU_S if model else 0.0)
    ended = bounded(command, stdin=json.dumps(ticket), cpu_s=cpu_s, wall_s=max(CPU_S * 6, 2 * seconds))
    said = _last_object(ended)
    told = _told(ended, said.get("reason", ""))
    told |= {key: said.get(key) for key in ("tried", "question", "probability", "events", "failing_before", "model")}
    if told["probability"] is None:
        told["probability"] = stated_probability(told["events"] or [])
    if not said.get("solved"):
        return None, told
    return {path: None if text is None else text.encode() for path, text in said["changes"].items()}, told


def through_line(ticket: Ticket, git_dir: Path, python: Path, *, seconds: float, words: str, shared: Path) -> Attempt:
    """Run the whole line; ``shared``: where environments are kept between cases."""
    files = History(git_dir, ticket["library"]).broken(ticket)
    with tempfile.TemporaryDirectory(prefix="history-") as scratch:
        told, diff = _run_line(ticket, files, python, Path(scratch), seconds=seconds, words=words, shared=shared)
    return (replay(files, diff) if diff and not told["stopped"] else None), told


def _run_line(
    ticket: Ticket, files: Mapping[str, bytes], python: Path, folder: Path, *, seconds: float, words: str, shared: Path
) -> tuple[dict[str, Any], str]:
    repository, home = folder / "repository", folder / "home"
    write_files(repository, files)
    _prepare(repository, home, shared / ticket["library"].replace("/", "+"), python)
    commit_all(repository)
    command = [PROGRAM, "run", "-", "--repo", repository, "--json", "--engineer", "symbolic"]
    command += ["--timeout", str(seconds), "--test-command", ticket["command"]]
    environ = {**os.environ, "KARKHANA_HOME": str(home), "KARKHANA_ENVIRONMENT_INSTALL": "false"}
    ended = bounded(command, stdin=ticket[words], cpu_s=CPU_S, wall_s=CPU_S * 8, environment=environ)
    said = _last_object(ended)
    told = _told(ended, str(said.get("reason") or said.get("error") or said.get("status") or ""))
    confidence = said.get("confidence") or {}
    told |= {"status": said.get("status"), "score": confidence.get("score"), "tests": said.get("tests")}
    told["failing_before"] = ((said.get("tests") or {}).get("before") or {}).get("failing")
    told["events"] = _events(said["run_id"], environ) if said.get("run_id") else None
    told["probability"] = stated_probability(told["events"] or [])
    return told, said.get("diff") or ""


def _prepare(repository: Path, home: Path, shared: Path, python: Path) -> None:
    """Make the sandbox's environment of what the ticket was mined with, before CPU seconds are counted.

    What a library's old dependency files ask for seldom runs on today's Python.
    """
    home.mkdir(parents=True)
    for name in _SHARED:
        (shared / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / name).symlink_to(shared / name)
    made = Environments(home, EnvironmentSettings(install=False)).prepare(repository)
    mined = next((python.parent.parent / "lib").glob("python*/site-packages"))
    there = shared / "environments" / made.key / "venv" / "lib" / mined.parent.name / "site-packages"
    left = shutil.ignore_patterns("pip", "pip-*", "__pycache__")
    shutil.copytree(mined, there, ignore=left, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    if not Path(target).exists():
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)


def _events(run: str, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the engineer said it did, from the trail."""
    done = subprocess.run([PROGRAM, "runs", "trace", run, "--json"], env=environ, capture_output=True, check=False)
    found = [json.loads(line).get("event") or {} for line in done.stdout.splitlines()]
    return [event for event in found if event.get("type") in _TOLD]


def stated_probability(events: list[dict[str, Any]]) -> float | None:
    """The engineer's own probability that its change is right."""
    stated = [e.get("probability") for e in events if e.get("type") == "candidates.compared"]
    return stated[-1] if stated else None


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Path → bytes onto the disk."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def commit_all(repository: Path) -> None:
    """Make a folder a repository with one commit of all that it holds."""
    git(repository, "init", "--quiet")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "-m", "start")


def _last_object(ended: Ended) -> dict[str, Any]:
    lines = ended.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1]) if lines and not ended.stopped else {}  # type: ignore[no-any-return]
    except json.JSONDecodeError:
        return {}


def _told(ended: Ended, reason: str) -> dict[str, Any]:
    if ended.stopped:
        reason = f"stopped: more than {CPU_S:g} s of {ended.stopped} time"
    told = {"reason": reason or ended.stderr.strip()[-500:], "stopped": ended.stopped, "crashed": not reason}
    return told | {"cpu_s": round(ended.cpu_s, 1), "wall_s": round(ended.wall_s, 1)}
