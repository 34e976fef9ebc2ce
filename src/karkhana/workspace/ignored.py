"""Which paths a repository ignores, by the ``.gitignore`` files of a checkout of its base commit.

Git itself decides, with an empty git directory of ours and the checkout as its work tree: nothing that a sandbox
wrote has a say. Only ever asked about paths that the commit does not hold.

>>> # IgnoreRules(home, checkout).of(["build/x.o", "cart.py"])  ->  frozenset({"build/x.o"})
"""

from collections.abc import Sequence
from pathlib import Path

from karkhana.git.command import GitCommand, GitFailed, path_bytes, path_text


class IgnoreRules:
    """The rules of one checkout; answers are remembered."""

    def __init__(self, home: Path, checkout: Path) -> None:
        self._git_dir = home / "empty.git"
        self._checkout = checkout
        self._known: dict[str, bool] = {}
        self._links: dict[str, bool] = {}

    def of(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of ``paths`` that are ignored. A folder is given with a slash at its end."""
        new = [path for path in paths if path not in self._known]
        if new:
            placed = [path for path in new if not self._below_link(path)]
            ignored = self._ask(placed) if placed else frozenset[str]()
            self._known.update((path, path in ignored) for path in new)
        return frozenset(path for path in paths if self._known[path])

    def _below_link(self, path: str) -> bool:
        """Whether the commit has a symbolic link where ``path`` has a folder: git refuses to speak of such a path."""
        folder = path.rstrip("/").rpartition("/")[0]
        known = self._links.get(folder) if folder else False
        if known is None:
            known = self._is_link(folder) or self._below_link(folder)
            self._links[folder] = known
        return known

    def _is_link(self, folder: str) -> bool:
        try:
            return (self._checkout / folder).is_symlink()
        except OSError:
            # A name longer than the host takes is in no checkout.
            return False

    def _ask(self, paths: Sequence[str]) -> frozenset[str]:
        git = GitCommand(_empty(self._git_dir), work_tree=self._checkout, settings=("core.excludesFile=/dev/null",))
        # "./": a name may begin like one of git's patterns, such as ":(top)"
        stdin = b"".join(b"./" + path_bytes(path) + b"\0" for path in paths)
        try:
            answer = git.run("check-ignore", "--no-index", "--stdin", "-z", stdin=stdin, ok=(0, 1))
        except GitFailed:
            # One path that git cannot place spoils the question for all.
            if len(paths) == 1:
                return frozenset()
            middle = len(paths) // 2
            return self._ask(paths[:middle]) | self._ask(paths[middle:])
        return frozenset(path_text(raw[2:]) for raw in answer.split(b"\0")[:-1])


def _empty(git_dir: Path) -> Path:
    """A git directory without anything in it."""
    if not (git_dir / "HEAD").exists():
        for folder in ("objects", "refs"):
            (git_dir / folder).mkdir(parents=True, exist_ok=True)
        (git_dir / "HEAD").write_text("ref: refs/heads/none\n")
    return git_dir
