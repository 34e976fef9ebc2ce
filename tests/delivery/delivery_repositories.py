"""Real git repositories for the tests of delivery."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from karkhana.domain.changes import REGULAR, Change, FileChange, FileState
from karkhana.git import make_patch
from karkhana.ports import DeliveryRequest

Git = Callable[..., str]
Sides = Mapping[str, tuple[bytes | None, bytes | None]]


def run_git(cwd: Path, *arguments: str, ok: bool = True) -> str:
    """Run git with a neutral configuration and give its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, check=False)
    if ok and done.returncode != 0:
        raise AssertionError(f"git {arguments} failed: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "surrogateescape")


def make_repository(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    run_git(folder, "init", "-q", "-b", "main")
    for path, content in files.items():
        target = Path(os.fsdecode(os.fsencode(folder) + b"/" + path.encode("utf-8", "surrogateescape")))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    run_git(folder, "add", "-A", "-f")
    run_git(folder, "commit", "-q", "-m", "Begin")
    return folder


def make_change(base: str, sides: Sides, *, title: str = "Fix total", summary: str = "It was wrong.") -> Change:
    """A change of regular files with its patch."""

    def state(content: bytes | None) -> FileState | None:
        return None if content is None else FileState(REGULAR, hashlib.sha256(content).hexdigest())

    files = tuple(FileChange(path, state(sides[path][0]), state(sides[path][1])) for path in sorted(sides))
    both = {
        path: tuple(None if content is None else (REGULAR, content) for content in pair) for path, pair in sides.items()
    }
    return Change(
        base=base,
        files=files,
        patch=make_patch({path: (pair[0], pair[1]) for path, pair in both.items()}),
        summary=summary,
        engineer="symbolic",
        title=title,
    )


def make_request(
    repository: Path, sides: Sides, *, branch: str = "karkhana/BUILD-1", at: int = 1000
) -> DeliveryRequest:
    base = run_git(repository, "rev-parse", "HEAD").strip()
    return DeliveryRequest(
        repository=str(repository),
        change=make_change(base, sides),
        contents={path: after for path, (_, after) in sides.items()},
        branch=branch,
        message="Fix total\n\nIt was wrong.\n",
        at=at,
    )
