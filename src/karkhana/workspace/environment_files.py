"""Reads what a checkout says about its dependencies. Links are never followed; sizes and numbers are bounded.

A checkout is ours and does not change, so what was no link when it was listed is none when it is read. Knows nothing
of what the files mean.

>>> # files, paths = dependency_files(checkout)
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from karkhana.domain.errors import EnvironmentFailure
from karkhana.workspace.environment_plan import Plan, is_native, relevant

_FILE_MAX = 8 << 20
_FILES_MAX = 200


def dependency_files(checkout: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files that say what is needed, with what they include; and the paths near the root."""
    paths = tuple(_near_root(checkout))
    files: dict[str, bytes] = {}
    waiting = relevant(paths)
    while waiting:
        for path in waiting[:_FILES_MAX]:
            files[path] = _read(checkout, path)
        if len(files) > _FILES_MAX:
            raise EnvironmentFailure(f"the repository has more than {_FILES_MAX} dependency files", "install by hand")
        waiting = tuple(path for path in relevant(paths, files) if path not in files)
    return files, paths


def _near_root(checkout: Path) -> Iterator[str]:
    """Regular files of the root and of its folders, one and two levels down. Links are not followed."""
    for folder, folders, names in os.walk(checkout):
        depth = len(Path(folder).relative_to(checkout).parts)
        folders[:] = [] if depth >= 2 else [name for name in sorted(folders) if not Path(folder, name).is_symlink()]
        for name in names:
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(checkout).as_posix()


def runs_own_code(wanted: Plan, files: Mapping[str, bytes]) -> bool:
    """Whether installing runs code of the tree itself, whose outcome may then depend on any file of it."""
    if wanted.project and not wanted.static:
        return True
    return any(_LOCAL.search(content) for path, content in files.items() if path.endswith((".txt", ".in")))


_LOCAL = re.compile(rb"(?m)^[ \t]*(-e|--editable|\.|/)|@[ \t]*(\.|/)|file:")
"""A requirement that is a place on disk."""


def sources(checkout: Path, *, native_only: bool) -> dict[str, str]:
    """Path and hash of what a build may read: another source is another environment.

    With ``native_only`` just what extensions are compiled from.
    """
    found = {}
    for folder, folders, names in os.walk(checkout):
        folders.sort()
        for path in (Path(folder, name) for name in names if not native_only or is_native(name)):
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    found[path.relative_to(checkout).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _read(checkout: Path, path: str) -> bytes:
    with (checkout / path).open("rb") as file:
        content = file.read(_FILE_MAX + 1)
    if len(content) > _FILE_MAX:
        raise EnvironmentFailure(f"{path} of the repository has more than {_FILE_MAX} bytes", "shorten it")
    return content
