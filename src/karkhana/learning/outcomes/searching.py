"""Looks for delivered changes in a repository's main line, and for what later commits did to them.

A change has landed when its commit is in the main line, or one that carries its run's trailer, or one that changes the
same lines in the same way. Then: a later commit takes it back by name or by changing exactly those lines back; within
the window a commit that calls itself a repair removes lines that it wrote; and a change that landed otherwise than it
was delivered was edited, as is one that somebody altered on its branch, landed or not. Whatever took a revert back
clears that.

Reads commits only, never a work tree; messages, names and lines are untrusted, and a false one costs a wrong label.
Knows nothing of how a message is read and of how lines are traced to commits: that is handed in.
"""

import bisect
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.git import Repository
from karkhana.git.log import LoggedCommit, read_log
from karkhana.git.patches import FilePatch, read_patches
from karkhana.learning.outcomes.branches import TRAILER, OnBranch, on_branches
from karkhana.learning.outcomes.mainline import Commit, MainLine
from karkhana.learning.outcomes.taxonomy import cause_of

_TITLE = 200


@dataclass(frozen=True)
class Reader:
    """How commits are read."""

    says_fix: Callable[[str], bool]
    """Whether a message says that it mends behaviour."""
    reverted_by: Callable[[str], tuple[str | None, str | None]]
    """(beginning of an object name, title) of the commit that a message says it takes back."""
    origins: Callable[[Repository, LoggedCommit, Sequence[FilePatch]], Mapping[str, int]]
    """Commit → how many of the lines that this one removes it wrote."""


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """How a change came into the main line."""

    run_id: str
    commit: str
    """The commit that holds its lines."""
    merge: str
    """The commit of the first-parent line that brought it; the same one when it was not merged."""
    at: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found."""

    landings: tuple[Landing, ...] = ()
    signs: tuple[Sign, ...] = ()


def search(
    repository: Repository, changes: Iterable[ScoredChange], line: MainLine, reader: Reader, window_s: float
) -> Found:
    """Landings and signs of all ``changes`` that were delivered. Raises ``GitFailed`` for a damaged repository."""
    delivered = [change for change in changes if change.commit]
    if not delivered:
        return Found()
    return _Search(repository, delivered, line, reader, window_s).result()


class _Search:
    """One search, with what was read so far."""

    def __init__(
        self, repository: Repository, changes: list[ScoredChange], line: MainLine, reader: Reader, window_s: float
    ) -> None:
        self._repository = repository
        self._changes = changes
        self._line = line
        self._reader = reader
        self._window_s = window_s
        known = [change.commit for change in changes if change.commit in line or line.has_object(change.commit)]
        landed_as = [change.landed_as for change in changes if change.landed_as in line]
        own = dict(read_patches(repository, list(dict.fromkeys([*known, *landed_as]))))
        paths = {path for patch in own.values() for file in patch for path in (file.path, file.before) if path}
        self._near = line.touching(sorted(paths)) if line.commits else []
        self._branches = on_branches(repository, {change.commit: change.run_id for change in changes})
        self._patches = own | dict(read_patches(repository, [c for c in self._near if c not in own]))

    def result(self) -> Found:
        by_trailer = self._by_trailer()
        landings, signs = list[Landing](), list[Sign]()
        for change in self._changes:
            if change.run_id in self._branches:
                signs += self._edits_on_branch(change, self._branches[change.run_id])
            landing = self._landing(change, by_trailer)
            if landing is None:
                continue
            landings.append(landing)
            signs += self._edits(change, landing)
            later = [c for c in self._near if self._line.place(c) > self._line.place(landing.merge)]
            reverts = list(self._reverts(change, landing, later))
            signs += reverts
            undone = {sign.reference for sign in reverts}
            signs += self._fixes(change, landing, [commit for commit in later if commit not in undone])
        return Found(landings=tuple(landings), signs=tuple({sign.sign_id: sign for sign in signs}.values()))

    # Landings

    def _by_trailer(self) -> dict[str, str]:
        """Run → the oldest commit of the main line that carries its trailer."""
        found: dict[str, str] = {}
        for commit in self._line.commits:
            for run_id in TRAILER.findall(commit.message):
                found.setdefault(run_id, commit.commit)
        return found

    def _landing(self, change: ScoredChange, by_trailer: Mapping[str, str]) -> Landing | None:
        holder = change.commit if change.commit in self._line else by_trailer.get(change.run_id)
        if holder is None and change.landed_as in self._line:
            holder = change.landed_as
        if holder is None:
            wanted = _signature(self._patches.get(change.commit, ()))
            alike = (c for c in self._near if wanted and _signature(self._patches[c]) == wanted)
            holder = next(alike, None)
        if holder is None:
            return None
        merge = self._line.brought_by(holder)
        return Landing(run_id=change.run_id, commit=holder, merge=merge, at=float(self._line[merge].committed))

    def _edits(self, change: ScoredChange, landing: Landing) -> Iterable[Sign]:
        """Commits that altered the change between its delivery and its landing."""
        if landing.commit != change.commit:
            delivered, landed = self._patches.get(change.commit), self._patch(landing.commit)
            if delivered and _signature(delivered) != _signature(landed):
                yield self._sign(change, SignKind.EDITED, self._line[landing.commit])
            return
        on_top = [c for c in self._line.brought_with(landing.merge) if c in self._near and c != change.commit]
        for commit in on_top:
            if self._wrote(commit).get(change.commit):
                yield self._sign(change, SignKind.EDITED, self._line[commit])

    def _edits_on_branch(self, change: ScoredChange, branch: OnBranch) -> Iterable[Sign]:
        """The same, as long as the branch is there: also when it was merged without a merge commit, or rewritten."""
        delivered, base = self._patches.get(change.commit), branch.base
        rewritten = delivered and base.commit != change.commit
        if rewritten and _signature(delivered or ()) != _signature(self._patch(base.commit)):
            yield self._sign(change, SignKind.EDITED, base)
        for commit in branch.above:
            wrote = self._wrote(commit.commit)
            if wrote.get(change.commit) or wrote.get(base.commit):
                yield self._sign(change, SignKind.EDITED, commit)

    # What came later

    def _reverts(self, change: ScoredChange, landing: Landing, later: Sequence[str]) -> Iterable[Sign]:
        names = {change.commit, landing.commit, landing.merge}
        title = self._line[landing.commit].title
        back = _signature(self._patch(landing.commit), backwards=True)
        for name in later:
            commit = self._line[name]
            prefix, called = self._reader.reverted_by(commit.message)
            by_name = prefix is not None and any(each.startswith(prefix) for each in names)
            by_title = prefix is None and called is not None and called == title
            if by_name or by_title or (back and _signature(self._patches[name]) == back):
                sign = self._sign(change, SignKind.REVERTED, commit)
                yield sign
                yield from self._cleared(change, sign, name)

    def _cleared(self, change: ScoredChange, sign: Sign, revert: str) -> Iterable[Sign]:
        """The revert was itself taken back."""
        for commit in self._line.after(revert):
            prefix, _ = self._reader.reverted_by(commit.message)
            if prefix is not None and revert.startswith(prefix):
                yield Sign.make(
                    change.run_id,
                    SignKind.CLEARED,
                    sign.sign_id,
                    at=float(commit.committed),
                    detail=commit.title[:_TITLE],
                )
                return

    def _fixes(self, change: ScoredChange, landing: Landing, later: Sequence[str]) -> Iterable[Sign]:
        for name in later:
            commit = self._line[name]
            if commit.committed > landing.at + self._window_s or not self._reader.says_fix(commit.message):
                continue
            wrote = self._wrote(name)
            if wrote.get(landing.commit) or wrote.get(change.commit):
                yield self._sign(change, SignKind.HOT_FIXED, commit)

    def _patch(self, commit: str) -> Sequence[FilePatch]:
        if commit not in self._patches:
            self._patches |= dict(read_patches(self._repository, [commit]))
        return self._patches[commit]

    def _wrote(self, commit: str) -> Mapping[str, int]:
        logged = next(iter(read_log(self._repository, commit, wanted=frozenset([commit]))), None)
        # a merge; what it brings is seen where it was made
        return {} if logged is None else self._reader.origins(self._repository, logged, self._patch(commit))

    def _sign(self, change: ScoredChange, kind: SignKind, commit: Commit) -> Sign:
        return Sign.make(
            change.run_id,
            kind,
            commit.commit,
            at=float(commit.committed),
            detail=commit.title[:_TITLE],
            cause=cause_of(commit.message),
        )


def _signature(patch: Sequence[FilePatch], *, backwards: bool = False) -> str:
    """The same for patches that change the same lines in the same way, wherever they stand; empty for none."""
    rows: list[str] = []
    for file in patch:
        for hunk in file.hunks:
            before, after = ("+", "-") if backwards else ("-", "+")
            for sign, lines in ((before, hunk.removed), (after, hunk.added)):
                for line in lines:
                    bisect.insort(rows, f"{sign}{file.path}\0{line.rstrip()}")
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest() if rows else ""
