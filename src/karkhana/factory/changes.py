"""Between a workspace's files and a storable change: as hunks against the base commit, and back.

>>> # files, edits, patch = gather(workspace);  restore(repository, commit, edits)["a.py"] -> (before, after)
"""

from collections.abc import Mapping
from typing import TypeAlias

from karkhana.domain.changes import FileChange, FileEdit, apply, difference
from karkhana.git import Repository, make_patch
from karkhana.ports import Workspace

Contents: TypeAlias = Mapping[str, tuple[bytes | None, bytes | None]]
"""Path → bytes before and after; ``None`` where the file does not exist."""


def gather(workspace: Workspace) -> tuple[tuple[FileChange, ...], tuple[FileEdit, ...], str]:
    """What was changed in a workspace: the files, the edits against the base, and the patch."""
    rows = workspace.changes()
    return tuple(row[0] for row in rows), tuple(_edit(*row) for row in rows), patch_of(rows)


def patch_of(rows: tuple[tuple[FileChange, bytes | None, bytes | None], ...]) -> str:
    """The patch of some changed files."""
    return make_patch({file.path: (_file(file.before, old), _file(file.after, new)) for file, old, new in rows})


def _file(state: object, content: bytes | None) -> tuple[int, bytes] | None:
    mode = getattr(state, "mode", None)
    return None if mode is None or content is None else (mode, content)


def _edit(file: FileChange, before: bytes | None, after: bytes | None) -> FileEdit:
    if file.after is None or after is None:
        return FileEdit(path=file.path, mode=None)
    return FileEdit(path=file.path, mode=file.after.mode, hunks=difference(before or b"", after))


def restore(repository: str, base: str, edits: tuple[FileEdit, ...]) -> Contents:
    """Bytes before and after of each edited file, from the base commit's objects."""
    source = Repository.open(repository)
    tree = source.files(base)
    blobs = source.read_blobs([tree[edit.path][1] for edit in edits if edit.path in tree])
    contents: dict[str, tuple[bytes | None, bytes | None]] = {}
    for edit in edits:
        before = blobs[tree[edit.path][1]] if edit.path in tree else None
        contents[edit.path] = (before, None if edit.mode is None else apply(before or b"", edit.hunks))
    return contents
