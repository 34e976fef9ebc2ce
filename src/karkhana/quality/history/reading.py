"""The commits of a repository, those read before from the disk. Knows nothing of what they are wanted for.

>>> # read_history(repository, "HEAD", folder)[-1].title  ->  "Fix the total of an empty cart"
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from karkhana.git.log import LoggedCommit, list_commits, read_log
from karkhana.git.repository import Repository
from karkhana.quality.history.journal import Journal

VERSION = 1
"""Rises when the same commit would be read otherwise."""


def read_history(
    repository: Repository,
    head: str,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[LoggedCommit]:
    """Every commit up to ``head`` that is no merge, the oldest first; ``folder`` keeps them for the next time.

    ``progress`` is told how many commits of how many are read. Raises ``GitFailed`` for a damaged repository.
    """
    names = list_commits(repository, head)
    if folder is None:
        return _told(read_log(repository, head), len(names), progress)
    with Journal(folder / f"commits-{VERSION}.ndjson", LoggedCommit) as journal:
        known = journal.read()
        missing = frozenset(names) - known.keys()
        progress(len(names) - len(missing), len(names))
        if missing:
            fresh = read_log(repository, head, wanted=missing if len(missing) < len(names) else None)
            for number, commit in enumerate(fresh, len(names) - len(missing) + 1):
                known[commit.commit] = commit
                journal.write(commit)
                if number % 100 == 0 or number == len(names):
                    progress(number, len(names))
    return [known[name] for name in names if name in known]


def _told(commits: Iterable[LoggedCommit], total: int, progress: Callable[[int, int], None]) -> list[LoggedCommit]:
    read = []
    for number, commit in enumerate(commits, 1):
        read.append(commit)
        if number % 100 == 0 or number == total:
            progress(number, total)
    return read
