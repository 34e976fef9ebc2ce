"""Where a ticket without a test is worked on: in the sandbox, or as plain processes on a folder.

Knows how a commit becomes a workspace; knows nothing of tickets and what is written from them.

>>> with Plain(git_dir, "owner/library", data) as rooms, rooms.at("abc^") as workspace:      # doctest: +SKIP
...     workspace.read("setup.py")
"""

import subprocess
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol

import msgspec

from benchmarks.common import git
from benchmarks.mine_tickets import CONFIGURATION, History, OfflineWorkspace, environment
from karkhana.domain.events import AnyEvent
from karkhana.factory.ordering import make_order
from karkhana.factory.sandboxes import workspaces_for
from karkhana.ports import Workspace


class Rooms(Protocol):
    """Gives workspaces of one repository."""

    def __enter__(self) -> "Rooms": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def at(self, commit: str) -> AbstractContextManager[Workspace]:
        """A workspace with the files of a commit."""


class Plain:
    """Folders without isolation: only for libraries that you trust. Tests see the packages that mining installed."""

    def __init__(self, git_dir: Path, library: str, data: Path) -> None:
        self._git_dir, self._library = git_dir, library
        self._python = environment(library, data.resolve())

    def __enter__(self) -> "Plain":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def at(self, commit: str) -> AbstractContextManager[Workspace]:
        full = git(self._git_dir, "rev-parse", commit)
        files = History(self._git_dir, self._library).files(full)
        generated = CONFIGURATION["generated"].get(self._library, {})
        packages = {_folder(path) for path in files}
        more = {path: text.encode() for path, text in generated.items() if _folder(path) in packages}
        return OfflineWorkspace({**more, **files}, python=str(self._python))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


class _NoTrail:
    """Keeps nothing: what preparing a workspace says is of no interest here."""

    def record(self, event: AnyEvent) -> None:
        return None


class Sandboxed:
    """The factory's own workspaces, from a clone without its origin."""

    def __init__(self, git_dir: Path, home: Path) -> None:
        self._git_dir, self._home = git_dir, home
        self._temporary = tempfile.TemporaryDirectory(prefix="karkhana-reproduce-")
        self._folder = Path(self._temporary.name) / "repository"

    def __enter__(self) -> "Sandboxed":
        command = ["git", "clone", "--quiet", "--no-checkout", self._git_dir, self._folder]
        subprocess.run(command, check=True, capture_output=True)
        git(self._folder, "remote", "remove", "origin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    def at(self, commit: str) -> AbstractContextManager[Workspace]:
        full = git(self._folder, "rev-parse", commit)
        git(self._folder, "checkout", "--quiet", "--force", "-B", "work", full)
        order, settings = make_order("reproduce", self._folder)
        settings = msgspec.structs.replace(settings, home=self._home)
        return workspaces_for(settings, "bubblewrap").open(order.repository, full, record=_NoTrail())
