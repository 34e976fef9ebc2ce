"""A repository's repairs so far, divided among the kinds of bugs; each is read once and then kept on disk.

The newest ones are enough: what code looked like long ago says little of what goes wrong today. Knows nothing of the
change that is asked about.

>>> # past_repairs(repository, commits, folder).kinds.most_common(1)  ->  [("errors", 41)]
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from karkhana.git.log import LoggedCommit
from karkhana.git.patches import read_patches
from karkhana.git.repository import Repository
from karkhana.quality.history.journal import Journal
from karkhana.quality.history.messages import says_fix
from karkhana.quality.risk.kinds import PastRepairs, kinds_of_repair, sources

NEWEST = 400
"""Repairs that are looked at, at most."""
VERSION = 1
"""Rises when the same repair would be divided otherwise by the same patterns."""


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of one repair."""

    commit: str
    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    """Files of source code that it touched."""


def past_repairs(
    repository: Repository, commits: Sequence[LoggedCommit], folder: Path | None = None, newest: int = NEWEST
) -> PastRepairs:
    """The newest repairs among ``commits``, which are in the order they were made.

    ``folder`` keeps them for the next time. Raises ``GitFailed`` for a damaged repository.
    """
    fixes = [commit for commit in commits if says_fix(commit.message)][-newest:]
    past = PastRepairs()
    with contextlib.ExitStack() as stack:
        journal, kept = None, dict[str, Repair]()
        if folder is not None:
            journal = stack.enter_context(Journal(folder / f"repairs-{VERSION}-{_patterns()}.ndjson", Repair))
            kept = journal.read()
        for repair in _read(repository, [fix for fix in fixes if fix.commit not in kept]):
            kept[repair.commit] = repair
            if journal is not None:
                journal.write(repair)
    for fix in fixes:
        past.remember(fix.commit, kept[fix.commit].kinds, kept[fix.commit].paths)
    return past


def _read(repository: Repository, fixes: Sequence[LoggedCommit]) -> Iterator[Repair]:
    patches = read_patches(repository, [fix.commit for fix in fixes])
    for fix, (name, patch) in zip(fixes, patches, strict=True):
        yield Repair(commit=name, kinds=kinds_of_repair(fix.message, patch), paths=sources(patch))


def _patterns() -> str:
    """Stands for the patterns that ship, so that repairs that others divided are not read."""
    raw = resources.files("karkhana.quality.risk").joinpath("kinds.toml").read_bytes()
    return hashlib.sha256(raw).hexdigest()[:8]
