"""What the sandbox tests share: a repository to work on, a trail, and a way to run Python inside."""

import json
import subprocess
from pathlib import Path
from typing import Any

from karkhana.domain.events import AnyEvent
from karkhana.domain.settings import SandboxSettings
from karkhana.domain.tools import CommandResult
from karkhana.workspace import layout
from karkhana.workspace.local import LocalWorkspace
from karkhana.workspace.sandbox import Sandbox

CANARY = "canary-6f1d0c9a2b"
"""Appears in things of the host that no sandbox may see."""

SMALL = SandboxSettings(
    memory_mb=384, processes=48, file_mb=16, disk_mb=48, inodes=4000, output_mb=1, command_timeout_s=60, cpu_s=30
)
"""Limits that a test reaches quickly."""

PRELUDE = """
import ctypes, errno, json, os, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return errno.errorcode.get(ctypes.get_errno(), 'OK') if result == -1 else 'OK'
def attempt(function, *arguments):
    try:
        return ['OK', repr(function(*arguments))]
    except OSError as error:
        return [errno.errorcode.get(error.errno, str(error.errno)), '']
def answer(value):
    print(json.dumps(value))
"""


class ListTrail:
    """A trail in memory."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return ""


def inside(workspace: LocalWorkspace | Sandbox, program: str, *, timeout_s: float = 30.0) -> CommandResult:
    """Run a Python program, with the prelude before it, in the workspace."""
    argv = (layout.interpreter(), "-I", "-S", "-c", PRELUDE + program)
    return workspace.run(argv, timeout_s=timeout_s)


def ask(workspace: LocalWorkspace, program: str, *, timeout_s: float = 30.0) -> Any:
    """What the program gives to ``answer``. Fails the test when it gives nothing: then nothing was tried."""
    result = inside(workspace, program, timeout_s=timeout_s)
    assert result.stdout, f"the attack did not run: {result.exit_code} {result.stderr.decode()}"
    return json.loads(result.stdout.splitlines()[-1])


FILES = {
    "cart.py": "def total(items):\n    return sum(items)\n",
    "src/shop/__init__.py": "",
    "src/shop/tax.py": "RATE = 0.2\n",
    "tests/test_cart.py": "from cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
    ".gitignore": "build/\n*.log\n",
    "run.sh": "#!/bin/sh\necho hello\n",
}


def make_repository(place: Path, files: dict[str, str] | None = None) -> str:
    """A git repository with one commit; returns the commit."""
    place.mkdir(parents=True)
    for path, text in (files or FILES).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
        if path.endswith(".sh"):
            (place / path).chmod(0o755)
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *identity, *arguments], cwd=place, check=True, capture_output=True)
    answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=place, check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of every file below ``folder``."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, b"" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }


def host_processes(marker: str) -> list[int]:
    """Processes of the host whose command line holds ``marker``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in line:
                found.append(int(entry.name))
    return found
