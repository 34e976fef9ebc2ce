"""Results of gates by the content that they were measured on, kept in a folder for the next time.

A station that is repeated after a crash, or a range of commits that is scored again, need not pay for dear gates twice.
The key is the hash of all that a result rests on: the programs of the gates and their limits, the tree before the
change, the bytes after it, the ticket, the test command, the environment and the limits of the sandbox, and how each
test ended. What could not be measured is never kept, and neither is the verdict of a hard gate. A damaged, foreign or
truncated entry is none. The folder lies where no sandbox sees it; without a sandbox nothing is kept. Knows nothing of
what results are worth.

>>> # remembering(gates, Memory(home / "gates"), tree=tree)   ->   gates that look there first
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from karkhana import __version__
from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.suites import TestReport
from karkhana.ports import Gate, GateContext, Workspace
from karkhana.quality.gates.limits import all_limits
from karkhana.quality.gates.selection import rules

_LARGEST = 1 << 20
"""Bytes of one entry; a larger one is not kept."""
_ROOMS = ("quality", "behaviour", "workspace", "engineers", "factory")
"""Whose programs a result rests on."""
_SUFFIXES = (".py", ".toml")


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the memory."""

    key: str
    sha256: str
    """Of the encoded result."""
    result: msgspec.Raw


class Memory:
    """The folder. Safe to use from several processes.

    Of more than ``most`` entries the oldest go. ``programs`` stands for the code that measures; the installed one's
    hash when absent.
    """

    def __init__(self, folder: Path, *, most: int = 2000, programs: str = "") -> None:
        self._folder = folder
        self._most = most
        self.programs = programs or _programs()

    def recall(self, key: str, gate: str) -> GateResult | None:
        """What is known under a key, if that is intact and of that gate."""
        place = self._place(key)
        try:
            if place.stat().st_size > _LARGEST:
                return None
            entry = msgspec.json.decode(place.read_bytes(), type=Entry)
            if entry.key != key or entry.sha256 != hashlib.sha256(bytes(entry.result)).hexdigest():
                return None
            result = msgspec.json.decode(entry.result, type=GateResult)
        except (OSError, ValueError, RecursionError):
            return None
        return result if result.gate == gate and _worth_keeping(result) else None

    def keep(self, key: str, result: GateResult) -> None:
        """Remember a result, if it is one that may be."""
        if not _worth_keeping(result):
            return
        # A full disk, or a name that no encoding has, costs the memory and nothing else.
        with contextlib.suppress(OSError, UnicodeError):
            data = msgspec.json.encode(result)
            entry = Entry(key=key, sha256=hashlib.sha256(data).hexdigest(), result=msgspec.Raw(data))
            self._write(self._place(key), msgspec.json.encode(entry))
            self._forget_oldest()

    def _place(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _write(self, place: Path, data: bytes) -> None:
        if len(data) > _LARGEST:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = place.with_suffix(f".{secrets.token_hex(6)}.making")
        try:
            making.write_bytes(data)
            making.replace(place)
        finally:
            making.unlink(missing_ok=True)

    def _forget_oldest(self) -> None:
        found = list(self._folder.iterdir())
        if len(found) > self._most:
            dated = sorted((path.stat().st_mtime, path) for path in found)
            for _, path in dated[: len(found) - self._most * 9 // 10]:
                path.unlink(missing_ok=True)


def _worth_keeping(result: GateResult) -> bool:
    return result.status is not GateStatus.UNKNOWN and not result.hard


def remembering(gates: Iterable[Gate], memory: Memory, *, tree: str) -> tuple[Gate, ...]:
    """The gates; those worth it look into the memory first. ``tree``: object name of the tree before the change."""
    return tuple(_Remembering(gate, memory, tree) if gate.name in rules().remembered else gate for gate in gates)


class _Remembering:
    """A gate that need not measure the same change twice."""

    def __init__(self, gate: Gate, memory: Memory, tree: str) -> None:
        self.name = gate.name
        self.effort = getattr(gate, "effort", "usual")
        self.forced = getattr(gate, "forced", False)
        self._gate = gate
        self._memory = memory
        self._tree = tree

    def check(self, context: GateContext) -> GateResult:
        places = [_place_of(side) for side in (context.before, context.after)]
        if not all(places):
            return self._gate.check(context)
        key = key_of(self.name, self.effort, [self._memory.programs, self._tree, *places], context)
        known = self._memory.recall(key, self.name)
        if known is not None:
            return msgspec.structs.replace(known, summary=f"{known.summary} (remembered: measured before)")
        result = self._gate.check(context)
        self._memory.keep(key, result)
        return result


def _place_of(workspace: Workspace) -> str:
    """What identifies environment and sandbox; empty where the code under test could reach the memory."""
    return str(getattr(workspace, "place", ""))


def key_of(gate: str, effort: str, surroundings: list[str], context: GateContext) -> str:
    """The hash of everything that a gate's result rests on; ``surroundings``: programs, tree, and both workspaces."""
    files = [[f.path, *([s.mode, s.sha256] if s else [] for s in (f.before, f.after))] for f in context.change.files]
    parts: list[Any] = [gate, effort, surroundings, all_limits(), files, context.ticket.text, context.change.engineer]
    parts += [list(context.test_command), _outcomes(context.baseline), _outcomes(context.result)]
    # json and not msgspec: names that are not UTF-8 hold lone surrogates.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _outcomes(report: TestReport) -> list[Any]:
    return [report.timed_out, sorted([r.name, r.outcome.value] for r in report.results)]


@lru_cache(maxsize=1)
def _programs() -> str:
    """A hash of the code and tables that measure; with the version it changes whenever results may."""
    sums = [hashlib.sha256(__version__.encode())]
    for room in _ROOMS:
        for name, data in _files(resources.files("karkhana").joinpath(room), room):
            sums.append(hashlib.sha256(name.encode() + b"\0" + data))
    return hashlib.sha256(b"".join(one.digest() for one in sums)).hexdigest()


def _files(folder: Traversable, name: str) -> Iterable[tuple[str, bytes]]:
    for child in sorted(folder.iterdir(), key=lambda one: one.name):
        if child.is_dir():
            yield from _files(child, f"{name}/{child.name}")
        elif child.name.endswith(_SUFFIXES):
            yield f"{name}/{child.name}", child.read_bytes()
