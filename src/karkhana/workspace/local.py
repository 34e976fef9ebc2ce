"""Workspaces on this machine: a checkout of a commit with the sandbox around it.

The contract is :class:`karkhana.ports.Workspace`. It knows nothing of tools, tickets or engineers.

>>> # with LocalWorkspaces(home, environments=environments).open("shop", commit, record=trail) as workspace:
>>> #     workspace.run(("python", "-m", "pytest"))
"""

import contextlib
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from karkhana.behaviour.running import FUZZER, PROBES
from karkhana.domain.errors import UsageError
from karkhana.domain.events import Noted
from karkhana.domain.json import canonical
from karkhana.domain.settings import SandboxSettings
from karkhana.domain.tools import CommandResult
from karkhana.ports import Trail
from karkhana.workspace.base import Base
from karkhana.workspace.checkout import Checkouts
from karkhana.workspace.files import Tree
from karkhana.workspace.ignored import IgnoreRules
from karkhana.workspace.layout import INSIDE, WORKSPACE, Bind, system_path
from karkhana.workspace.plain import PlainBox
from karkhana.workspace.sandbox import Sandbox, SandboxSpec
from karkhana.workspace.scan import Changed, Scan

_BOXES: Mapping[str, type[Sandbox] | type[PlainBox]] = {"bubblewrap": Sandbox, "none": PlainBox}
_PACKAGE = Path(__file__).parent.parent


def fuzzer_folder() -> Path:
    """Where schemathesis is installed on the host, if it is: apart from Karkhana, so that no other program loads it."""
    return Path(sys.prefix) / "share" / "karkhana" / "fuzzer"


class Prepared(Protocol):
    """What a workspace needs to know of the environment that its commands run in."""

    @property
    def bin_dir(self) -> str:
        """Folder with ``python``, first on ``PATH``."""

    @property
    def version(self) -> str:
        """Of ``python``, e.g. ``3.11.7``."""

    @property
    def binds(self) -> tuple[Bind, ...]:
        """What must be visible for it."""

    def populate(self, tree: Tree, rules: IgnoreRules) -> None:
        """Put what building the repository generated into a workspace; none of it may count as a change."""


class Preparing(Protocol):
    """Makes the environment of a commit, or finds it in a cache."""

    def prepare(self, checkout: Path, *, record: Trail) -> Prepared:
        """``checkout`` holds the commit's files. Raises ``EnvironmentFailure``."""


class Box(Protocol):
    """Something that runs commands over a tree of files: a sandbox, or a plain folder without one."""

    tree: Tree
    upper: int | None

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult: ...

    def cancel(self) -> None: ...

    @property
    def root(self) -> str: ...


class LocalWorkspace:
    """A :class:`karkhana.ports.Workspace`; made by :meth:`LocalWorkspaces.open`."""

    python_version: tuple[int, int]
    """Of the interpreter that commands get as ``python``."""

    def __init__(self, box: Box, scan: Scan, python: str, place: str = "") -> None:
        self.box = box
        self.place = place
        """The same for workspaces whose environments and limits are the same; empty for one that isolates nothing."""
        major, minor = python.split(".")[:2]
        self.python_version = (int(major), int(minor))
        self._scan = scan
        self.run = box.run  # the hot path goes without another frame
        self.read = box.tree.read
        self.write = box.tree.write

    @property
    def root(self) -> str:
        return self.box.root

    def changes(self) -> tuple[Changed, ...]:
        """See the port. Raises ``ToolRefused`` when the changes are too many or too large to be one change."""
        return self._scan.changes()

    def cancel(self) -> None:
        """From any thread: end the running command and the sandbox; ``run`` raises ``RunCancelled``."""
        self.box.cancel()


class LocalWorkspaces:
    """Opens workspaces on this machine.

    ``kind`` is ``bubblewrap``, or ``none`` for no isolation at all: whoever calls must have an explicit
    acknowledgement for that. Without ``environments`` the commands get the interpreter that runs Karkhana.
    """

    def __init__(
        self,
        home: Path,
        settings: SandboxSettings | None = None,
        *,
        environments: Preparing | None = None,
        kind: str = "bubblewrap",
    ) -> None:
        if kind not in _BOXES:
            raise UsageError(f"there is no sandbox of kind {kind!r}", f"choose one of: {', '.join(_BOXES)}")
        self._home = home
        self._settings = settings or SandboxSettings()
        self._environments = environments
        self._kind = kind
        self._checkouts = Checkouts(home)

    @contextlib.contextmanager
    def open(self, repository: str, commit: str, *, record: Trail) -> Iterator[LocalWorkspace]:
        """See :class:`karkhana.ports.Workspaces`."""
        with self._checkouts.hold(repository, commit) as checkout, contextlib.ExitStack() as stack:
            prepared = self._environments.prepare(checkout, record=record) if self._environments else None
            spec = self._spec(checkout, prepared)
            box: Box = stack.enter_context(contextlib.closing(_BOXES[self._kind](spec)))
            base = Base(checkout)
            stack.callback(base.close)
            rules = IgnoreRules(self._home, checkout)
            if prepared:
                prepared.populate(box.tree, rules)
            scan = Scan(
                box.tree.folder if box.upper is None else box.upper,
                base,
                rules,
                whole=box.upper is None,
                note=lambda text: record.record(Noted(text=text)),
            )
            version = prepared.version if prepared else platform.python_version()
            yield LocalWorkspace(box, scan, version, self._place(version, prepared))

    def _place(self, version: str, prepared: Prepared | None) -> str:
        key = getattr(prepared, "key", "")
        if self._kind == "none" or not key:
            return ""
        return f"{self._kind} {version} {key} {canonical(self._settings).decode()}"

    def _spec(self, checkout: Path, prepared: Prepared | None) -> SandboxSpec:
        programs = (
            Bind(str(_PACKAGE / "behaviour" / "probes"), PROBES),
            Bind(str(_PACKAGE / "workspace" / "inside"), INSIDE),
            *((Bind(str(fuzzer_folder()), FUZZER),) if fuzzer_folder().is_dir() else ()),
        )
        sources = [f"{WORKSPACE}/src"] if (checkout / "src").is_dir() else []
        return SandboxSpec(
            home=self._home,
            settings=self._settings,
            checkout=checkout,
            binds=(*programs, *(prepared.binds if prepared else ())),
            path=((prepared.bin_dir,) if prepared else ()) + system_path(),
            env={"PYTHONPATH": ":".join([*sources, WORKSPACE, INSIDE])},
        )
