"""Bounds the memory and the number of processes of a sandbox as a whole, where the host lets us.

Works with control groups of version 2 and of version 1. Knows nothing of what runs in a group.

>>> # group = ControlGroup.create(settings, records); group.add(process); group.limits  ->  ("memory", "pids")
"""

import contextlib
import functools
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from karkhana.domain.settings import SandboxSettings
from karkhana.workspace.processes import started

_MEGABYTE = 1 << 20
_OUR_PROCESSES = 8
"""Room for the launcher, bubblewrap and the guest besides the command's own processes."""
_NAME = re.compile(r"karkhana-(\d+)-(\d+)-[0-9a-f]+")


class ControlGroup:
    """The groups (one per hierarchy) of one sandbox. Without any, ``limits`` is empty and nothing is bounded."""

    def __init__(
        self, folders: tuple[Path, ...] = (), limits: tuple[str, ...] = (), record: Path | None = None
    ) -> None:
        self.folders = folders
        self.limits = limits
        self._record = record

    @classmethod
    def create(cls, settings: SandboxSettings, records: Path) -> "ControlGroup":
        """Make what the host allows, below the group that this process is in.

        ``records`` is a folder that remembers which groups there are, so that those of a killed owner are found,
        wherever it ran.
        """
        sweep(records)
        name = f"karkhana-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
        places = list(parents())
        if not places:
            return cls()
        records.mkdir(parents=True, exist_ok=True, mode=0o700)
        record = records / name
        record.write_text("".join(f"{parent / name}\n" for _, parent, _ in places))
        folders: list[Path] = []
        limits: list[str] = []
        for controllers, parent, version in places:
            folder = parent / name
            made = _make(folder, values(controllers, version, settings))
            if made:
                folders.append(folder)
                limits += made
        return cls(tuple(folders), tuple(limits), record)

    def add(self, process: int) -> None:
        """Move a process in; its children follow."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(process))

    def out_of_memory(self) -> int:
        """How many processes were killed because the group's memory was used up."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError, ValueError):
                    values = dict(line.split() for line in (folder / name).read_text().splitlines())
                    return int(values.get("oom_kill", 0))
        return 0

    def remove(self) -> None:
        """Take the groups away; their processes must be dead or dying."""
        for folder in self.folders:
            _remove(folder)
        if self._record is not None and not any(folder.exists() for folder in self.folders):
            self._record.unlink(missing_ok=True)
        self.folders = ()


def _make(folder: Path, values: dict[str, dict[str, str]]) -> tuple[str, ...]:
    """Make one group and set its values; the limits in force, none when the host refuses."""
    try:
        folder.mkdir()
    except OSError:
        return ()
    made = []
    for limit, files in values.items():
        try:
            for file, value in files.items():
                if (folder / file).exists():
                    (folder / file).write_text(value)
        except OSError:
            continue  # this controller is not delegated
        if any((folder / file).exists() for file in files):
            made.append(limit)
    if not made:
        _remove(folder)
    return tuple(made)


def values(controllers: frozenset[str], version: int, settings: SandboxSettings) -> dict[str, dict[str, str]]:
    # What the sandbox writes lies in memory too, so the files get their own share on top.
    memory = str((settings.memory_mb + settings.disk_mb) * _MEGABYTE)
    pids = str(settings.processes + _OUR_PROCESSES)
    values: dict[str, dict[str, str]] = {}
    if "memory" in controllers:
        one = {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory, "memory.swappiness": "0"}
        values["memory"] = {"memory.max": memory, "memory.swap.max": "0"} if version == 2 else one
    if "pids" in controllers:
        values["pids"] = {"pids.max": pids}
    return values


def parents(process: Path = Path("/proc/self")) -> Iterator[tuple[frozenset[str], Path, int]]:
    """(controllers, folder to make groups in, version) of each hierarchy that could bound the children of a process."""
    wanted = {"memory", "pids"}
    for names, mounted, path in _hierarchies(process):
        if names is None:
            own = mounted / path.lstrip("/")
            for folder in (own, own.parent):
                passed_on = _words(folder / "cgroup.subtree_control") & wanted
                if passed_on and os.access(folder, os.W_OK) and folder.is_relative_to(mounted):
                    yield frozenset(passed_on), folder, 2
                    break
        elif names & wanted:
            folder = mounted / path.lstrip("/")
            if os.access(folder, os.W_OK):
                yield frozenset(names & wanted), folder, 1


@functools.cache
def _mounts(process: Path) -> tuple[tuple[frozenset[str] | None, Path], ...]:
    """Where hierarchies are mounted: controllers (``None`` for version 2) and folder."""
    found: list[tuple[frozenset[str] | None, Path]] = []
    for line in (process / "mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.append((None, Path(folder)))
        elif kind == "cgroup":
            found.append((frozenset(options.split(",")), Path(folder)))
    return tuple(found)


def _hierarchies(process: Path) -> Iterator[tuple[frozenset[str] | None, Path, str]]:
    for line in (process / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for controllers, folder in _mounts(process):
            if names == "" if controllers is None else set(names.split(",")) <= controllers:
                yield controllers, folder, path


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def sweep(records: Path) -> None:
    """Remove groups whose owner was killed before it could."""
    if not records.is_dir():
        return
    for record in records.iterdir():
        owner = _NAME.fullmatch(record.name)
        if owner and started(int(owner[1])) != int(owner[2]):
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                folders = [Path(line) for line in record.read_text().splitlines() if line.endswith(f"/{record.name}")]
                for folder in folders:
                    _remove(folder, tries=10)
                if not any(folder.exists() for folder in folders):
                    record.unlink()


def _remove(folder: Path, *, tries: int = 100) -> None:
    for _ in range(tries):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)  # the kernel is still taking the last process out
        else:
            return
