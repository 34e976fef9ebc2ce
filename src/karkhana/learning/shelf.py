"""Where strategies are kept: those that ship, and the user's own in ``KARKHANA_HOME/strategies``.

A person writes ``NAME.toml``; what was proposed is ``NAME@VERSION.json``, with what became of it and the figures. The
ones that ship are never changed, but may be retired like the others. Knows nothing of how strategies are chosen.

>>> # Shelf(home, shipped()).usable(TaskType.BUGFIX)
"""

import enum
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from karkhana.domain.errors import InvalidInput, InvalidSetting
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import TaskType

T = TypeVar("T")
_BYTES = 100_000
"""Of one file, at most."""
_RETIRED = "retired.json"


class Standing(enum.StrEnum):
    """What became of a strategy."""

    SHIPPED = "shipped"
    WRITTEN = "written"
    """By a person."""
    ADMITTED = "admitted"
    REJECTED = "rejected"
    RETIRED = "retired"

    @property
    def usable(self) -> bool:
        """Whether it may be chosen."""
        return self in (Standing.SHIPPED, Standing.WRITTEN, Standing.ADMITTED)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How a proposed strategy did on held-out tickets, beside the one that it was to improve on."""

    against: str
    tickets: int
    wins: int
    """Tickets that only the proposed one got right."""
    losses: int
    """Tickets that only the other one got right."""
    p_value: float
    """One-sided, exact sign test."""
    level: float
    """Below which it is admitted."""
    cost_usd: float = 0.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy with what became of it."""

    strategy: Strategy
    standing: Standing
    pattern: str = ""
    """The pattern of failures that it was drafted for."""
    author: str = ""
    """``catalogue``, or the model that drafted it."""
    at: float = 0.0
    """Seconds since the epoch."""
    figures: Figures | None = None


class Shelf:
    """All strategies of one ``KARKHANA_HOME``."""

    def __init__(self, home: Path, shipped: Sequence[Strategy]) -> None:
        self._folder = home / "strategies"
        self._shipped = shipped

    def all(self) -> tuple[Kept, ...]:
        """Those that ship first. Raises ``InvalidSetting`` for a file that cannot be read."""
        kept = [Kept(strategy=each, standing=Standing.SHIPPED) for each in self._shipped]
        kept += [Kept(strategy=_read(file, Strategy), standing=Standing.WRITTEN) for file in self._files("toml")]
        kept += [_read(file, Kept) for file in self._files("json") if file.name != _RETIRED]
        retired = self._retired()
        return tuple(
            msgspec.structs.replace(each, standing=Standing.RETIRED)
            if each.strategy.key in retired and each.standing.usable
            else each
            for each in kept
        )

    def usable(self, type: TaskType) -> tuple[Strategy, ...]:
        """What may be chosen for a type of task: of each name the newest version; at least one."""
        newest: dict[str, Strategy] = {}
        for each in self.all():
            strategy, before = each.strategy, newest.get(each.strategy.name)
            if each.standing.usable and strategy.suits(type) and (before is None or strategy.version > before.version):
                newest[strategy.name] = strategy
        return tuple(newest.values()) or tuple(self._shipped[:1])

    def get(self, name: str) -> Kept:
        """By ``NAME@VERSION``, or the newest one of ``NAME``. Raises ``InvalidInput`` if there is none."""
        every = self.all()
        found = [each for each in every if name in (each.strategy.name, each.strategy.key)]
        if not found:
            names = ", ".join(each.strategy.key for each in every)
            raise InvalidInput(f"there is no strategy {name!r}", f"There are: {names}.")
        return max(found, key=lambda each: (each.standing.usable, each.strategy.version))

    def keep(self, kept: Kept) -> None:
        """Write a proposed strategy down. Raises ``InvalidInput`` if there is one of that name and version."""
        if any(each.strategy.key == kept.strategy.key for each in self.all()):
            raise InvalidInput(f"there is a strategy {kept.strategy.key} already", "Give it another version.")
        self._write(f"{kept.strategy.key}.json", msgspec.json.format(msgspec.json.encode(kept)))

    def retire(self, name: str) -> Kept:
        """Choose a strategy no more. Raises ``InvalidInput`` if there is none, or if no other one is left."""
        kept = self.get(name)
        others = [e for e in self.all() if e.standing.usable and e.strategy.key != kept.strategy.key]
        if not others:
            raise InvalidInput(f"{kept.strategy.key} is the last strategy that is in use", "Add another one first.")
        self._write(_RETIRED, msgspec.json.encode(sorted(self._retired() | {kept.strategy.key})))
        return msgspec.structs.replace(kept, standing=Standing.RETIRED)

    def next_version(self, name: str) -> int:
        """Of a name, from 1."""
        return 1 + max((e.strategy.version for e in self.all() if e.strategy.name == name), default=0)

    def _files(self, suffix: str) -> list[Path]:
        return sorted(self._folder.glob(f"*.{suffix}")) if self._folder.is_dir() else []

    def _retired(self) -> set[str]:
        file = self._folder / _RETIRED
        return set(_read(file, list[str])) if file.is_file() else set()

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        made = self._folder / f".{name}.{os.getpid()}"
        made.write_bytes(content)
        made.replace(self._folder / name)


def _read(file: Path, kind: type[T]) -> T:
    try:
        content = file.read_bytes()
        if len(content) > _BYTES:
            raise InvalidSetting(f"{file} is too large for a strategy", "Correct it, or move it away.")
        decode = msgspec.toml.decode if file.suffix == ".toml" else msgspec.json.decode
        return decode(content, type=kind)
    except (OSError, UnicodeError, msgspec.MsgspecError) as error:
        raise InvalidSetting(f"{file} is no strategy: {error}", "Correct it, or move it away.") from error
