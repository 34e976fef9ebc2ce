"""Writes the files of a commit into a folder, without git's checkout: no filters, no attributes, no hooks.

Knows nothing of sandboxes. The destination must not be reachable by anything untrusted while it is written.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from karkhana.domain.changes import EXECUTABLE, SYMLINK
from karkhana.domain.errors import InvalidInput
from karkhana.git.command import path_bytes
from karkhana.git.objects import BlobReader, TreeEntries, reading_blobs
from karkhana.git.repository import Repository

_SYMLINK_MAX = 4095
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def checkout(repository: Repository, commit: str, destination: Path) -> TreeEntries:
    """Write every file of ``commit`` below ``destination``, which is created and must be empty.

    Submodules become empty folders. Regular files are all written before the first symbolic link, so nothing is
    ever written through one. Returns what was written. Raises ``InvalidInput`` for a tree whose paths are unsafe
    (``..``, absolute, ``.git``, a file below another file).
    """
    tree = repository.tree(commit)
    for path in (*tree.files, *tree.submodules):
        refuse_unsafe(path)
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise InvalidInput(f"{destination} is not empty", "check out into a new folder")
    regular = [(path, mode, oid) for path, (mode, oid) in tree.files.items() if mode != SYMLINK]
    links = [(path, mode, oid) for path, (mode, oid) in tree.files.items() if mode == SYMLINK]
    try:
        _make_folders(destination, (*tree.files, *tree.submodules), tree.submodules)
        with reading_blobs(repository.git, [oid for _, _, oid in (*regular, *links)]) as reader:
            for path, mode, oid in regular:
                _write_file(_place(destination, path), mode, oid, reader)
            for path, _, oid in links:
                _place(destination, path).symlink_to(_target(path, oid, reader))
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput(f"the tree of {commit} holds one path twice: {error.filename!r}", "see: git fsck") from error
    return tree


def refuse_unsafe(path: str) -> None:
    """Raise ``InvalidInput`` for a path that no checkout may create."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() in (".git", "git~1") for part in parts):
        raise InvalidInput(f"the tree holds the unsafe path {path!r}", "do not use this commit; see: git fsck")


def _make_folders(root: Path, paths: Iterable[str], leaves: Iterable[str]) -> None:
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    made: set[str] = set()
    for folder in sorted(folders | set(leaves)):
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            if part not in made:
                _place(root, part).mkdir(0o755)
                made.add(part)


def _write_file(target: Path, mode: int, oid: str, reader: BlobReader) -> None:
    # The mode is set on the descriptor, so the umask has no say and equal trees are equal on disk.
    descriptor = os.open(target, _CREATE, 0o600)
    try:
        for chunk in reader.chunks(oid):
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fchmod(descriptor, 0o755 if mode == EXECUTABLE else 0o644)
    finally:
        os.close(descriptor)


def _target(path: str, oid: str, reader: BlobReader) -> str:
    target = b"".join(reader.chunks(oid))
    if not target or len(target) > _SYMLINK_MAX or b"\0" in target:
        raise InvalidInput(f"the symbolic link {path!r} has no usable target", "see: git fsck")
    return os.fsdecode(target)


def _place(root: Path, path: str) -> Path:
    return root / os.fsdecode(path_bytes(path))
