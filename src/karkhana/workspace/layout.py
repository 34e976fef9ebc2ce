"""Decides what a sandbox sees: which host folders, files, variables and namespaces, as a plan for the launcher.

Pure but for looking at which system folders exist. It knows nothing of processes or of what is run.

>>> # arguments(Plan(...))  ->  ["--unshare-user", "--unshare-pid", "--unshare-net", ...]
"""

import functools
import os
import secrets
import sys
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain.errors import SandboxUnavailable
from karkhana.workspace.bubblewrap import Bubblewrap

WORKSPACE = "/workspace"
OWN = "/opt/karkhana"
GUEST = f"{OWN}/guest.pyc"
INSIDE = f"{OWN}/inside"
"""Where this room's own programs that run with the target's interpreter are found."""
INSIDE_UID = 1000

_HIGH_UID, _HIGH_UIDS = 0x70000000, 0x0FFF0000
"""User numbers that nothing allocates: above systemd's container range, below 2**31."""


class Bind(msgspec.Struct, frozen=True):
    """A host file, folder or unix socket that the sandbox sees."""

    source: str
    """Absolute host path."""
    target: str
    """Absolute path inside."""
    writable: bool = False
    """The sandbox may change it on the host. Files that it makes there belong to the user of the host's side."""


class Owner(msgspec.Struct, frozen=True):
    """Whom the processes of a sandbox belong to, as the host sees it."""

    root: bool
    """Karkhana was started by root, and leaves it for ``uid``."""
    uid: int
    gid: int

    @classmethod
    def current(cls) -> "Owner":
        """A fresh unprivileged user when started by root, so that its limits count apart; else the user itself."""
        if os.geteuid() == 0:
            uid = _HIGH_UID + secrets.randbelow(_HIGH_UIDS)
            return cls(True, uid, uid)
        return cls(False, os.getuid(), os.getgid())


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to build."""

    checkout: Path | None
    """Folder that lies under the workspace; nothing at all when absent."""
    binds: tuple[Bind, ...]
    guest: Path
    """The program that is the first process inside."""
    bubblewrap: Bubblewrap
    owner: Owner
    disk: int
    """Bytes that the sandbox may write in all."""
    inodes: int
    """Files and folders that it may create."""
    overlay: bool = True


@functools.cache
def contents() -> dict[str, Any]:
    """The data of ``layout.toml``."""
    return tomllib.loads(resources.files(__package__).joinpath("layout.toml").read_text("utf-8"))


def system_path() -> tuple[str, ...]:
    """``PATH`` of a sandbox without an environment: the interpreter that runs Karkhana, then the system's folders."""
    return (str(Path(interpreter()).parent), *contents()["path"])


def interpreter() -> str:
    """Absolute path of the interpreter that runs the launcher and the guest: the host's own, without its venv."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def interpreter_binds(prefixes: tuple[str, ...] = (sys.base_prefix, sys.base_exec_prefix)) -> tuple[Bind, ...]:
    """The folders of a Python installation, at their own paths, unless the system's folders hold them."""
    needed = []
    for prefix in sorted({os.path.realpath(p) for p in prefixes} | set(prefixes)):
        if prefix == "/":
            raise SandboxUnavailable("the Python installation fills the whole file system", "use a Python below /usr")
        if not _below_system(prefix):
            needed.append(Bind(os.path.realpath(prefix), prefix))
    return tuple(needed)


def _below_system(path: str) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in contents()["system"])


def launcher_plan(plan: Plan, staging: Path) -> dict[str, Any]:
    """The plan as the launcher reads it; it lacks only ``argv``."""
    return {
        "staging": str(staging),
        "root": plan.owner.root,
        "uid": plan.owner.uid,
        "gid": plan.owner.gid,
        "checkout": None if plan.checkout is None else str(plan.checkout),
        "overlay": plan.overlay,
        "disk": plan.disk,
        "inodes": plan.inodes,
        "binds": [(b.source, b.target, b.writable) for b in (*_system_binds(), *_own_binds(plan))],
        "files": {path: text.lstrip("\n") for path, text in contents()["files"].items()},
        "links": _system_links(),
    }


def _system_binds() -> Iterator[Bind]:
    for folder in contents()["system"]:
        if Path(folder).is_dir() and not Path(folder).is_symlink():
            yield Bind(folder, folder)
    for path in (*contents()["etc"], *contents()["devices"]):
        if Path(path).exists():
            yield Bind(os.path.realpath(path), path)


@functools.cache
def _system_links() -> dict[str, str]:
    return {f: str(Path(f).readlink()) for f in contents()["system"] if Path(f).is_symlink()}


def _own_binds(plan: Plan) -> Iterator[Bind]:
    yield Bind(str(plan.guest), GUEST)
    for folder in plan.bubblewrap.folders:
        yield Bind(str(folder), f"/.bubblewrap/{folder.name}")
    # Parents first, so that a folder never hides one that was mounted inside it.
    yield from sorted(plan.binds, key=lambda bind: bind.target.count("/"))


def bubblewrap_inside(bubblewrap: Bubblewrap) -> str:
    """Where the launcher finds bubblewrap after it has changed its root."""
    if not bubblewrap.folders:
        return str(bubblewrap.path)
    return f"/.bubblewrap/{bubblewrap.path.relative_to(bubblewrap.folders[0].parent)}"


def arguments(plan: Plan) -> list[str]:
    """Bubblewrap's arguments, without its own path, the filter and the command."""
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--as-pid-1", "--new-session", "--clearenv"),
        *("--cap-drop", "ALL", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--hostname", "sandbox"),
        *_mounts(plan),
        *("--setenv", "LANG", "C.UTF-8", "--chdir", "/"),
    ]


def _mounts(plan: Plan) -> Iterator[str]:
    for bind in _system_binds():
        if bind.target in contents()["system"]:
            yield from ("--ro-bind", bind.target, bind.target)
    for link, target in _system_links().items():
        yield from ("--symlink", target, link)
    # /etc and our own folder are put together by the launcher; one mount brings all that lies in them.
    yield from ("--ro-bind", "/etc", "/etc", "--ro-bind", OWN, OWN)
    # bubblewrap's /dev is a file system of its own without a bound, so it must not stay writable.
    yield from ("--dev", "/dev", "--bind", "/.disk/shm", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108
    yield from ("--proc", "/proc")
    for path in contents()["proc_read_only"]:
        yield from ("--ro-bind-try", path, path)
    for path in contents()["proc_hidden"]:
        if Path(path).exists():
            yield from ("--ro-bind", "/dev/null", path)
    yield from ("--bind", "/.disk/tmp", "/tmp", "--bind", WORKSPACE, WORKSPACE)  # noqa: S108
    for bind in sorted(plan.binds, key=lambda bind: bind.target.count("/")):
        if bind.target.startswith(f"{OWN}/") and not bind.writable:
            continue
        yield from ("--bind" if bind.writable else "--ro-bind", bind.target, bind.target)
    yield from ("--remount-ro", "/")
