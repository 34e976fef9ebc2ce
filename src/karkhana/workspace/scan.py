"""Finds what was changed in a workspace, looking only at the layer that holds the changes.

The layer is the upper folder of an overlay (whiteouts, opaque folders), or a whole copy of the checkout. Hostile
processes may be changing it meanwhile: every name is opened without following links, only regular files are read,
and sizes and numbers are bounded. Knows nothing of sandboxes, git's object store or tools.

>>> # Scan(upper, Base(checkout), IgnoreRules(home, checkout)).changes()  ->  ((FileChange(...), b"old", b"new"), ...)
"""

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator

import msgspec

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK, FileChange, FileState
from karkhana.domain.errors import ToolRefused
from karkhana.workspace.base import Base, Content, is_litter
from karkhana.workspace.files import Tree, kind_of, open_folder, read_link
from karkhana.workspace.ignored import IgnoreRules

MOST_FILES = 20_000
"""More new or changed files than this are refused."""
FILE_BYTES = 32 << 20
TOTAL_BYTES = 256 << 20
_TICK_NS = 50_000_000
"""File times may be as coarse as this: a file that was touched so shortly before it was read is read again."""

Changed = tuple[FileChange, bytes | None, bytes | None]


class _Seen(msgspec.Struct):
    """A file of the layer as it was when last read; ``changed`` is ``None`` when it equals the commit's."""

    signature: tuple[int, ...]
    settled: bool
    changed: Changed | None


class _Walk(msgspec.Struct):
    """What one pass over the layer has found."""

    found: dict[str, Changed] = {}
    present: set[str] = set()
    """Files and links that the layer holds."""
    replaced: list[str] = []
    """Paths of the commit of which only what the layer holds is left."""
    new_folders: list[str] = []
    new_files: list[tuple[str, os.stat_result]] = []
    next: list[str] = []
    total_bytes: int = 0


class Scan:
    """Compares one layer with the commit's files. ``note`` is told of what is left out, once each."""

    def __init__(
        self,
        layer: int,
        base: Base,
        ignored: IgnoreRules | None = None,
        *,
        whole: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._layer = layer
        self._tree = Tree(layer, file_bytes=FILE_BYTES)
        self._base = base
        self._ignored = ignored
        self._whole = whole
        self._note = note
        self._noted: set[str] = set()
        self._seen: dict[str, _Seen] = {}

    def changes(self) -> tuple[Changed, ...]:
        """Every file that differs, sorted by path. Raises ``ToolRefused`` when they are too many or too large."""
        walk = _Walk(next=[""], replaced=[""] if self._whole else [])
        while walk.next:
            self._level(walk)
        for folder in walk.replaced:
            for path in self._base.files(folder):
                if path not in walk.present:
                    self._removed(path, walk)
        return tuple(walk.found[path] for path in sorted(walk.found))

    def _level(self, walk: _Walk) -> None:
        """Look at one level of folders, and find the next one; ignored folders are never entered."""
        folders, walk.next, walk.new_folders, walk.new_files = walk.next, [], [], []
        for folder in folders:
            for path, found in self._entries(folder, walk):
                self._entry(path, found, walk)
                if len(walk.new_files) + len(walk.found) > MOST_FILES:
                    raise ToolRefused(
                        f"more than {MOST_FILES} files were created or changed in the workspace",
                        "remove what does not belong to the change",
                    )
        asked = [*(f"{path}/" for path in walk.new_folders), *(path for path, _ in walk.new_files)]
        ignored = self._ignored.of(asked) if asked and self._ignored else frozenset[str]()
        for path, found in walk.new_files:
            if path not in ignored:
                self._file(path, found, walk)
        walk.next += (path for path in walk.new_folders if f"{path}/" not in ignored)

    def _entries(self, folder: str, walk: _Walk) -> Iterator[tuple[str, os.stat_result]]:
        try:
            descriptor = open_folder(self._layer, folder)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self._left_out(folder[:200] + "…", "it lies too deep")
            return  # or gone or replaced since the folder above it was read
        try:
            if folder and not self._whole and _opaque(descriptor):
                walk.replaced.append(folder)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if not is_litter(entry.name):
                        with contextlib.suppress(FileNotFoundError):
                            yield f"{folder}/{entry.name}" if folder else entry.name, entry.stat(follow_symlinks=False)
        finally:
            os.close(descriptor)

    def _entry(self, path: str, found: os.stat_result, walk: _Walk) -> None:
        before = self._base.kind(path)
        both_folders = before is not None and stat.S_ISDIR(before) and stat.S_ISDIR(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            (walk.next if both_folders else walk.new_folders).append(path)
        elif stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            walk.present.add(path)
            if before is None:
                walk.new_files.append((path, found))
            else:
                self._file(path, found, walk)
        elif not _whiteout(found):
            self._left_out(path, f"it is {kind_of(found.st_mode)}")
        if before is not None and not both_folders:
            walk.replaced.append(path)

    def _file(self, path: str, found: os.stat_result, walk: _Walk) -> None:
        signature = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)
        seen = self._seen.get(path)
        if seen is None or seen.signature != signature or not seen.settled:
            settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _TICK_NS
            seen = self._seen[path] = _Seen(signature, settled, self._compare(path, found))
        if seen.changed is not None:
            walk.found[path] = seen.changed
            walk.total_bytes += sum(len(side) for side in seen.changed[1:] if side is not None)
            if walk.total_bytes > TOTAL_BYTES:
                raise ToolRefused(f"the changes hold more than {TOTAL_BYTES >> 20} MiB", "remove large files")

    def _compare(self, path: str, found: os.stat_result) -> Changed | None:
        before = self._base.content(path)
        after = self._read(path, found, before)
        if after is None or after == before:
            return None
        return _changed(path, before, after)

    def _read(self, path: str, found: os.stat_result, before: Content | None) -> Content | None:
        """The layer's file; ``None`` when it is left out."""
        if found.st_size > FILE_BYTES:
            if before is not None:
                raise ToolRefused(f"{path} has grown past {FILE_BYTES >> 20} MiB", "make it smaller or restore it")
            self._left_out(path, f"it is larger than {FILE_BYTES >> 20} MiB")
            return None
        try:
            if stat.S_ISLNK(found.st_mode):
                return SYMLINK, read_link(self._layer, path)
            content = self._tree.read(path)
        except (OSError, ToolRefused):
            return None  # something else took its place meanwhile; the next look will tell
        return None if content is None else (EXECUTABLE if found.st_mode & 0o100 else REGULAR, content)

    def _removed(self, path: str, walk: _Walk) -> None:
        before = self._base.content(path)
        if before is not None:
            walk.found[path] = _changed(path, before, None)

    def _left_out(self, path: str, why: str) -> None:
        if path not in self._noted and len(self._noted) < MOST_FILES:
            self._noted.add(path)
            self._note(f"{path!r} is not part of the change: {why}")


def _changed(path: str, before: Content | None, after: Content | None) -> Changed:
    change = FileChange(path, _state(before), _state(after))
    return change, before[1] if before else None, after[1] if after else None


def _state(content: Content | None) -> FileState | None:
    return None if content is None else FileState(content[0], hashlib.sha256(content[1]).hexdigest())


def _whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _opaque(descriptor: int) -> bool:
    """Whether the overlay hides what the checkout has in this folder."""
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        with contextlib.suppress(OSError):
            if os.getxattr(descriptor, name) == b"y":
                return True
    return False
