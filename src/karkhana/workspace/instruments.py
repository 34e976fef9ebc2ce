"""What our tests runs need inside a target's environment: pytest, coverage, and our own reporting programs.

pytest and coverage are copied once from our own installation, so that a target without them works offline. They come
last on the target's path: its own versions win. Knows nothing of targets.

>>> # Instruments(home).folder()  ->  <home>/instruments/<version>
"""

import compileall
import fcntl
import hashlib
import importlib.metadata
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement

from karkhana.domain.errors import InfrastructureFailure

ROOTS = ("pytest", "coverage")
INSIDE = Path(__file__).parent / "inside"
_OURS = ("karkhana_progress.py", "karkhana_report.py", "karkhana_unittest.py", "karkhana_plugins.json")
_COMPILED = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "coverage")
_COMPILED_ALONE = ("pygments", "pygments/filters", "pygments/formatters", "pygments/styles")
"""Folders compiled without those in them."""
_LEXERS = ("__init__", "_mapping", "diff", "python")
"""Of pygments' 250 lexers, those that pytest loads at every start."""


class Instruments:
    """The folder of instruments in ``home``."""

    def __init__(self, home: Path) -> None:
        self._home = home / "instruments"
        self._distributions = {_normal(found.name): found for found in _closure(ROOTS)}

    @property
    def version(self) -> str:
        """Changes whenever the content does."""
        names = [f"{name}=={found.version}" for name, found in sorted(self._distributions.items())]
        ours = [(INSIDE / name).read_bytes() for name in _OURS]
        tag = f"{sys.implementation.cache_tag}\n" + "\n".join(names)
        return hashlib.sha256(b"\0".join([tag.encode(), *ours])).hexdigest()[:16]

    def satisfies(self, requirement: Requirement) -> bool:
        """Whether the instruments alone meet a requirement of the target."""
        found = self._distributions.get(_normal(requirement.name))
        if found is None or requirement.extras or requirement.url:
            return False
        return requirement.specifier.contains(found.version, prereleases=True)

    def folder(self) -> Path:
        """The folder, made if need be; safe to call from several processes."""
        target = self._home / self.version
        if target.is_dir():
            return target
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._home / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.is_dir():
                self._make(target)
        return target

    def _make(self, target: Path) -> None:
        for leftover in self._home.glob(".making-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=self._home))
        try:
            for name, found in self._distributions.items():
                if not _copy(found, making):
                    raise InfrastructureFailure(
                        f"the files of {name} are not recorded in this installation",
                        "install Karkhana again with pip or uv",
                    )
            for ours in _OURS:
                shutil.copyfile(INSIDE / ours, making / ours)
            for package in _COMPILED:
                compileall.compile_dir(making / package, quiet=2)
            for package in _COMPILED_ALONE:
                compileall.compile_dir(making / package, quiet=2, maxlevels=0)
            for lexer in _LEXERS:
                compileall.compile_file(making / "pygments" / "lexers" / f"{lexer}.py", quiet=2)
            for module in making.glob("*.py"):
                compileall.compile_file(module, quiet=2)
            making.chmod(0o755)
            making.rename(target)
        except OSError as error:
            raise InfrastructureFailure(
                f"{target} cannot be made: {error}", "free some space in Karkhana's home"
            ) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _closure(names: tuple[str, ...]) -> Iterator[Distribution]:
    """The distributions of ``names`` and everything that they need here."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = _normal(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        found = importlib.metadata.distribution(name)
        yield found
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)


def _copy(found: Distribution, target: Path) -> bool:
    """Copy the importable files of a distribution; whether there were any."""
    root = Path(str(found.locate_file("")))
    count = 0
    for file in found.files or ():
        relative = Path(file)
        if relative.is_absolute() or ".." in relative.parts or relative.parts[0] == "__pycache__":
            continue  # scripts, and what lies outside of the folder
        source = root / relative
        if source.is_file():
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / relative)
            count += 1
    return count > 0


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
