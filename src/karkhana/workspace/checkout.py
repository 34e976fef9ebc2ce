"""Checkouts of commits, cached by the commit's name and shared, read-only, by any number of sandboxes.

Written below Karkhana's own folder, where nothing untrusted can reach them. Knows nothing of sandboxes.

>>> # with Checkouts(home).hold("shop", commit) as folder: ...
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from karkhana.domain.errors import InfrastructureFailure
from karkhana.git import Repository, checkout
from karkhana.workspace.processes import started

KEPT = 64
"""Checkouts kept when none is in use; the ones used longest ago go first."""
_FULL_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PARTIAL = re.compile(r"\w+-(\d+)-(-?\d+)-[0-9a-f]+")


class Checkouts:
    """The cache in ``home/checkouts``."""

    def __init__(self, home: Path, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._folder = home / "checkouts"
        self._partial = home / "tmp"

    @contextlib.contextmanager
    def hold(self, repository: str, commit: str) -> Iterator[Path]:
        """The folder with the files of ``commit``, made if need be; it stays for as long as it is held.

        A commit's full name stands for its content, so nothing is asked of git when the cache has it.
        """
        if not _FULL_NAME.fullmatch(commit):
            commit = Repository.open(repository).resolve(commit)
        place = self._folder / commit
        descriptor = self._lock(place)
        while descriptor is None:
            self._make(repository, commit, place)
            descriptor = self._lock(place)
        try:
            yield place
        finally:
            os.close(descriptor)

    @staticmethod
    def _lock(place: Path) -> int | None:
        """A descriptor that holds a shared lock on ``place``; ``None`` when it is not there (any more)."""
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == place.stat().st_ino:
                os.utime(descriptor)
                return descriptor
        os.close(descriptor)  # it was evicted between the two
        return None

    def _make(self, repository: str, commit: str, place: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep()
        name = f"checkout-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
        partial = self._partial / name
        try:
            checkout(Repository.open(repository), commit, partial)
            partial.chmod(0o755)
            partial.rename(place)
        except OSError as error:
            if not place.is_dir():  # else another run made the same one first
                raise InfrastructureFailure(f"the checkout of {commit} failed: {error}", "is the disk full?") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._evict()

    def sweep(self) -> None:
        """Remove what processes that are gone left half made."""
        if not self._partial.is_dir():
            return
        for left in self._partial.iterdir():
            owner = _PARTIAL.fullmatch(left.name)
            if owner and started(int(owner[1])) != int(owner[2]):
                shutil.rmtree(left, ignore_errors=True)

    def _evict(self) -> None:
        places = sorted(self._folder.iterdir(), key=_last_used, reverse=True)
        for place in places[self._kept :]:
            with contextlib.suppress(OSError):  # in use, or another process evicts it
                descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    going = self._partial / f"old-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
                    place.rename(going)
                finally:
                    os.close(descriptor)
                shutil.rmtree(going, ignore_errors=True)


def _last_used(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        return 0.0
