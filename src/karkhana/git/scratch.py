"""A bare repository of ours in a temporary folder, where commits are made from bytes in memory.

It borrows the objects of the user's repository (or of none, for replay) and never looks at a tree on disk.
The same input always gives the same commit, and the same contents the same patch, wherever it is made.

>>> with Scratch() as scratch:
...     first = scratch.commit(None, {"a": (0o100644, b"1\\n")}, "one", at=0)
...     second = scratch.commit(first, {"a": (0o100644, b"2\\n")}, "two", at=0)
...     scratch.diff(first, second).splitlines()[-2:]
['-1', '+2']
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from karkhana.domain.errors import DeliveryFailed
from karkhana.git.command import GitCommand, GitFailed, path_bytes
from karkhana.git.repository import Repository

File: TypeAlias = tuple[int, bytes]
"""Git's mode and the bytes (for a symbolic link: its target)."""
Contents: TypeAlias = Mapping[str, File | None]
"""Path → the new file, or ``None`` to delete it."""

AUTHOR = "Karkhana <karkhana@localhost>"
_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\tfsync = none\n"
_PATCH = (
    *("-r", "-p", "--binary", "--full-index", "--no-renames", "--no-textconv", "--no-ext-diff", "--no-color"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0"),
    *("--diff-algorithm=myers", "--indent-heuristic", "--submodule=short", "--ignore-submodules=none"),
)


class Scratch:
    """Context manager; ``directory`` is the parent of the temporary folder (default: the system's)."""

    def __init__(
        self, repository: Repository | None = None, *, object_format: str | None = None, directory: Path | None = None
    ) -> None:
        self._repository = repository
        self._format = object_format or (repository.object_format if repository else "sha1")
        self._parent = directory
        self._count = 0
        self._made: set[str] = set()
        self._bases: set[str] = set()

    def __enter__(self) -> "Scratch":
        self.git_dir = Path(tempfile.mkdtemp(prefix="scratch-", suffix=".git", dir=self._parent))
        _lay_out(self.git_dir, self._format, self._repository.objects if self._repository else None)
        self.git = GitCommand(self.git_dir)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.git_dir, ignore_errors=True)

    def commit(self, base: str | None, contents: Contents, message: str, at: int, author: str = AUTHOR) -> str:
        """Make a commit on ``base`` (``None``: a root commit) with ``contents`` applied to its tree.

        ``at`` is in seconds since the epoch, in UTC, for author and committer; ``author`` is ``Name <address>``.
        Returns its object name. Raises :class:`~karkhana.git.command.GitFailed` when a path cannot be in a tree.
        """
        oid = self._import([_commit(self._ref(), base, contents, message=message, at=at, author=author)])[0]
        self._made.add(oid)
        if base is not None and base not in self._made:
            self._bases.add(base)
        return oid

    def commit_both(self, before: Contents, after: Contents) -> tuple[str, str]:
        """Two root commits, one for each set of files."""
        first, second = self._import([_commit(self._ref(), None, side) for side in (before, after)])
        return first, second

    def diff(self, a: str, b: str) -> str:
        """The patch from commit ``a`` to ``b``, decoded with surrogateescape; binary files included."""
        return self.git.run("diff-tree", *_PATCH, a, b).decode("utf-8", "surrogateescape")

    def fetch_into(self, repository: Repository, oid: str, ref: str) -> None:
        """Bring ``oid`` into ``repository`` as ``ref`` (``refs/heads/…``), without hooks; idempotent.

        Raises ``DeliveryFailed`` when the ref exists and points elsewhere: it is never moved.
        """
        if (existing := _target(repository.git, ref)) is not None:
            if existing == oid:
                return
            raise _taken(ref, existing)
        # without the bases left out, git would walk the whole history, and fail where a shallow clone ends
        revisions = "".join(f"{name}\n" for name in (oid, *(f"^{base}" for base in sorted(self._bases))))
        pack = self.git.run("pack-objects", "--quiet", "--revs", "--stdout", "--local", stdin=revisions.encode())
        repository.git.run("unpack-objects", "-q", stdin=pack)
        try:
            repository.git.run("update-ref", "--create-reflog", "-m", "karkhana: deliver", ref, oid, "0" * len(oid))
        except GitFailed as error:
            existing = _target(repository.git, ref)
            if existing is None:
                raise DeliveryFailed(f"cannot create {ref}: {error.stderr}", "see: git branch --list") from error
            if existing != oid:
                raise _taken(ref, existing) from error

    def _ref(self) -> str:
        self._count += 1
        return f"refs/karkhana/{self._count}"

    def _import(self, commits: Iterable[Iterable[bytes]]) -> list[str]:
        stream = bytearray()
        for commit in commits:
            for piece in commit:
                stream += piece
            stream += b"get-mark :1\n"
        answer = self.git.run("fast-import", "--quiet", "--done", "--date-format=raw", stdin=bytes(stream + b"done\n"))
        return answer.decode("ascii").split()


def make_patch(
    contents: Mapping[str, tuple[File | None, File | None]],
    *,
    object_format: str = "sha1",
    directory: Path | None = None,
) -> str:
    """The patch that turns each path's file before into its file after.

    The one way to make the patch of a change: equal contents give equal bytes.
    """
    changed = {path: pair for path, pair in contents.items() if pair[0] != pair[1]}
    if not changed:
        return ""
    with Scratch(object_format=object_format, directory=directory) as scratch:
        before = {path: pair[0] for path, pair in changed.items()}
        after = {path: pair[1] for path, pair in changed.items()}
        return scratch.diff(*scratch.commit_both(before, after))


def _lay_out(git_dir: Path, object_format: str, borrowed: Path | None) -> None:
    # written by hand: "git init" would copy the machine's templates and take 5 ms
    for folder in ("objects/info", "objects/pack", "refs"):
        (git_dir / folder).mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/unborn\n")
    config = _CONFIG.format(version=0 if object_format == "sha1" else 1)
    if object_format != "sha1":
        config += f"[extensions]\n\tobjectFormat = {object_format}\n"
    (git_dir / "config").write_text(config)
    if borrowed is not None:
        (git_dir / "objects/info/alternates").write_bytes(quote(str(borrowed)) + b"\n")


def quote(path: str) -> bytes:
    """Git's C-style quoting, which carries any bytes.

    >>> quote('a "b"')
    b'"a \\\\"b\\\\""'
    """
    return b'"' + re.sub(rb"[^ !#-\[\]-~]", lambda found: _escape(found[0]), path_bytes(path)) + b'"'


def _escape(byte: bytes) -> bytes:
    return b"\\" + byte if byte in b'"\\' else b"\\%03o" % ord(byte)


def _commit(
    ref: str, base: str | None, contents: Contents, *, message: str = "", at: int = 0, author: str = AUTHOR
) -> Iterable[bytes]:
    who = re.sub(r"[\0\n]", " ", author).encode("utf-8", "surrogateescape")
    yield b"commit %s\nmark :1\nauthor %s %d +0000\ncommitter %s %d +0000\n" % (ref.encode(), who, at, who, at)
    yield from _data(message.replace("\0", "").encode("utf-8", "surrogateescape"))
    if base is not None:
        yield b"from %s\n" % base.encode("ascii")
    # deletions first: a file may give way to a folder of its name
    yield from (b"D %s\n" % quote(path) for path in sorted(contents) if contents[path] is None)
    for path in sorted(contents):
        file = contents[path]
        if file is not None:
            yield b"M %06o inline %s\n" % (file[0], quote(path))
            yield from _data(file[1])
    yield b"\n"


def _data(content: bytes) -> Iterable[bytes]:
    yield b"data %d\n" % len(content)
    yield content
    yield b"\n"


def _target(git: GitCommand, ref: str) -> str | None:
    return git.run("rev-parse", "--verify", "--quiet", "--end-of-options", ref, ok=(0, 1)).decode().strip() or None


def _taken(ref: str, existing: str) -> DeliveryFailed:
    name = ref.removeprefix("refs/heads/")
    return DeliveryFailed(
        f"{name} exists and points to another commit ({existing[:12]})",
        f"look at it, and delete it if it is not needed: git branch -D {name}",
    )
