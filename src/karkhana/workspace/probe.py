"""Tries the sandbox on this host and reports what protects it here, for ``karkhana doctor``.

It knows nothing of terminals.

>>> # probe(home).working  ->  True
"""

import time
from pathlib import Path

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.settings import SandboxSettings
from karkhana.workspace import bubblewrap
from karkhana.workspace.sandbox import Sandbox, SandboxSpec


class SandboxReport(msgspec.Struct, frozen=True, kw_only=True):
    """What works here."""

    working: bool
    """A command ran, and every protection that cannot be done without was seen to hold."""
    bubblewrap: str = ""
    """Path and version."""
    overlay: bool = False
    """Workspaces are overlays; otherwise each one is a copy of the repository."""
    limits: tuple[str, ...] = ()
    """``memory`` and ``pids`` bound the sandbox as a whole; ``rlimits`` each process."""
    user: int = -1
    """User number that sandboxed processes have on the host."""
    start_s: float = 0.0
    """Seconds until the first command had run."""
    missing: tuple[str, ...] = ()
    """Protections that this host does not give, in words."""
    problem: str = ""
    next: str = ""


def probe(home: Path, settings: SandboxSettings | None = None) -> SandboxReport:
    """Start a sandbox, look around in it, and close it. Never raises for what this host lacks."""
    begun = time.monotonic()
    # Karkhana's own program folder stands in for a repository: it is there on every host.
    spec = SandboxSpec(home=home, settings=settings or SandboxSettings(), checkout=Path(__file__).parent / "inside")
    try:
        with Sandbox(spec) as sandbox:
            status = _show(sandbox, "/proc/self/status")
            took = time.monotonic() - begun
            found = bubblewrap.find()
            lost = broken(status, _show(sandbox, "/proc/net/dev"))
            return SandboxReport(
                working=not lost,
                bubblewrap=f"{found.path} {'.'.join(map(str, found.version))}",
                overlay=sandbox.upper is not None,
                limits=sandbox.limits_in_force,
                user=sandbox.owner.uid,
                start_s=took,
                missing=(*lost, *_weaker(sandbox)),
                problem="; ".join(lost),
                next="do not use the sandbox on this host; report this with the output of: karkhana doctor --json"
                if lost
                else "",
            )
    except KarkhanaError as error:
        return SandboxReport(working=False, problem=error.message, next=error.next)


def _show(sandbox: Sandbox, path: str) -> list[str]:
    return sandbox.run(("cat", path), timeout_s=30).stdout.decode("utf-8", "replace").splitlines()


def broken(status: list[str], network: list[str]) -> tuple[str, ...]:
    """Protections that must hold and do not, judged from ``/proc`` inside."""
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    interfaces = {line.partition(":")[0].strip() for line in network[2:]}
    checks = {
        "system calls are not filtered": fields.get("Seccomp") == "2",
        "privileges can be gained": fields.get("NoNewPrivs") == "1",
        "capabilities are left": not any(int(fields.get(f"Cap{kind}", "1"), 16) for kind in ("Prm", "Eff", "Bnd")),
        "the network is reachable": interfaces == {"lo"},
        "commands run as root": "0" not in fields.get("Uid", "0").split(),
    }
    return tuple(text for text, holds in checks.items() if not holds)


def _weaker(sandbox: Sandbox) -> tuple[str, ...]:
    weaker = []
    if sandbox.upper is None:
        weaker.append("no overlay file system: each workspace is a copy of the repository")
    if "memory" not in sandbox.limits_in_force:
        weaker.append("no memory control group: memory is bounded for each process, not for all together")
    if "pids" not in sandbox.limits_in_force:
        weaker.append("no process control group: processes are bounded by RLIMIT_NPROC alone")
    return tuple(weaker)
