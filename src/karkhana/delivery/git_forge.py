"""Delivers a change as a commit on a branch of a git repository, and of its remote when it has one.

The commit is made from the base commit and the bytes of the changed files, in a scratch repository: the user's
work tree, index, HEAD and base branch stay as they are, and no hook of theirs runs. The same request always
gives the same commit, so delivering again after a crash changes nothing.

A branch of the wanted name that holds something else is never moved: the change goes to the name with ``-2``,
``-3``, … instead. Knows nothing of pull requests.

    GitForge().deliver(request).branch     # "karkhana/BUILD-2026-05-12-047"
"""

import re
from collections.abc import Iterator

from karkhana.delivery.remote import BranchTaken, Remote
from karkhana.domain.changes import REGULAR
from karkhana.domain.errors import DeliveryFailed, KarkhanaError
from karkhana.git import Repository, Scratch
from karkhana.git.command import GitFailed
from karkhana.ports import DeliveryRequest, Receipt

NAMES_TRIED = 9

_BRANCH = re.compile(r"(?!-)[\w][\w.+-]*(?:/[\w][\w.+-]*)*")


class GitForge:
    """Implements :class:`karkhana.ports.Forge` with git alone. ``timeout_s`` bounds each word with the remote."""

    def __init__(self, *, timeout_s: float = 120.0) -> None:
        self._timeout_s = timeout_s

    def deliver(self, request: DeliveryRequest) -> Receipt:
        """Make the commit, put the branch into the repository and push it to the remote, if there is one.

        Raises ``DeliveryFailed``; the branch may be in the local repository by then.
        """
        _check_name(request.branch)
        repository = Repository.open(request.repository)
        remote = self._remote(repository)
        with Scratch(repository) as scratch:
            commit = _commit(scratch, request)
            for name in _names(request.branch):
                if not _free(repository, remote, name, commit):
                    continue
                scratch.fetch_into(repository, commit, f"refs/heads/{name}")
                try:
                    if remote is not None:
                        remote.push(commit, name)
                except BranchTaken:
                    continue  # someone was faster since we looked
                return Receipt(branch=name, commit=commit, remote=remote.name if remote else None)
        raise DeliveryFailed(
            f"{request.branch} and {NAMES_TRIED - 1} names like it are taken by other commits",
            f"delete the branches that are not needed: git branch --list '{request.branch}*'",
        )

    def _remote(self, repository: Repository) -> Remote | None:
        names = list(repository.remotes())
        if not names:
            return None
        if names[0] != "origin" and len(names) > 1:
            raise DeliveryFailed(
                f"the repository has several remotes and none is called origin: {', '.join(names)}",
                f"say which one changes go to: git remote rename {names[0]} origin",
            )
        return Remote(repository=repository, name=names[0], timeout_s=self._timeout_s)


def _check_name(branch: str) -> None:
    if not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith((".lock", ".")) or len(branch) > 200:
        raise DeliveryFailed(f"{branch!r} cannot be the name of a branch", "use letters, digits, '-' and '/'")


def _names(branch: str) -> Iterator[str]:
    yield branch
    for number in range(2, NAMES_TRIED + 1):
        yield f"{branch}-{number}"


def _commit(scratch: Scratch, request: DeliveryRequest) -> str:
    modes = {file.path: file.after.mode for file in request.change.files if file.after is not None}
    contents = {
        path: None if content is None else (modes.get(path, REGULAR), content)
        for path, content in request.contents.items()
    }
    try:
        return scratch.commit(request.change.base, contents, request.message, request.at)
    except GitFailed as error:
        raise DeliveryFailed(
            f"the commit cannot be made on {request.change.base[:12]}: {error.stderr[:300]}",
            "check that the base commit is still in the repository: git cat-file -t " + request.change.base,
        ) from error


def _free(repository: Repository, remote: Remote | None, name: str, commit: str) -> bool:
    """Whether the name is unused, or used for this very commit, both here and there."""
    if _local(repository, name) not in (None, commit):
        return False
    return remote is None or remote.branch(name) in (None, commit)


def _local(repository: Repository, name: str) -> str | None:
    try:
        return repository.resolve(f"refs/heads/{name}")
    except KarkhanaError:
        return None
