"""Reads trees and blobs from an object store. Knows nothing of work trees.

Blobs come through one ``git cat-file --batch`` process for any number of them, in the order asked for.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.git.command import GitCommand, GitFailed, path_text

SUBMODULE = 0o160000
_CHUNK = 1 << 20


class TreeEntries(msgspec.Struct, frozen=True):
    """All entries of one commit's tree."""

    files: dict[str, tuple[int, str]]
    """Path → (git's mode, object name of the blob)."""
    submodules: dict[str, str]
    """Path → commit of the other repository."""


def list_tree(git: GitCommand, commit: str, *paths: str) -> TreeEntries:
    """Every file and submodule of ``commit``; only those at or below ``paths``, if any."""
    files: dict[str, tuple[int, str]] = {}
    submodules: dict[str, str] = {}
    for record in git.run("ls-tree", "-r", "-z", "--full-tree", commit, *paths).split(b"\0")[:-1]:
        meta, _, raw = record.partition(b"\t")
        mode_text, _, oid = meta.decode("ascii").split(" ")
        mode, path = int(mode_text, 8), path_text(raw)
        if mode == SUBMODULE:
            submodules[path] = oid
        else:
            files[path] = (mode, oid)
    return TreeEntries(files, submodules)


class BlobReader:
    """Streams one blob at a time: iterate ``chunks`` fully before the next blob is asked for."""

    def __init__(self, stdout: IO[bytes]) -> None:
        self._stdout = stdout

    def chunks(self, oid: str) -> Iterator[bytes]:
        """The bytes of the next blob, which must be ``oid``, in pieces of at most 1 MiB."""
        header = self._stdout.readline().split()
        if len(header) != 3 or header[0].decode() != oid or header[1] != b"blob":
            raise InfrastructureFailure(f"object {oid} cannot be read as a file", "check with: git fsck")
        left = int(header[2])
        while left:
            chunk = self._stdout.read(min(left, _CHUNK))
            if not chunk:
                raise InfrastructureFailure(f"object {oid} ends early", "check with: git fsck")
            left -= len(chunk)
            yield chunk
        self._stdout.read(1)


@contextlib.contextmanager
def reading_blobs(git: GitCommand, oids: Sequence[str]) -> Iterator[BlobReader]:
    """A reader that gives the blobs ``oids`` in this order."""
    with git.start("cat-file", "--batch", "--buffer") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, oids), daemon=True)
        feeder.start()
        try:
            yield BlobReader(process.stdout)
        except BaseException:
            process.kill()
            raise
        finally:
            feeder.join()
        if process.wait() != 0:
            raise GitFailed(["cat-file"], process.returncode, process.stderr.read())


def _feed(stdin: IO[bytes], oids: Sequence[str]) -> None:
    # git may have ended early; the reader finds that out and says so
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.write("".join(f"{oid}\n" for oid in oids).encode("ascii"))


def read_blobs(git: GitCommand, oids: Sequence[str]) -> dict[str, bytes]:
    """Object name → bytes, all in memory."""
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return {}
    with reading_blobs(git, wanted) as reader:
        return {oid: b"".join(reader.chunks(oid)) for oid in wanted}
