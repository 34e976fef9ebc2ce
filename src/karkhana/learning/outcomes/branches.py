"""What persons put on top of a delivered change on its branch, before it is merged or instead.

Reads commits and names of branches only. A branch of the factory that still ends where it was delivered is not looked
at. Knows nothing of what the commits on top say of the change.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from karkhana.git import Repository
from karkhana.learning.outcomes.mainline import OWN, Commit

TRAILER = re.compile(r"^Karkhana-Run: *(\S{1,120}) *$", re.MULTILINE)
"""In the message of a delivered commit; it outlives a rebase, an amendment and most squashes."""
DEEPEST = 50
"""Commits on top that are looked through for the delivered one."""
MOST = 200
"""Branches that are looked at."""
_MESSAGE = 20_000


class OnBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A delivered change on its branch."""

    base: Commit
    """As it stands there: the delivered commit, or what it was rewritten to."""
    above: tuple[Commit, ...]
    """Commits of persons on top of it, merges left out, the oldest first."""


def on_branches(repository: Repository, delivered: Mapping[str, str]) -> dict[str, OnBranch]:
    """Run → its change on a branch that has moved since. ``delivered``: commit → run.

    Raises ``GitFailed`` for a damaged repository.
    """
    found: dict[str, OnBranch] = {}
    for tip in _tips(repository, delivered)[:MOST]:
        above = list[Commit]()
        for commit in _first_parents(repository, tip):
            named = TRAILER.findall(commit.message)
            run_id = delivered.get(commit.commit) or next((each for each in named if each in delivered.values()), None)
            if run_id is not None:
                # Several branches may hold it, here and at the remote: what was altered on any of them was altered.
                known = found[run_id].above if run_id in found else ()
                both = {each.commit: each for each in (*known, *reversed(above))}
                found[run_id] = OnBranch(base=commit, above=tuple(both.values()))
                break
            if len(commit.parents) == 1 and not named:
                above.append(commit)
    return found


def _tips(repository: Repository, delivered: Mapping[str, str]) -> Sequence[str]:
    """Where branches of the factory end, here and at remotes, that do not end where they were delivered."""
    words = ("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)", "refs/heads", "refs/remotes")
    found = dict[str, None]()
    for line in repository.git.run(*words).decode("utf-8", "surrogateescape").splitlines():
        kind, name, ref = line.split(" ", 2)
        short = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ref.split("/", 3)[-1]
        if kind == "commit" and short.startswith(OWN) and name not in delivered:
            found[name] = None
    return list(found)


def _first_parents(repository: Repository, tip: str) -> list[Commit]:
    """The newest first."""
    words = ["log", "-z", "--first-parent", "--no-show-signature", "--no-color", "--no-mailmap", "--encoding=UTF-8"]
    said = repository.git.run(*words, "--format=%H%n%P%n%ct%n%B", f"--max-count={DEEPEST}", "--end-of-options", tip)
    found = []
    for record in said.split(b"\0"):
        name, parents, at, message = (*record.decode("utf-8", "replace").split("\n", 3), "", "", "")[:4]
        if name:
            found.append(Commit(name, tuple(parents.split()), int(at or 0), message[:_MESSAGE].strip()))
    return found
