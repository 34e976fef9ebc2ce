"""Real repositories, made by the user's own git."""

import os
import subprocess
from pathlib import Path

import pytest

WHO = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Tree:
    """A work tree and the plain git command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, input=stdin, capture_output=True, check=False, env={**os.environ, **WHO}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str, content: bytes | str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A repository with one commit of three files."""
    made = Tree(tmp_path / "shop")
    made.root.mkdir()
    made.git("init", "-q", "-b", "main")
    made.write("README", "hello\n")
    made.write("src/cart.py", "def total():\n    return 1\n")
    made.write("data.bin", bytes(range(256)))
    made.commit("first")
    return made
