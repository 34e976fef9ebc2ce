"""Where what is found out about a repository's history is kept. Knows nothing of what that is."""

import hashlib
from pathlib import Path

from karkhana.git.repository import Repository


def folder_for(home: Path, repository: Repository) -> Path:
    """A folder of its own for each repository; worktrees of one share it."""
    name = hashlib.sha256(str(repository.common_dir).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home / "history" / name
