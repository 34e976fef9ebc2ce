"""Reads and writes files below a folder that hostile processes may be changing at the same time.

Every path is resolved by the kernel with ``openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)``
from a descriptor of the folder, so no symbolic link, rename or ``..`` leads outside, whatever the timing. It knows
nothing of sandboxes.

>>> # Tree(descriptor).read("src/cart.py")  ->  b"..."
"""

import contextlib
import ctypes
import errno
import functools
import os
import secrets
import stat
import struct
from pathlib import Path
from typing import Final

from karkhana.domain.errors import InfrastructureFailure, ToolRefused

_OPENAT2: Final = 437
_RESOLVE: Final = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_READ_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TRIES: Final = 64
"""``openat2`` answers EAGAIN when something was renamed meanwhile."""
_TEMPORARY: Final = ".karkhana-"


@functools.cache
def _syscall() -> "ctypes._FuncPointer":
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    function.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
    return function


def open_beneath(folder: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open ``path`` below the descriptor ``folder`` without passing a symbolic link. Raises ``OSError``."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, _RESOLVE)
    number = errno.EAGAIN
    for _ in range(_TRIES):
        descriptor = _syscall()(_OPENAT2, folder, path, how, len(how))
        if descriptor >= 0:
            return int(descriptor)
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), os.fsdecode(path))


def open_folder(root: int, path: str) -> int:
    """A readable descriptor of the folder ``path`` below ``root`` (``""`` is itself). Raises ``OSError``."""
    raw = os.fsencode(path) or b"."
    try:
        # nothing can lead away from the folder itself, so the call without its detour through ctypes will do
        return open_beneath(root, raw, _READ_FOLDER) if path else os.open(raw, _READ_FOLDER, dir_fd=root)
    except PermissionError:
        _permit(root, raw, stat.S_IRWXU)
        return open_beneath(root, raw, _READ_FOLDER)


def read_link(root: int, path: str) -> bytes:
    """Where the symbolic link ``path`` below ``root`` points to. Raises ``OSError``."""
    descriptor = open_beneath(root, os.fsencode(path), os.O_PATH | os.O_NOFOLLOW)
    try:
        return os.readlink(b"", dir_fd=descriptor)
    finally:
        os.close(descriptor)


def _permit(root: int, path: bytes, bits: int) -> None:
    """Give back permissions that a command took from a file of our own user."""
    handle = open_beneath(root, path, os.O_PATH)
    try:
        Path(f"/proc/self/fd/{handle}").chmod(stat.S_IMODE(os.fstat(handle).st_mode) | bits)
    finally:
        os.close(handle)


def checked(path: str) -> bytes:
    """``path`` as the kernel wants it. Raises ``ToolRefused`` for one that cannot be a file of a workspace."""
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ToolRefused(f"{path!r} is not a path inside the workspace", "use a relative path such as src/cart.py")
    if any(part.lower() in (".git", "git~1") for part in parts):
        raise ToolRefused(f"{path!r} lies in git's own folder", "change the files of the repository only")
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:  # half of a surrogate pair, which only text from outside can hold
        raise ToolRefused(f"{path!r} cannot be the name of a file", "use the name as list_files gives it") from error


class Tree:
    """The files below one folder. ``owner`` is whom new files are given to, when this process is root."""

    def __init__(self, folder: int, *, owner: tuple[int, int] | None = None, file_bytes: int = 1 << 28) -> None:
        self.folder = folder
        self._owner = owner
        self._file_bytes = file_bytes

    def read(self, path: str) -> bytes | None:
        """Bytes of a regular file; ``None`` when there is none. Raises ``ToolRefused`` for anything else."""
        try:
            descriptor = self._open_for_reading(checked(path))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise refusal(path, error) from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ToolRefused(f"{path} is {kind_of(found.st_mode)}, not a file", "name a regular file")
            if found.st_size > self._file_bytes:
                limit = self._file_bytes >> 20
                raise ToolRefused(f"{path} is larger than {limit} MiB", "look at it with a command in the sandbox")
            return _read_all(descriptor, self._file_bytes)
        finally:
            os.close(descriptor)

    def _open_for_reading(self, path: bytes) -> int:
        # Looking first, so that opening a device or a fifo never has a side effect.
        handle = open_beneath(self.folder, path, os.O_PATH)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                return os.dup(handle)
        finally:
            os.close(handle)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        try:
            return open_beneath(self.folder, path, flags)
        except PermissionError:
            _permit(self.folder, path, stat.S_IRUSR)
            return open_beneath(self.folder, path, flags)

    def write(self, path: str, content: bytes | None, *, executable: bool = False) -> None:
        """Create or replace a file atomically, keeping its mode, or (``None``) delete it.

        Folders are made as needed. Raises ``ToolRefused`` when something other than a file is in the way.
        """
        raw = checked(path)
        if content is not None and len(content) > self._file_bytes:
            raise ToolRefused(f"{path} would be larger than {self._file_bytes >> 20} MiB", "write less")
        folder, _, name = raw.rpartition(b"/")
        try:
            parent = self._parent(folder, make=content is not None)
        except OSError as error:
            if content is None and error.errno in (errno.ENOENT, errno.ENOTDIR):
                return
            raise refusal(path, error) from error
        try:
            mode = self._mode_of(parent, name, path)
            if content is None:
                if mode is not None:
                    os.unlink(name, dir_fd=parent)
                return
            self._replace(parent, name, content, _mode(mode, executable))
        except OSError as error:
            raise refusal(path, error) from error
        finally:
            os.close(parent)

    def _parent(self, folder: bytes, *, make: bool) -> int:
        if not folder:
            return os.dup(self.folder)
        try:
            return open_beneath(self.folder, folder, _FOLDER)
        except FileNotFoundError:
            if not make:
                raise
        current = os.dup(self.folder)
        for part in folder.split(b"/"):
            try:
                following = self._enter(current, part)
            finally:
                os.close(current)
            current = following
        return current

    def _enter(self, parent: int, name: bytes) -> int:
        try:
            return open_beneath(parent, name, _FOLDER)
        except FileNotFoundError:
            pass
        with contextlib.suppress(FileExistsError):  # another process was faster; opening tells what it made
            os.mkdir(name, 0o755, dir_fd=parent)
        descriptor = open_beneath(parent, name, _FOLDER)
        if self._owner is not None:
            os.chown(name, *self._owner, dir_fd=parent, follow_symlinks=False)
        return descriptor

    @staticmethod
    def _mode_of(parent: int, name: bytes, path: str) -> int | None:
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise ToolRefused(f"{path} is {kind_of(found.st_mode)}, not a file", "choose another path")
        return stat.S_IMODE(found.st_mode)

    def _replace(self, parent: int, name: bytes, content: bytes, mode: int) -> None:
        temporary = f"{_TEMPORARY}{secrets.token_hex(8)}".encode()
        descriptor = open_beneath(parent, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if self._owner is not None:
                os.fchown(descriptor, *self._owner)
            os.fchmod(descriptor, mode)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(OSError):  # the folder may be gone by now; the first error is the one to report
                os.unlink(temporary, dir_fd=parent)
            raise
        finally:
            os.close(descriptor)


def _mode(before: int | None, executable: bool) -> int:
    if before is None:
        return 0o755 if executable else 0o644
    return (before & 0o777) | 0o600 | (0o111 if executable else 0)


def _read_all(descriptor: int, most: int) -> bytes:
    parts, have = [], 0
    while have <= most and (part := os.read(descriptor, 1 << 20)):
        parts.append(part)
        have += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def kind_of(mode: int) -> str:
    """What a file mode is, in words."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a regular file")


def refusal(path: str, error: OSError) -> ToolRefused | InfrastructureFailure:
    """What a failed file operation means to whoever asked for it."""
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return ToolRefused(f"{path} passes through a symbolic link or leaves the workspace", "use the real path")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ToolRefused(f"{path} does not fit: the workspace is full", "delete files that are not needed")
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOENT):
        return ToolRefused(f"{path}: {error.strerror}", "choose another path")
    if error.errno == errno.EAGAIN:
        return ToolRefused(f"{path} is being changed by another process", "try again")
    return InfrastructureFailure(f"{path}: {error.strerror}", "see: karkhana doctor")
