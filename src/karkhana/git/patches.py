"""The lines that commits removed and added, without their surroundings; one git process for any number of commits.

Differences in white space alone are left out, and so are files of more than a megabyte. Lines are untrusted text.
Knows nothing of what the lines mean.

>>> # dict(read_patches(repository, [commit]))[commit][0].hunks[0].removed  ->  ("    return 1",)
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

import msgspec

from karkhana.git.command import GitCommand, GitFailed, path_text
from karkhana.git.repository import Repository

LONGEST = 2_000
"""Characters of a line that are kept."""
MOST = 20_000
"""Changed lines of one commit that are read; what follows is left out."""
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Hunk(msgspec.Struct, frozen=True, array_like=True):
    """Lines that were replaced by others; line numbers begin at 1."""

    old_start: int
    removed: tuple[str, ...]
    new_start: int
    added: tuple[str, ...]
    within: str = ""
    """The heading that git gives: the line that opens the function around it."""


class FilePatch(msgspec.Struct, frozen=True, array_like=True):
    """All hunks of one file."""

    path: str
    """After the commit; before it, when the file is gone."""
    before: str | None
    """Before the commit; ``None`` for a new file."""
    hunks: tuple[Hunk, ...]


def read_patches(repository: Repository, commits: Sequence[str]) -> Iterator[tuple[str, tuple[FilePatch, ...]]]:
    """Each commit, in this order, with its patch against its first parent. Raises ``GitFailed``."""
    if not commits:
        return
    git = GitCommand(repository.git_dir, settings=("core.bigFileThreshold=1m", "core.quotePath=true"))
    words = ["log", "--no-walk=unsorted", "--stdin", "--diff-merges=first-parent", "-p", "-U0", "-w", "-M", "-l400"]
    words += ["--no-color", "--no-textconv", "--no-ext-diff", "--no-show-signature", "--no-prefix", "--format=%x00%H"]
    with git.start(*words) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, commits), daemon=True)
        feeder.start()
        try:
            yield from _patches(process.stdout)
        except BaseException:
            process.kill()
            raise
        finally:
            feeder.join()
        problem = process.stderr.read()
        if process.wait() != 0:
            raise GitFailed(["log"], process.returncode, problem)


def _feed(stdin: IO[bytes], commits: Sequence[str]) -> None:
    # git may have ended early; the reader finds that out and says so
    with suppress(BrokenPipeError), stdin:
        stdin.write("".join(f"{commit}\n" for commit in commits).encode("ascii"))


class _Open:
    """The file and the hunk that are being read."""

    def __init__(self) -> None:
        self.files: list[FilePatch] = []
        self.old: str | None = None
        self.new: str | None = None
        self.hunks: list[Hunk] = []
        self.start: tuple[int, int, str] | None = None
        self.removed: list[str] = []
        self.added: list[str] = []
        self.lines = 0

    def end_hunk(self) -> None:
        if self.start is not None:
            old, new, within = self.start
            self.hunks.append(Hunk(old, tuple(self.removed), new, tuple(self.added), within))
        self.start, self.removed, self.added = None, [], []

    def end_file(self) -> None:
        self.end_hunk()
        path = self.new or self.old
        if path is not None and self.hunks:
            self.files.append(FilePatch(path, self.old, tuple(self.hunks)))
        self.old, self.new, self.hunks = None, None, []


def _patches(stream: IO[bytes]) -> Iterator[tuple[str, tuple[FilePatch, ...]]]:
    commit, state, left = None, _Open(), [0, 0]
    for raw in stream:
        line = raw.removesuffix(b"\n")
        if any(left) and line[:1] in {b"-", b"+"}:
            # Counted, since a removed line that begins with "-- " looks like the header of a file
            side = 0 if line[:1] == b"-" else 1
            left[side] -= 1
            state.lines += 1
            if state.lines <= MOST:
                (state.removed, state.added)[side].append(line[1:].decode("utf-8", "replace")[:LONGEST])
        elif line.startswith(b"\0"):
            if commit is not None:
                state.end_file()
                yield commit, tuple(state.files)
            commit, state, left = line[1:].decode("ascii"), _Open(), [0, 0]
        elif line.startswith(b"diff --git "):
            state.end_file()
        elif line.startswith(b"--- "):
            state.old = _name(line[4:])
        elif line.startswith(b"+++ "):
            state.new = _name(line[4:])
        elif found := _HUNK.fullmatch(line):
            state.end_hunk()
            left = [int(found[2] or 1), int(found[4] or 1)]
            state.start = (int(found[1]), int(found[3]), found[5].decode("utf-8", "replace")[:200])
    if commit is not None:
        state.end_file()
        yield commit, tuple(state.files)


def _name(raw: bytes) -> str | None:
    """A path of a header: quoted like a C string where it holds what is unusual; git ends one with spaces by a tab."""
    raw = raw.removesuffix(b"\t")
    if raw == b"/dev/null":
        return None
    if raw.startswith(b'"') and raw.endswith(b'"'):
        raw = _ESCAPE.sub(_unescaped, raw[1:-1])
    return path_text(raw)


def _unescaped(found: "re.Match[bytes]") -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)
