"""A user's repository, read-only: its commits, trees and blobs, and whether its tree is dirty.

Knows nothing of changes to it; :mod:`karkhana.git.scratch` makes those.

>>> # Repository.open("~/shop/src").head()  ->  "5c1f…"
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from karkhana.domain.errors import BareRepository, EmptyRepository, InvalidInput, NotARepository
from karkhana.git.command import GitCommand, GitFailed, path_text
from karkhana.git.objects import TreeEntries, list_tree, read_blobs


class ChangedFile(msgspec.Struct, frozen=True):
    """One path that differs between two commits: (mode, object name) in each, ``None`` where it is absent."""

    path: str
    before: tuple[int, str] | None
    after: tuple[int, str] | None


class Repository:
    """A git repository with a work tree. Use :meth:`open`."""

    def __init__(self, root: Path, git_dir: Path, common_dir: Path) -> None:
        self.root = root
        """The work tree's top folder."""
        self.git_dir = git_dir
        """Of this work tree; for a linked one it lies inside ``common_dir/worktrees``."""
        self.common_dir = common_dir
        """Where objects and branches are."""
        self.git = GitCommand(git_dir)
        self._tree: tuple[str, TreeEntries] | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, bare: bool = False) -> "Repository":
        """Find the repository that ``path`` (its root, a subfolder or a linked work tree) belongs to.

        ``bare``: one without a work tree will do too, and has its git directory for a root. Raises ``NotARepository``
        or ``BareRepository``.
        """
        place = Path(path).expanduser()
        if not place.is_dir():
            raise NotARepository(f"{place} is not a folder", "pass the folder of a git repository with --repo")
        place = place.resolve()
        # Discovery alone needs the user's configuration, for safe.directory; it starts no program.
        git = GitCommand(users_config=True)
        git.cwd = str(place)
        try:
            inside = _answer(git, "--is-bare-repository") == "true" or _answer(git, "--is-inside-git-dir") == "true"
            git_dir, common_dir = _answer(git, "--absolute-git-dir"), _answer(git, "--git-common-dir")
        except GitFailed as error:
            raise _not_a_repository(place, error.stderr) from error
        if inside and bare:
            return cls(Path(git_dir), Path(git_dir), (place / common_dir).resolve())
        if inside:
            raise BareRepository(
                f"{place} is a bare repository or a git directory", "make a clone with a work tree: git clone"
            )
        return cls(Path(_answer(git, "--show-toplevel")), Path(git_dir), (place / common_dir).resolve())

    @property
    def objects(self) -> Path:
        """The object store."""
        return self.common_dir / "objects"

    @property
    def object_format(self) -> str:
        """``sha1`` or ``sha256``."""
        return self.git.run("rev-parse", "--show-object-format").decode().strip()

    def head(self) -> str:
        """Full object name of the commit that HEAD is at. Raises ``EmptyRepository``."""
        try:
            return self._commit("HEAD")
        except GitFailed as error:
            raise EmptyRepository(f"{self.root} has no commit yet", "commit something first: git commit") from error

    def resolve(self, rev: str) -> str:
        """Full object name of the commit that ``rev`` means. Raises ``InvalidInput``."""
        try:
            return self._commit(rev)
        except GitFailed as error:
            raise InvalidInput(
                f"{rev!r} is no commit of {self.root}", "see the branches and tags with: git log --oneline --all"
            ) from error

    def _commit(self, rev: str) -> str:
        return (
            self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").decode().strip()
        )

    def branch(self) -> str | None:
        """Short name of the branch that HEAD is on; ``None`` when it is detached."""
        answer = self.git.run("symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1))
        return answer.decode("utf-8", "surrogateescape").strip() or None

    def message(self, commit: str) -> str:
        """The whole commit message."""
        said = self.git.run("show", "--no-patch", "--no-show-signature", "--format=%B", "--end-of-options", commit)
        return said.decode("utf-8", "replace").strip()

    def dirty(self) -> bool:
        """Whether tracked files differ from HEAD in the user's tree. Untracked files do not count.

        Content filters are switched off for the comparison, since they are programs.
        """
        git = GitCommand(
            self.git_dir, work_tree=self.root, users_config=True, settings=_without_filters(self.filters())
        )
        return bool(git.run("status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all"))

    def filters(self) -> tuple[str, ...]:
        """Names of the content filters that the user's and the repository's configuration define."""
        git = GitCommand(self.git_dir, users_config=True)
        keys = git.run("config", "-z", "--name-only", "--get-regexp", r"^filter\.", ok=(0, 1)).split(b"\0")[:-1]
        names = {path_text(key).removeprefix("filter.").rpartition(".")[0] for key in keys}
        return tuple(sorted(names - {""}))

    def files(self, commit: str) -> dict[str, tuple[int, str]]:
        """Path → (mode, object name) of each file of ``commit``; submodules are listed by :meth:`submodules`."""
        return dict(self.tree(commit).files)

    def file(self, commit: str, path: str) -> tuple[int, str] | None:
        """(mode, object name) of one file of ``commit``; ``None`` when there is no such file."""
        if self._tree is not None and self._tree[0] == commit:
            return self.files(commit).get(path)
        return list_tree(self.git, commit, path).files.get(path)

    def submodules(self, commit: str) -> dict[str, str]:
        """Path → commit of each submodule of ``commit``."""
        return dict(self.tree(commit).submodules)

    def tree(self, commit: str) -> TreeEntries:
        """All entries of ``commit``; the last answer is kept."""
        kept = self._tree
        if kept is None or kept[0] != commit:
            kept = self._tree = (commit, list_tree(self.git, commit))
        return kept[1]

    def read_blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Object name → bytes."""
        return read_blobs(self.git, oids)

    def remotes(self) -> dict[str, str]:
        """Name → URL of each remote, ``origin`` first."""
        answer = self.git.run("config", "-z", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1))
        found: dict[str, str] = {}
        for record in answer.split(b"\0")[:-1]:
            key, _, url = path_text(record).partition("\n")
            found.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
        return dict(sorted(found.items(), key=lambda item: (item[0] != "origin", item[0])))

    def changed_files(self, a: str, b: str) -> tuple[ChangedFile, ...]:
        """Every path that differs from commit ``a`` to ``b``, sorted; submodules have mode 0o160000."""
        fields = self.git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", a, b).split(b"\0")[:-1]
        changed = []
        for meta, raw in zip(fields[::2], fields[1::2], strict=True):
            old_mode, new_mode, old, new, _ = meta.decode("ascii").lstrip(":").split(" ")
            changed.append(ChangedFile(path_text(raw), _entry(old_mode, old), _entry(new_mode, new)))
        return tuple(sorted(changed, key=lambda change: change.path))


def _answer(git: GitCommand, question: str) -> str:
    return path_text(git.run("rev-parse", question).removesuffix(b"\n"))


def _entry(mode: str, oid: str) -> tuple[int, str] | None:
    return (int(mode, 8), oid) if int(mode, 8) else None


def _without_filters(names: Sequence[str]) -> list[str]:
    # "=" cannot stand in a name given by -c; such a filter can only be left as it is configured
    return [f"filter.{n}.{k}" for n in names if "=" not in n for k in ("clean=", "smudge=", "process=", "required=no")]


def _not_a_repository(place: Path, said: str) -> NotARepository:
    if "dubious ownership" in said:
        return NotARepository(
            f"{place} belongs to another user, so git refuses it",
            f"if you trust it: git config --global --add safe.directory {place}",
        )
    return NotARepository(f"{place} is not in a git repository", "pass the folder of a git repository with --repo")
