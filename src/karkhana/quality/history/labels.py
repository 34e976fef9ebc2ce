"""Which commits of a history turned out to be bad, and when that became known.

A commit is bad when a repair removed lines that it wrote (:mod:`karkhana.quality.history.szz`) or when it was taken
back. The day on which that happened is kept, so that a reader can ask what was known at any time. Labels are as good
as the messages and the habits of the repository: an upper bound on what was wrong it is not, since faults that nobody
repaired, or that were repaired by adding lines only, are not seen.

Knows nothing of features or models.

>>> # label(repository, commits, first=500).bad["5c1f…"].because  ->  "fixed"
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from karkhana.git.log import LoggedCommit
from karkhana.git.patches import read_patches
from karkhana.git.repository import Repository
from karkhana.quality.history.journal import Journal
from karkhana.quality.history.messages import is_revert, reverted_by, says_fix
from karkhana.quality.history.szz import ignored_commits, origins, plausible

DAY = 86_400
_VERSION = 1
"""Rises when the same commit would get other origins, so that old journals are not read."""


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """Why a commit counts as bad."""

    commit: str
    known: int
    """Seconds since 1970: when the first repair or revert was committed."""
    because: str
    """``fixed`` or ``reverted``."""
    by: str
    """The repair or the revert."""


class Origins(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of one repair."""

    commit: str
    since: str | None
    """How far back was looked."""
    wrote: dict[str, int]


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the commits of a history."""

    bad: dict[str, Bad]
    fixes: int
    """Repairs that were looked at."""
    reverts: int
    """Reverts whose commit is known."""

    def verdict(self, commit: str, made: int, now: int, within: int) -> bool | None:
        """Whether a commit was bad within ``within`` seconds of when it was ``made``, as one could say at ``now``.

        ``None``: not yet known, since it is younger than that.
        """
        bad = self.bad.get(commit)
        if bad is not None and bad.known <= min(now, made + within):
            return True
        return None if now < made + within else False


def label(
    repository: Repository,
    commits: Sequence[LoggedCommit],
    *,
    first: int = 0,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Labels:
    """Labels of ``commits[first:]``, which are in the order they were made and end where the history is read from.

    ``folder``: where the dear part is kept, so that it goes on where a kill stopped it. ``progress`` is told how many
    repairs of how many are done. Raises ``GitFailed`` for a damaged repository.
    """
    known = {commit.commit: commit for commit in commits}
    window = commits[first:]
    since = next((commit.parents[0] for commit in window if commit.parents), None) if first else None
    fixes = [commit for commit in window if says_fix(commit.message)]
    found = list(_reverts(commits, window))
    reverts = len(found)
    inside = {commit.commit for commit in window}
    repairs = _Repairs(repository, known, since, folder)
    for fix, wrote in repairs.origins(fixes, progress):
        found += [
            Bad(commit=name, known=fix.committed, because="fixed", by=fix.commit)
            for name in wrote
            if name in inside and plausible(known.get(name))
        ]
    bad: dict[str, Bad] = {}
    for one in sorted(found, key=lambda each: (each.known, each.because != "reverted")):
        bad.setdefault(one.commit, one)
    return Labels(bad=bad, fixes=len(fixes), reverts=reverts)


def _reverts(commits: Sequence[LoggedCommit], window: Sequence[LoggedCommit]) -> Iterable[Bad]:
    names = sorted(commit.commit for commit in commits)
    titles: dict[str, LoggedCommit] = {}
    wanted = {commit.commit for commit in window if is_revert(commit.message)}
    for commit in commits:
        if commit.commit in wanted:
            prefix, title = reverted_by(commit.message)
            name = _named(names, prefix) or (titles[title].commit if title in titles else None)
            if name is not None and name != commit.commit:
                yield Bad(commit=name, known=commit.committed, because="reverted", by=commit.commit)
        titles[commit.title] = commit


def _named(names: list[str], prefix: str | None) -> str | None:
    """The one commit that begins so."""
    if prefix is None:
        return None
    found = [name for name in names if name.startswith(prefix)]
    return found[0] if len(found) == 1 else None


class _Repairs:
    """Looks up what repairs removed, or reads what was found before."""

    def __init__(
        self, repository: Repository, known: dict[str, LoggedCommit], since: str | None, folder: Path | None
    ) -> None:
        self._repository = repository
        self._known = known
        self._order = {name: number for number, name in enumerate(known)}
        self._since = since
        self._folder = folder

    def origins(
        self, fixes: Sequence[LoggedCommit], progress: Callable[[int, int], None]
    ) -> Iterator[tuple[LoggedCommit, dict[str, int]]]:
        """Each repair with the commits that wrote what it removed."""
        with contextlib.ExitStack() as stack:
            journal = None
            kept: dict[str, Origins] = {}
            if self._folder is not None:
                journal = stack.enter_context(Journal(self._folder / f"origins-{_VERSION}.ndjson", Origins))
                kept = {name: one for name, one in journal.read().items() if self._far_enough(one.since)}
            missing = [fix for fix in fixes if fix.commit not in kept]
            yield from ((fix, kept[fix.commit].wrote) for fix in fixes if fix.commit in kept)
            progress(len(fixes) - len(missing), len(fixes))
            for number, (fix, wrote) in enumerate(self._look_up(missing), len(fixes) - len(missing) + 1):
                if journal is not None:
                    journal.write(Origins(commit=fix.commit, since=self._since, wrote=wrote))
                progress(number, len(fixes))
                yield fix, wrote

    def _look_up(self, fixes: Sequence[LoggedCommit]) -> Iterator[tuple[LoggedCommit, dict[str, int]]]:
        if not fixes:
            return
        ignored = ignored_commits(self._repository, fixes[-1].commit, self._known)
        for name, patch in read_patches(self._repository, [fix.commit for fix in fixes]):
            fix = self._known[name]
            yield fix, dict(origins(self._repository, fix, patch, since=self._since, ignored=ignored))

    def _far_enough(self, kept: str | None) -> bool:
        """Whether what was looked up back to ``kept`` is enough for who wants it back to ``since``."""
        if kept is None or kept == self._since:
            return True
        if self._since is None or kept not in self._order or self._since not in self._order:
            return False
        return self._order[kept] <= self._order[self._since]
