"""A repository's commits in the order they were made, each with the files it touched; one git process for them all.

Merges are left out: what they bring was counted where it was made. Renames keep the path that was left. Messages,
names and paths are untrusted text; nothing of a work tree is looked at. Knows nothing of what the commits are wanted
for.

>>> # next(iter(read_log(repository, "HEAD"))).files[0].added  ->  12
"""

import re
from collections.abc import Iterator
from typing import IO

import msgspec

from karkhana.git.command import GitFailed, path_text
from karkhana.git.repository import Repository

MESSAGE = 20_000
"""Characters of a message that are kept."""
_FIELDS = ("%H", "%P", "%an", "%ae", "%at", "%ct", "%B")
_STAT = re.compile(rb"(\d+|-)\t(\d+|-)\t(.*)", re.DOTALL)
_REGULAR = ("100644", "100755")
_CHUNK = 1 << 18


class TouchedFile(msgspec.Struct, frozen=True, array_like=True):
    """What one commit did to one regular file."""

    path: str
    added: int
    """Lines; 0 for a binary file."""
    deleted: int
    before: str | None = None
    """The path that it had before, when that is another one."""
    new: bool = False
    gone: bool = False


class LoggedCommit(msgspec.Struct, frozen=True, array_like=True):
    """One commit that is no merge."""

    commit: str
    parents: tuple[str, ...]
    author: str
    """The address in lower case, or the name where there is none."""
    authored: int
    """Seconds since 1970."""
    committed: int
    message: str
    files: tuple[TouchedFile, ...]

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.lstrip().partition("\n")[0].strip()


def list_commits(repository: Repository, head: str) -> list[str]:
    """Object names of all commits that :func:`read_log` would give, the oldest first."""
    named = repository.git.run("rev-list", "--no-merges", "--date-order", "--reverse", "--end-of-options", head)
    return named.decode("ascii").split()


def read_log(repository: Repository, head: str, *, wanted: frozenset[str] | None = None) -> Iterator[LoggedCommit]:
    """Every commit up to ``head``, the oldest first, no commit before its parents; with ``wanted`` only those.

    Raises ``GitFailed`` for a damaged repository.
    """
    words = ["log", "--no-merges", "--date-order", "--reverse", "-z", "--raw", "--numstat", "--no-abbrev", "-M"]
    words += ["-l400", "--no-show-signature", "--no-textconv", "--no-ext-diff", "--no-color", "--no-mailmap"]
    words += ["--encoding=UTF-8", f"--format={'%x00'.join(_FIELDS)}"]
    stdin = b""
    if wanted is None:
        words += ["--end-of-options", head]
    else:
        # A list on the input keeps its order with --no-walk=unsorted, and is not bound by the length of a command
        words = [word for word in words if word not in {"--reverse", "--date-order"}]
        words += ["--no-walk=unsorted", "--stdin"]
        stdin = "".join(f"{commit}\n" for commit in wanted).encode("ascii")
    with repository.git.start(*words) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.write(stdin)
            process.stdin.close()
            yield from _commits(_tokens(process.stdout))
        except BaseException:
            process.kill()
            raise
        problem = process.stderr.read()
        if process.wait() != 0:
            raise GitFailed(["log"], process.returncode, problem)


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands between zero bytes."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.strip():
        yield rest


def _commits(tokens: Iterator[bytes]) -> Iterator[LoggedCommit]:
    header: list[bytes] = []
    modes: dict[str, tuple[str, str, str | None]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for token in tokens:
        if token.lstrip(b"\n").startswith(b":"):
            path, entry = _raw(token.lstrip(b"\n"), tokens)
            modes[path] = entry
        elif found := _STAT.fullmatch(token.lstrip(b"\n")):
            raw = found[3]
            if not raw:  # a rename: the old and the new path follow
                next(tokens)
                raw = next(tokens)
            counts[path_text(raw)] = (_count(found[1]), _count(found[2]))
        else:
            if header:
                yield _commit(header, modes, counts)
            modes, counts = {}, {}
            header = [token.lstrip(b"\n"), *(next(tokens) for _ in _FIELDS[1:])]
    if header:
        yield _commit(header, modes, counts)


def _raw(token: bytes, tokens: Iterator[bytes]) -> tuple[str, tuple[str, str, str | None]]:
    """One line of ``--raw``: path → (mode before, mode after, old path)."""
    old_mode, new_mode, _, _, status = token.decode("ascii").lstrip(":").split(" ")
    path = path_text(next(tokens))
    if status[0] in "RC":
        return path_text(next(tokens)), (old_mode, new_mode, path)
    return path, (old_mode, new_mode, None)


def _commit(
    header: list[bytes], modes: dict[str, tuple[str, str, str | None]], counts: dict[str, tuple[int, int]]
) -> LoggedCommit:
    commit, parents, name, address, authored, committed, message = (
        field.decode("utf-8", "replace") for field in header
    )
    files = []
    for path, (before, after, old_path) in modes.items():
        kind = after if int(after, 8) else before
        if kind in _REGULAR:
            added, deleted = counts.get(path, (0, 0))
            files.append(TouchedFile(path, added, deleted, old_path, not int(before, 8), not int(after, 8)))
    return LoggedCommit(
        commit=commit,
        parents=tuple(parents.split()),
        author=(address.strip() or name.strip()).lower(),
        authored=int(authored or 0),
        committed=int(committed or 0),
        message=message[:MESSAGE].strip(),
        files=tuple(files),
    )


def _count(raw: bytes) -> int:
    return int(raw) if raw != b"-" else 0
