"""Git histories for tests, written by one ``git fast-import`` however long they are."""

import os
import subprocess
from pathlib import Path

START = 1_600_000_000
DAY = 86_400
_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class History:
    """Commits one after the other on one branch; names of commits are known once it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = START
        self._stream: list[bytes] = []
        self._count = 0

    def commit(self, message: str, files: dict[str, str | None], *, author: str = "ann", days: float = 1.0) -> int:
        """The number of the new commit, from 1; a file that is ``None`` is deleted. ``days`` since the one before."""
        self.now += int(days * DAY)
        self._count += 1
        text = message.encode()
        who = f"{author} <{author}@example.org> {self.now} +0000\n"
        parts = [f"commit refs/heads/main\nmark :{self._count}\nauthor {who}committer {who}data {len(text)}\n".encode()]
        parts += [text, b"\n"]
        if self._count > 1:
            parts.append(f"from :{self._count - 1}\n".encode())
        for path, content in files.items():
            if content is None:
                parts.append(f"D {path}\n".encode())
            else:
                raw = content.encode()
                parts += [f"M 100644 inline {path}\ndata {len(raw)}\n".encode(), raw, b"\n"]
        self._stream += parts
        return self._count

    def write(self) -> list[str]:
        """Make the repository; the names of its commits, the oldest first."""
        self.root.mkdir(parents=True, exist_ok=True)
        run(self.root, "init", "-q", "-b", "main")
        if not self._stream:
            return []
        run(self.root, "fast-import", "--quiet", "--force", stdin=b"".join(self._stream))
        return run(self.root, "rev-list", "--reverse", "main").split()


def run(root: Path, *words: str, stdin: bytes = b"") -> str:
    """Plain git in ``root``."""
    done = subprocess.run(
        ["git", "-C", root, *words], input=stdin, capture_output=True, check=True, env={**os.environ, **_ENVIRONMENT}
    )
    return done.stdout.decode()
