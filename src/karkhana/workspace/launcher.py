"""Builds the file system of one sandbox in namespaces of its own, drops every privilege, becomes bubblewrap.

Run as ``python -I -S launcher.pyc FD`` with one end of a socket pair as ``FD``. It reads its plan from there (see
:mod:`karkhana.workspace.layout`) and answers with descriptors of the workspace's folder and of the folder that
holds what was changed in it, so that the host reaches files by descriptor and never by path. Standard library
only. It knows nothing of commands, repositories or limits.

All mounts live in this process's own mount namespace: when it dies nothing is left on the host.

Started by root it leaves root for an unprivileged user of its own before bubblewrap starts; ownership is translated
by an id-mapped mount, so a cached checkout that belongs to root can be shared by sandboxes of different users.
Started by an ordinary user it works in a user namespace.
"""

# Every sandbox pays for what is imported here: json, socket and pathlib cost more than all the rest, so the host's
# messages come as marshal (both ends are the same interpreter) and the C module beneath socket does.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH112, PTH118, PTH120, PTH123, PTH211

from __future__ import annotations

import _socket
import ctypes
import errno
import marshal
import os
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
AT_EMPTY_PATH, AT_RECURSIVE = 0x1000, 0x8000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 1, 2, 4, 0x00100000
PR_SET_NO_NEW_PRIVS = 38
NR_OPEN_TREE, NR_MOVE_MOUNT, NR_MOUNT_SETATTR = 428, 429, 442
NR_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The host does not allow a step; ``step`` names it."""

    def __init__(self, step: str, error: Exception) -> None:
        super().__init__(f"{step}: {error}")
        self.step = step
        self.errno = getattr(error, "errno", 0) or 0


def call(function: Any, *arguments: Any) -> int:
    """A C function that returns -1 on failure."""
    result: int = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: Any) -> int:
    return call(libc.syscall, ctypes.c_long(number), *arguments)


def mount(source: str, target: str, kind: bytes | None, flags: int, data: str | None = None) -> None:
    options = data.encode() if data else None
    call(libc.mount, os.fsencode(source), os.fsencode(target), kind, ctypes.c_ulong(flags), options)


def receive(channel: _socket.socket) -> Any:
    """One message: four bytes of length, then the value."""
    (size,) = struct.unpack("!I", receive_exactly(channel, 4))
    return marshal.loads(receive_exactly(channel, size))  # noqa: S302 - from our own process


def receive_exactly(channel: _socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            sys.exit(0)  # the host is gone
        data += part
    return bytes(data)


def send(channel: _socket.socket, message: str, text: bytes = b"", descriptors: Sequence[int] = ()) -> None:
    """A JSON object, and ``text`` if the object announces it."""
    data = message.encode()
    packed = struct.pack(f"{len(descriptors)}i", *descriptors)
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if descriptors else []
    channel.sendmsg([struct.pack("!I", len(data)) + data + text], rights)


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def enter_namespaces(as_root: bool) -> None:
    uid, gid = os.getuid(), os.getgid()
    if as_root:
        call(libc.unshare, CLONE_NEWNS)
    else:
        call(libc.unshare, CLONE_NEWUSER | CLONE_NEWNS)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def translation(uid: int, gid: int) -> int:
    """Descriptor of a user namespace in which root is ``uid``: what an id-mapped mount asks for."""
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        result = libc.unshare(CLONE_NEWUSER)
        os.write(ready[1], b"." if result == 0 else b"!")
        os.close(done[1])
        os.read(done[0], 1)
        os._exit(0)
    try:
        if os.read(ready[0], 1) != b".":
            raise OSError(errno.EPERM, "user namespaces are not available")
        write(f"/proc/{child}/uid_map", f"0 {uid} 1")
        write(f"/proc/{child}/gid_map", f"0 {gid} 1")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for end in (*ready, *done):
            os.close(end)
        os.waitpid(child, 0)


def make_place(target: str, source: str) -> str:
    """An empty folder, or an empty file, for ``source`` to be mounted on."""
    relative = target.lstrip("/")
    if os.path.isdir(source):
        os.makedirs(relative, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(relative) or ".", 0o755, exist_ok=True)
        os.close(os.open(relative, os.O_CREAT | os.O_WRONLY, 0o644))
    return relative


def bind(source: str, target: str, writable: bool, namespace: int | None) -> None:
    """Mount ``source`` at ``target`` below the current folder, owned by the sandbox's user when translated."""
    place = make_place(target, source)
    harden = MOUNT_ATTR_NOSUID | (0 if target.startswith("/dev/") else MOUNT_ATTR_NODEV)
    if not writable:
        harden |= MOUNT_ATTR_RDONLY
    if namespace is None:
        mount(source, place, None, MS_BIND | MS_REC)
        set_attributes(-100, place, harden, 0, 0)
        return
    tree = syscall(NR_OPEN_TREE, -100, os.fsencode(source), OPEN_TREE_CLONE | os.O_CLOEXEC)
    try:
        set_attributes(tree, "", harden | MOUNT_ATTR_IDMAP, AT_EMPTY_PATH, namespace)
        syscall(NR_MOVE_MOUNT, tree, b"", -100, os.fsencode(place), MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


def set_attributes(directory: int, path: str, attributes: int, flags: int, namespace: int) -> None:
    data = struct.pack("QQQQ", attributes, 0, 0, namespace)
    try:
        syscall(NR_MOUNT_SETATTR, directory, os.fsencode(path), AT_RECURSIVE | flags, data, ctypes.c_size_t(len(data)))
    except OSError as error:
        # Older than Linux 5.12: bubblewrap sets these flags again; only the translation cannot be done otherwise.
        if error.errno != errno.ENOSYS or attributes & MOUNT_ATTR_IDMAP:
            raise


def make_disk(plan: dict[str, Any]) -> None:
    """The one place that the sandbox writes to, bounded in bytes and files."""
    os.makedirs(".disk", 0o755)
    size = f"size={plan['disk']},nr_inodes={plan['inodes']},mode=0755"
    mount("karkhana", ".disk", b"tmpfs", MS_NOSUID | MS_NODEV, size)
    os.mkdir(".disk/tmp")
    os.mkdir(".disk/tmp/home")
    os.mkdir(".disk/shm")
    for shared in (".disk/tmp", ".disk/shm"):
        os.chmod(shared, 0o1777)  # noqa: S103 - as they are everywhere
    own(plan, ".disk/tmp/home")
    os.mkdir(".disk/work")
    os.mkdir(".disk/upper", 0o755)
    own(plan, ".disk/upper")


def own(plan: dict[str, Any], path: str) -> None:
    if plan["root"]:
        os.chown(path, plan["uid"], plan["gid"], follow_symlinks=False)


def make_workspace(plan: dict[str, Any], namespace: int | None) -> bool:
    """``workspace``: the checkout with a writable layer over it; whether that is an overlay."""
    os.mkdir("workspace", 0o755)
    if plan["checkout"] is None:
        mount(".disk/upper", "workspace", None, MS_BIND)
        return False
    if plan["overlay"] and (namespace is not None or not plan["root"]):
        try:
            bind(plan["checkout"], "/.lower", False, namespace)
            options = "lowerdir=.lower,upperdir=.disk/upper,workdir=.disk/work,redirect_dir=off,metacopy=off,index=off"
            if not plan["root"]:
                options = "lowerdir=.lower,upperdir=.disk/upper,workdir=.disk/work,userxattr"
            mount("karkhana", "workspace", b"overlay", MS_NOSUID | MS_NODEV, options)
        except OSError:
            pass  # no overlay on this host, or not over this file system: copy instead
        else:
            return True
    copy(plan)
    mount(".disk/upper", "workspace", None, MS_BIND)
    return False


def copy(plan: dict[str, Any]) -> None:
    import shutil  # costly, and seldom needed

    try:
        shutil.copytree(plan["checkout"], ".disk/upper", symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        raise OSError(errno.EIO, str(error)[:500]) from error
    if plan["root"]:
        for folder, folders, files in os.walk(".disk/upper"):
            for name in (*folders, *files):
                own(plan, os.path.join(folder, name))


def make_root(plan: dict[str, Any]) -> tuple[bool, bool]:
    """Everything that bubblewrap will find, as a tree of its own; the current folder is its top."""
    os.chdir(plan["staging"])
    mount("karkhana", ".", b"tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=8192,mode=0755")
    os.chdir(plan["staging"])
    namespace = None
    if plan["root"]:
        try:
            namespace = translation(plan["uid"], plan["gid"])
        except OSError:
            namespace = None
    make_disk(plan)
    overlay = make_workspace(plan, namespace)
    for source, target, writable in plan["binds"]:
        if writable and plan["root"]:
            bind_writable(plan, source, target, namespace)
        else:
            bind(source, target, writable, None)
    for target, text in plan["files"].items():
        os.makedirs(os.path.dirname(target.lstrip("/")), 0o755, exist_ok=True)
        with open(target.lstrip("/"), "x", encoding="utf-8") as file:
            file.write(text)
    for link, target in plan["links"].items():
        os.symlink(target, link.lstrip("/"))
    os.mkdir("tmp", 0o755)  # where bubblewrap assembles its own root
    os.mkdir("proc", 0o755)
    mount("/proc", "proc", None, MS_BIND | MS_REC)
    return overlay, namespace is not None


def bind_writable(plan: dict[str, Any], source: str, target: str, namespace: int | None) -> None:
    try:
        bind(source, target, True, namespace)
    except OSError:
        # This file system cannot translate owners: hand the folder over instead.
        bind(source, target, True, None)
        own(plan, target.lstrip("/"))


def change_root() -> None:
    os.mkdir(".old", 0o700)
    syscall(NR_PIVOT_ROOT[os.uname().machine], b".", b".old")
    os.chdir("/")
    call(libc.umount2, b"/.old", MNT_DETACH)
    os.rmdir("/.old")


def drop(plan: dict[str, Any]) -> None:
    if plan["root"]:
        os.setgroups([])
        os.setresgid(plan["gid"], plan["gid"], plan["gid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    call(libc.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def step(name: str, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    try:
        return function(*arguments, **named)
    except OSError as error:
        raise Refused(name, error) from error


def main() -> None:
    number = int(sys.argv[1])
    channel = _socket.socket(fileno=number)
    plan = receive(channel)
    os.umask(0o022)
    try:
        step("namespaces", enter_namespaces, plan["root"])
        overlay, translated = step("mounts", make_root, plan)
        step("root", change_root)
        folders = [os.open("/workspace", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        if overlay:
            folders.append(os.open("/.disk/upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        step("privileges", drop, plan)
        send(channel, f'{{"overlay": {int(overlay)}, "translated": {int(translated)}}}', b"", folders)
        os.set_inheritable(number, True)
        step("bubblewrap", os.execv, plan["argv"][0], plan["argv"])
    except Refused as refused:
        text = str(refused).encode("utf-8", "replace")
        send(channel, f'{{"refused": "{refused.step}", "errno": {refused.errno}, "out": {len(text)}}}', text)
        sys.exit(1)


if __name__ == "__main__":
    main()
