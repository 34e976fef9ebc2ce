"""The file that a backup is: a tar with a manifest first, which names each other member with its size and SHA-256.

Reading believes nothing: no name but those of the manifest, no links, no larger members than it says, and every hash
is compared. Knows nothing of databases.

>>> # write_archive(Path("karkhana.tar"), manifest, folder); read_archive(Path("karkhana.tar"), folder)
"""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import msgspec

from karkhana.domain.errors import InvalidInput
from karkhana.storage.contents import Contents

FORMAT = 1
MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 64 * 1024 * 1024
_PIECE = 1024 * 1024


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup."""

    path: str
    """Below the home folder; ``database.dump`` is PostgreSQL's."""
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is of."""

    format: int
    made_at: str
    version: str
    """Of Karkhana."""
    line: str
    """Version of the line's steps: runs under way go on only where it is the same."""
    kind: str
    """``sqlite`` or ``postgresql``."""
    server: str
    """Version of the database."""
    contents: Contents
    members: tuple[Member, ...]


def described(folder: Path, paths: Iterable[str]) -> tuple[Member, ...]:
    """The files at ``paths`` below ``folder``, with their hashes."""
    return tuple(Member(path=path, size=(folder / path).stat().st_size, sha256=_hash(folder / path)) for path in paths)


def write_archive(target: Path, manifest: Manifest, folder: Path) -> None:
    """Write the manifest and its members, which lie in ``folder``, into ``target``: whole, or not at all.

    Raises ``InvalidInput`` when the folder of ``target`` cannot be written.
    """
    content = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    with _whole(target) as draft, tarfile.open(draft, _mode(target), **_level(target)) as archive:  # type: ignore[call-overload]
        archive.addfile(_information(MANIFEST, len(content)), io.BytesIO(content))
        for member in manifest.members:
            with (folder / member.path).open("rb") as file:
                archive.addfile(_information(member.path, member.size), file)


def read_archive(source: Path, folder: Path) -> Manifest:
    """Unpack into ``folder``, which is empty. Raises ``InvalidInput`` for anything that is no whole backup of ours."""
    try:
        with tarfile.open(source, "r:*") as archive:
            return _read(archive, folder, source.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidInput(f"{source} cannot be read as a backup: {error}", "Use another backup.") from error


def _read(archive: tarfile.TarFile, folder: Path, name: str) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
        raise InvalidInput(f"{name} is no backup of Karkhana", "Use a file that karkhana backup wrote.")
    manifest = _manifest(b"".join(_pieces(archive, first)), name)
    expected = {member.path: member for member in manifest.members}
    while (found := archive.next()) is not None:
        member = expected.pop(found.name, None)
        if member is None or not found.isreg() or found.size != member.size or not _ours(found.name):
            raise _damaged(name, f"{found.name} does not belong into it")
        target = folder / member.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as file:
            target.chmod(0o600)
            for piece in _pieces(archive, found):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != member.sha256:
            raise _damaged(name, f"{found.name} was altered")
    if expected:
        raise _damaged(name, f"{min(expected)} is missing")
    return manifest


def _manifest(content: bytes, name: str) -> Manifest:
    try:
        told = msgspec.json.decode(content)
        if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
            raise InvalidInput(f"{name} was made by a newer version of Karkhana", "Upgrade Karkhana.")
        return msgspec.convert(told, Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise _damaged(name, f"its manifest cannot be read: {error}") from error


def _damaged(name: str, what: str) -> InvalidInput:
    return InvalidInput(f"{name} is damaged: {what}", "Use another backup.")


def _ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name and "\0" not in name


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(member)
    assert file is not None, "a regular file has content"
    while piece := file.read(_PIECE):
        yield piece


def _information(name: str, size: int) -> tarfile.TarInfo:
    information = tarfile.TarInfo(name)
    information.size, information.mode = size, 0o600
    return information


def _mode(target: Path) -> str:
    return "w:gz" if target.name.endswith((".gz", ".tgz")) else "w"


def _level(target: Path) -> dict[str, int]:
    # large values are compressed in the database already; 1 takes a quarter of the time of the default
    return {"compresslevel": 1} if _mode(target) == "w:gz" else {}


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A draft beside ``target``, which takes its place when the block ends well and all of it is on the disk."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}", "Choose another place.") from error
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        sync(draft)
        draft.replace(target)
        sync(target.parent)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
