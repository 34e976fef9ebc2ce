"""A change: what an engineer hands over, as data.

A change is a base commit and the new content of some files. The patch is derived from them; nothing in the
factory ever applies a patch by fuzzy matching.
"""

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
