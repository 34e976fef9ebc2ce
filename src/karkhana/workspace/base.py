"""What a commit holds, read from its checkout: the side of a comparison that nothing untrusted can change.

Knows nothing of layers or changes. Symbolic links of the commit are never followed.

>>> base = Base(None)
>>> base.kind("cart.py"), list(base.files(""))
(None, [])
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK
from karkhana.workspace.files import open_beneath, open_folder, read_link

_LITTER = frozenset({".git", "git~1", "__pycache__", ".pytest_cache"})


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name, at any depth, is never part of a change."""
    return name in _LITTER or name.lower() in _LITTER


Content = tuple[int, bytes]
"""Git's mode and the bytes."""


class Base:
    """The files of one checkout; of none when ``checkout`` is absent."""

    def __init__(self, checkout: Path | None) -> None:
        self._folder = None if checkout is None else os.open(checkout, os.O_RDONLY | os.O_DIRECTORY)
        self._kinds: dict[str, int | None] = {}

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def kind(self, path: str) -> int | None:
        """``st_mode`` of a path, ``None`` when the commit has nothing there."""
        if path not in self._kinds:
            self._kinds[path] = self._look(path)
        return self._kinds[path]

    def _look(self, path: str) -> int | None:
        if self._folder is None:
            return None
        try:
            descriptor = open_beneath(self._folder, os.fsencode(path or "."), os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return None  # nothing, or something below a file or link
        try:
            return os.fstat(descriptor).st_mode
        finally:
            os.close(descriptor)

    def content(self, path: str) -> Content | None:
        """A file or link of the commit."""
        kind = self.kind(path)
        if kind is None or self._folder is None or stat.S_ISDIR(kind):
            return None
        if stat.S_ISLNK(kind):
            return SYMLINK, read_link(self._folder, path)
        descriptor = open_beneath(self._folder, os.fsencode(path), os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            return EXECUTABLE if kind & 0o100 else REGULAR, file.read()

    def files(self, path: str) -> Iterator[str]:
        """Every file and link at or below ``path``."""
        kind = self.kind(path)
        if kind is None or self._folder is None:
            return
        if not stat.S_ISDIR(kind):
            yield path
            return
        descriptor = open_folder(self._folder, path)
        try:
            with os.scandir(descriptor) as entries:
                names = [entry.name for entry in entries if not is_litter(entry.name)]
        finally:
            os.close(descriptor)
        for name in names:
            yield from self.files(f"{path}/{name}" if path else name)
