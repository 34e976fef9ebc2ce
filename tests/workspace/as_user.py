"""Runs a command as an ordinary user, with nothing of root left; started by root: ``python as_user.py UID HOME ARGV``.

The interpreter of a test machine may lie in a folder that only root can enter. In a mount namespace of its own this
program puts an open folder over such a one, with nothing in it but what is needed.
"""

import os
import sys
from pathlib import Path

from karkhana.workspace.launcher import CLONE_NEWNS, MS_BIND, MS_PRIVATE, MS_REC, call, libc, mount


def closed_ancestor(path: str) -> str | None:
    """The topmost folder above ``path`` that others may not enter."""
    for folder in reversed(Path(path).parents):
        if not folder.stat().st_mode & 0o001:
            return str(folder)
    return None


def open_up(paths: list[str]) -> None:
    """Make ``paths`` reachable for everybody."""
    needed = [(path, folder) for path in paths if (folder := closed_ancestor(path)) is not None]
    handles = {path: os.open(path, os.O_PATH) for path, _ in needed}
    for folder in {folder for _, folder in needed}:
        mount("karkhana", folder, b"tmpfs", 0, "mode=0755,size=1m")
    for path, _ in needed:
        Path(path).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{handles[path]}", path, None, MS_BIND | MS_REC)


def main() -> None:
    uid, home, *argv = sys.argv[1:]
    call(libc.unshare, CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    here = str(Path(__file__).resolve().parents[2])
    open_up(sorted({sys.base_prefix, sys.prefix, here, home}))
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    keep = ("PATH", "LANG", "PYTHONPATH")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1", "KARKHANA_TEST_AS_USER": "1"}
    os.execve(argv[0], argv, environment)


if __name__ == "__main__":
    main()
