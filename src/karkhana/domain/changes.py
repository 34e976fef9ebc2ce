"""A change: what an engineer hands over, as data.

A change is a base commit and the new content of some files. The patch is derived from them; nothing in the
factory ever applies a patch by fuzzy matching.
"""

import difflib

import msgspec

REGULAR = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000


class FileState(msgspec.Struct, frozen=True):
    """One file at one moment: git's mode and the SHA-256 of its bytes (a blob in the store)."""

    mode: int
    sha256: str


class FileChange(msgspec.Struct, frozen=True):
    """One path before and after; ``None`` means that it does not exist."""

    path: str
    """Relative to the repository, with ``/``; surrogate-escaped when it is not UTF-8."""
    before: FileState | None
    after: FileState | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an engineer hands over."""

    base: str
    """Full object name of the commit that it stands on."""
    files: tuple[FileChange, ...]
    """Sorted by path."""
    patch: str
    """``git diff --binary --full-index`` from base, decoded with surrogateescape."""
    summary: str
    """One paragraph: what was wrong, what was changed, and why that is right."""
    engineer: str
    title: str = ""
    """Subject line of the commit."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)


class Hunk(msgspec.Struct, frozen=True):
    """Lines ``start`` to ``end`` (0-based, half open) of the base are replaced by ``lines``."""

    start: int
    end: int
    lines: bytes


class FileEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a change, told as its difference from the base commit.

    Unchanged lines are not repeated, so what a base file holds is never copied into the factory's own records.
    """

    path: str
    mode: int | None
    """Git's mode after the change; ``None`` deletes the file."""
    hunks: tuple[Hunk, ...] = ()


def difference(before: bytes, after: bytes) -> tuple[Hunk, ...]:
    """The hunks that turn ``before`` into ``after``; exact for any bytes.

    >>> difference(b"a\\nb\\n", b"a\\nc\\n")
    (Hunk(start=1, end=2, lines=b'c\\n'),)
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle_old) * len(middle_new) > _LARGE_MIDDLE:
        return (Hunk(head, len(old) - tail, b"".join(middle_new)),)
    matcher = difflib.SequenceMatcher(None, middle_old, middle_new, autojunk=False)
    return tuple(
        Hunk(head + i1, head + i2, b"".join(middle_new[j1:j2]))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    )


_LARGE_MIDDLE = 25_000_000
"""Product of line counts above which one hunk is cheaper than a search for many."""


def apply(before: bytes, hunks: tuple[Hunk, ...]) -> bytes:
    """Turn ``before`` into the bytes after the change.

    Raises ``ValueError`` when a hunk lies outside of ``before``: it was made from another base.
    """
    lines = before.splitlines(keepends=True)
    parts: list[bytes] = []
    position = 0
    for hunk in hunks:
        if not position <= hunk.start <= hunk.end <= len(lines):
            raise ValueError(f"hunk {hunk.start}-{hunk.end} does not fit a file of {len(lines)} lines")
        parts += lines[position : hunk.start]
        parts.append(hunk.lines)
        position = hunk.end
    return b"".join([*parts, *lines[position:]])
