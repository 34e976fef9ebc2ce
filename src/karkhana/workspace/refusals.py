"""Turns what a host refuses when a sandbox starts into an error with the command that helps.

Knows nothing of how sandboxes are made.
"""

import errno
from pathlib import Path

from karkhana.domain.errors import SandboxUnavailable

_KERNEL = Path("/proc/sys")
_ASK = "see what works here with: karkhana doctor   (or pass --sandbox none with its acknowledgement flag)"


def explain(step: str, number: int, message: str) -> SandboxUnavailable:
    """``step`` is the launcher's word for what failed: namespaces, mounts, root, privileges or bubblewrap."""
    return SandboxUnavailable(f"the sandbox cannot start ({message})", remedy(step, number))


def remedy(step: str, number: int, kernel: Path = _KERNEL) -> str:
    """The next step for a person; ``kernel`` is where the kernel's settings are read."""
    if _setting(kernel / "kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "allow user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _setting(kernel / "kernel/unprivileged_userns_clone") == "0":
        return "allow user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1"
    if _setting(kernel / "user/max_user_namespaces") == "0":
        return "allow user namespaces: sudo sysctl user.max_user_namespaces=10000"
    if number in (errno.EPERM, errno.EACCES) and step in ("namespaces", "mounts", "root"):
        return "in a container: start it with --security-opt seccomp=unconfined --cap-add SYS_ADMIN; else " + _ASK
    return _ASK


def _setting(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
