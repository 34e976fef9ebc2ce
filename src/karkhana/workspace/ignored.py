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

    def of(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of ``paths`` that are ignored. A folder is given with a slash at its end."""
        new = [path for path in paths if path not in self._known]
        if new:
            ignored = self._ask(new)
            self._known.update((path, path in ignored) for path in new)
        return frozenset(path for path in paths if self._known[path])

    def _ask(self, paths: Sequence[str]) -> frozenset[str]:
        git = GitCommand(_empty(self._git_dir), work_tree=self._checkout, settings=("core.excludesFile=/dev/null",))
        stdin = b"".join(path_bytes(path) + b"\0" for path in paths)
        try:
            answer = git.run("check-ignore", "--no-index", "--stdin", "-z", stdin=stdin, ok=(0, 1))
        except GitFailed:
            # One path that git cannot place (below a symbolic link of the commit) spoils the question for all.
            if len(paths) == 1:
                return frozenset()
            middle = len(paths) // 2
            return self._ask(paths[:middle]) | self._ask(paths[middle:])
        return frozenset(path_text(raw) for raw in answer.split(b"\0")[:-1])


def _empty(git_dir: Path) -> Path:
    """A git directory without anything in it."""
    if not (git_dir / "HEAD").exists():
        for folder in ("objects", "refs"):
            (git_dir / folder).mkdir(parents=True, exist_ok=True)
        (git_dir / "HEAD").write_text("ref: refs/heads/none\n")
    return git_dir
