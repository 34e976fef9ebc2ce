"""A small real ticket for agents: a repository whose test fails until one sign is mended. Knows nothing of agents."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": (
        "import unittest\n\nfrom calc import add\n\n\n"
        "class AddTest(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
    ),
}
LONGEST_S = 120.0


class Ticket:
    """A fresh repository, to be used with ``with``."""

    def __enter__(self) -> "Ticket":
        self.folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="ticket-"))
        for name, text in FILES.items():
            (self.folder / name).write_text(text)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "agent")
        self.git("config", "user.email", "agent@localhost")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "start")
        assert not self.passes
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def git(self, *words: str) -> str:
        """What git says in the repository."""
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def passes(self) -> bool:
        """Whether the test does."""
        command = [sys.executable, "-B", "-m", "unittest", "-q"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def check(self) -> None:
        """Raises ``AssertionError`` unless the test passes and only what had to be edited was."""
        assert self.passes, "the test still fails"
        changed = self.git("diff", "--name-only", self.git("rev-list", "--max-parents=0", "HEAD"))
        assert changed == "calc.py", changed

    def work(self, command: list[str], environ: Mapping[str, str]) -> str:
        """Run an agent; what it prints. Raises ``AssertionError`` if it or :meth:`check` fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        said = (done.stdout + done.stderr)[-1500:]
        assert done.returncode == 0, f"exit code {done.returncode}: {said}"
        self.check()
        return done.stdout
