"""The main line of a repository: the commits that everybody builds on, and how each came into it.

Reads commits only. Knows nothing of changes and signs.
"""

from collections.abc import Sequence

import msgspec

from karkhana.git import Repository

_NAMES = ("main", "master", "trunk", "develop")
_MARGIN = 86_400
"""Seconds by which clocks of committers may be off."""
LONGEST = 20_000
"""Commits that are looked at, the newest."""
_MESSAGE = 20_000
OWN = "karkhana/"
"""Branches that the factory delivers to."""


class Commit(msgspec.Struct, frozen=True):
    """One commit."""

    commit: str
    parents: tuple[str, ...]
    committed: int
    """Seconds since 1970."""
    message: str

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.lstrip().partition("\n")[0].strip()


class MainLine:
    """The commits since a time, the oldest first, no commit before its parents."""

    def __init__(self, repository: Repository, tips: Sequence[str], since: float) -> None:
        self._repository = repository
        self.tips = tuple(tips)
        self._since = f"--since={max(0, int(since) - _MARGIN)}"
        self.commits = self._read() if tips else []
        self._by_name = {commit.commit: commit for commit in self.commits}
        self._places = {commit.commit: number for number, commit in enumerate(self.commits)}
        self._brought = self._bringers()

    def __contains__(self, commit: str) -> bool:
        return commit in self._by_name

    def __getitem__(self, commit: str) -> Commit:
        return self._by_name[commit]

    def place(self, commit: str) -> int:
        """In the order of the commits."""
        return self._places[commit]

    def after(self, commit: str) -> Sequence[Commit]:
        """The commits that stand later."""
        return self.commits[self._places[commit] + 1 :]

    def brought_by(self, commit: str) -> str:
        """The commit of a tip's first-parent line with which this one came in; itself if it stands on that line."""
        return self._brought.get(commit, commit)

    def brought_with(self, merge: str) -> list[str]:
        """What else came in with a merge, the oldest first, the merge itself left out."""
        return [name for name in self._by_name if name != merge and self._brought.get(name) == merge]

    def has_object(self, commit: str) -> bool:
        """Whether the repository still has a commit, in the main line or not."""
        kind = self._repository.git.run("cat-file", "-t", "--allow-unknown-type", commit, ok=(0, 1, 128))
        return kind.strip() == b"commit"

    def touching(self, paths: Sequence[str]) -> list[str]:
        """The commits that are no merges and touch one of the paths, the oldest first."""
        found: set[str] = set()
        for start in range(0, len(paths), 200):
            some = [f":(literal,top){path}" for path in paths[start : start + 200]]
            words = ["rev-list", "--no-merges", self._since, *self.tips, "--", *some]
            found |= set(self._repository.git.run(*words).decode("ascii").split())
        return [commit.commit for commit in self.commits if commit.commit in found]

    def _read(self) -> list[Commit]:
        words = ["log", "-z", "--topo-order", "--reverse", "--no-show-signature", "--no-color", "--no-mailmap"]
        words += ["--encoding=UTF-8", "--format=%H%n%P%n%ct%n%B", f"--max-count={LONGEST}", self._since]
        said = self._repository.git.run(*words, "--end-of-options", *self.tips)
        found = []
        for record in said.split(b"\0"):
            name, parents, at, message = (*record.decode("utf-8", "replace").split("\n", 3), "", "", "")[:4]
            if name:
                found.append(Commit(name, tuple(parents.split()), int(at or 0), message[:_MESSAGE].strip()))
        return found

    def _bringers(self) -> dict[str, str]:
        """Commit → where the first-parent line took it in."""
        found: dict[str, str] = {}
        for tip in self.tips:
            chain = []
            name: str | None = tip
            while name in self._by_name:
                chain.append(name)
                name = next(iter(self._by_name[name].parents), None)
            for step in reversed(chain):
                waiting = [step]
                while waiting:
                    now = waiting.pop()
                    if now in self._by_name and now not in found:
                        found[now] = step
                        waiting += self._by_name[now].parents
        return found


def tips(repository: Repository, branch: str = "") -> list[str]:
    """Where the main line ends: ``branch``, or the remotes' default branches and the usual names, else HEAD's.

    Never a branch that the factory delivered to, since a look at one does not land it. Raises ``InvalidInput`` for a
    ``branch`` that is not there.
    """
    if branch:
        return [repository.resolve(branch)]
    listed = repository.git.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/remotes")
    refs = dict(line.split(" ", 1) for line in listed.decode("utf-8", "surrogateescape").splitlines())
    heads = [oid for name, oid in refs.items() if name.startswith("refs/remotes/") and name.endswith("/HEAD")]
    named = [refs[name] for each in _NAMES if (name := f"refs/heads/{each}") in refs][:1]
    found = [oid for oid in dict.fromkeys((*heads, *named)) if oid]
    own = repository.branch()
    if not found and (own is None or not own.startswith(OWN)):
        found = [repository.head()]
    return found


def seen_until(repository: Repository, line: MainLine, now: float) -> float:
    """Until when the main line is known: now for a repository without remotes, else its last fetch or newest commit."""
    if not repository.remotes():
        return now
    newest = max((float(commit.committed) for commit in line.commits), default=0.0)
    try:
        fetched = (repository.common_dir / "FETCH_HEAD").stat().st_mtime
    except FileNotFoundError:
        # never fetched since it was cloned: its newest commit is all that is known
        fetched = 0.0
    return min(now, max(newest, fetched))
