"""The commits that a back-test judges, their features and what became of them. Knows nothing of forecasts.

gathered = gather(Repository.open(path, bare=True), limit=1000, days=180, folder=folder)
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from karkhana.git.repository import Repository
from karkhana.quality.history.code import is_source
from karkhana.quality.history.features import CommitFeatures, features
from karkhana.quality.history.labels import Labels, label
from karkhana.quality.history.reading import read_history

DAY = 86_400
Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many are."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Says nothing."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of source code that is old enough to be judged."""

    row: CommitFeatures
    title: str
    bad: bool
    """Repaired or taken back in the days after it was made."""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """A history that is ready to be judged."""

    head: str
    commits: int
    """In the whole history, without merges."""
    young: int
    """Commits too young to be judged."""
    without_source: int
    """Commits of the window that touch no source code."""
    judged: tuple[Judged, ...]
    """The oldest first."""
    labels: Labels
    within: int
    """Seconds in which a commit can turn out bad."""


def gather(
    repository: Repository,
    limit: int,
    days: int,
    folder: Path | None = None,
    *,
    head: str = "HEAD",
    progress: Progress = silent,
) -> Gathered:
    """The newest ``limit`` commits that are at least ``days`` older than the newest one, with their outcomes.

    Raises ``InvalidInput`` for an unknown ``head``, ``GitFailed`` for a damaged repository.
    """
    tip = repository.resolve(head)
    commits = read_history(repository, tip, folder, lambda done, total: progress("reading commits", done, total))
    within = days * DAY
    end = max((commit.committed for commit in commits), default=0)
    old = [place for place, commit in enumerate(commits) if commit.committed + within <= end]
    window = old[-limit:]
    first = window[0] if window else len(commits)
    labels = label(
        repository,
        commits,
        first=first,
        folder=folder,
        progress=lambda done, total: progress("tracing repairs to their origins", done, total),
    )
    by_name = {commits[place].commit: commits[place] for place in window}
    judged = []
    for row in features(commits):
        commit = by_name.get(row.commit)
        if commit is not None and any(is_source(file.path) for file in commit.files):
            verdict = labels.verdict(row.commit, row.time, end, within)
            judged.append(Judged(row=row, title=commit.title, bad=bool(verdict)))
    return Gathered(
        head=tip,
        commits=len(commits),
        young=len(commits) - len(old),
        without_source=len(window) - len(judged),
        judged=tuple(sorted(judged, key=lambda one: one.row.time)),
        labels=labels,
        within=within,
    )
