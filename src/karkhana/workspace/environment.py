"""The virtual environment that a target's commands run in: made once per set of dependencies, then shared.

``<home>/environments/<key>/venv``, where the key is a hash of the repository's dependency files, the interpreter and
our instruments. It is built in a place of its own inside a sandbox (see :mod:`karkhana.workspace.environment_build`),
moved into place when it is complete, and read-only from then on. A repository that needs nothing gets an empty one
without any network. Knows nothing of tickets, commits or git.

>>> # Environments(home, settings.environment, settings.sandbox).prepare(checkout, record=trail).bin_dir
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from packaging.requirements import Requirement

from karkhana.domain.errors import EnvironmentFailure
from karkhana.domain.events import EnvironmentPrepared
from karkhana.domain.json import canonical, decode
from karkhana.domain.settings import EnvironmentSettings, SandboxSettings
from karkhana.ports import Trail
from karkhana.workspace import index_settings
from karkhana.workspace.environment_build import OpenBox, Site, install
from karkhana.workspace.environment_files import dependency_files, runs_own_code, sources
from karkhana.workspace.environment_generated import populate
from karkhana.workspace.environment_plan import Plan, plan
from karkhana.workspace.environment_python import (
    ENVIRONMENT,
    INSTRUMENTS,
    Python,
    describe,
    make_empty,
    write_metadata,
    write_script,
)
from karkhana.workspace.files import Tree
from karkhana.workspace.ignored import IgnoreRules
from karkhana.workspace.instruments import Instruments
from karkhana.workspace.layout import Bind
from karkhana.workspace.plain import PlainBox
from karkhana.workspace.processes import started
from karkhana.workspace.sandbox import Sandbox

_LAYOUT = 1
"""Part of every key: raise it when environments are built differently."""
_FRESH_FAILURE_S = 30.0
"""Whoever waited for a build that failed so recently gets its failure instead of another try."""
_KEPT = 32
"""Environments kept; beyond these, the ones that nobody has used for a day go."""
_IN_USE_S = 86_400.0


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment, ready for use in a sandbox."""

    key: str
    python: str
    """Path of its interpreter inside the sandbox."""
    version: str
    """Of the interpreter, e.g. ``3.11.7``."""
    bin_dir: str
    """First on ``PATH`` inside the sandbox."""
    binds: tuple[Bind, ...]
    generated: Path
    """Host folder of what building the project left in its own tree."""
    notes: tuple[str, ...] = ()
    """What could not be installed, in sentences."""
    cached: bool = False

    def populate(self, tree: Tree, rules: IgnoreRules) -> None:
        """Put what building the project generated into a workspace."""
        populate(self.generated, tree, rules)


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is written beside a finished environment."""

    notes: tuple[str, ...]


class _Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What is written in place of one whose build failed."""

    message: str
    next: str


class Environments:
    """The cache in ``home/environments``. Safe to use from several threads and processes.

    ``kind`` as for :class:`~karkhana.workspace.local.LocalWorkspaces`: with ``none`` build scripts run without any
    isolation. ``open_box`` opens the sandbox that builds run in; ``environ`` stands for this process's environment.
    """

    def __init__(
        self,
        home: Path,
        settings: EnvironmentSettings | None = None,
        sandbox: SandboxSettings | None = None,
        *,
        kind: str = "bubblewrap",
        open_box: OpenBox | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home
        self._folder = home / "environments"
        self._settings = settings or EnvironmentSettings()
        self._sandbox = sandbox or SandboxSettings()
        self._isolated = kind != "none"
        self._open_box: OpenBox = open_box or (Sandbox if self._isolated else PlainBox)
        self._environ = environ
        self._instruments = Instruments(home)

    def prepare(self, checkout: Path, *, record: Trail | None = None) -> Environment:
        """The environment for the repository whose files lie in ``checkout``; built when it is not there yet.

        Raises ``EnvironmentFailure`` (what could not be installed, and the next step), ``InvalidSetting`` and
        ``SandboxUnavailable``.
        """
        begun = time.monotonic()
        python = describe(self._settings.python)
        files, paths = dependency_files(checkout)
        wanted = plan(files, paths)
        own = runs_own_code(wanted, files)
        key = self._key(python, files, sources(checkout, native_only=not own) if wanted.compiled or own else {})
        found = self._cached(key, python)
        if found is None:
            with self._lock(key):
                # a failure counts only when it happened while we waited
                self._raise_fresh_failure(key, begun)
                found = self._cached(key, python) or self._build(key, python, checkout, wanted)
        if record is not None:
            record.record(
                EnvironmentPrepared(
                    key=key,
                    cached=found.cached,
                    python=python.version,
                    duration_s=time.monotonic() - begun,
                    notes=found.notes,
                )
            )
        return found

    def _key(self, python: Python, files: Mapping[str, bytes], sources: Mapping[str, str]) -> str:
        parts = [str(_LAYOUT), python.executable, python.version, python.tag, self._instruments.version]
        parts += [
            str(self._settings.install),
            str(self._isolated),
            *(f"{path}={name}" for path, name in sorted(sources.items())),
        ]
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape"))
        for name, content in sorted(files.items()):
            digest.update(f"\0{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
        return digest.hexdigest()[:24]

    def _cached(self, key: str, python: Python) -> Environment | None:
        place = self._folder / key
        try:
            known = decode((place / "environment.json").read_bytes(), _Record)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        os.utime(place)  # the ones used longest ago are the first to go
        return self._environment(key, python, known.notes, cached=True)

    def _environment(self, key: str, python: Python, notes: tuple[str, ...], *, cached: bool) -> Environment:
        binds = (
            Bind(str(self._folder / key / "venv"), ENVIRONMENT),
            Bind(str(self._instruments.folder()), INSTRUMENTS),
            *python.binds,
        )
        return Environment(
            key=key,
            python=f"{ENVIRONMENT}/bin/python",
            version=python.version,
            bin_dir=f"{ENVIRONMENT}/bin",
            binds=binds,
            generated=self._folder / key / "generated",
            notes=notes,
            cached=cached,
        )

    def _build(self, key: str, python: Python, checkout: Path, wanted: Plan) -> Environment:
        self._tidy()
        making = self._folder / f"making-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
        making.mkdir(mode=0o755)
        try:
            notes = self._fill(making, key, python, checkout, wanted)
            (making / "environment.json").write_bytes(canonical(_Record(notes=notes)))
            shutil.rmtree(self._folder / key, ignore_errors=True)
            making.rename(self._folder / key)
        except EnvironmentFailure as failure:
            self._failure(key).write_bytes(canonical(_Failure(message=failure.message, next=failure.next)))
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise EnvironmentFailure(f"the disk is full: {self._folder}", "free some space there") from error
            raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return self._environment(key, python, notes, cached=False)

    def _fill(self, making: Path, key: str, python: Python, checkout: Path, wanted: Plan) -> tuple[str, ...]:
        place = ENVIRONMENT if self._isolated else str(self._folder / key / "venv")
        search = INSTRUMENTS if self._isolated else str(self._instruments.folder())
        packages = make_empty(making / "venv", python, (search,), place)
        notes = (*wanted.notes, *_about_python(python))
        if self._satisfied(wanted, python):
            if wanted.static:
                write_metadata(packages, wanted.name, wanted.version or "9999.0", wanted.scripts)
                for name, target in wanted.scripts:
                    module, _, function = target.partition(":")
                    if function and "/" not in name:
                        write_script(making / "venv", name, module, function, place)
            return notes
        if not self._settings.install:
            return (*notes, "dependencies are not installed, because environment.install is off")
        site = Site(
            home=self._home,
            checkout=checkout,
            environment=making / "venv",
            generated=making / "generated",
            instruments=self._instruments.folder(),
            python=python,
            settings=self._sandbox,
            indexes=index_settings.discover(self._environ),
            timeout_s=self._settings.timeout_s,
        )
        return (*notes, *install(wanted, site, self._open_box))

    def _satisfied(self, wanted: Plan, python: Python) -> bool:
        """Whether nothing needs installing: no requirement that the instruments do not meet."""
        if wanted.empty:
            return True
        if not wanted.static:
            return False
        needs = [Requirement(need) for need in wanted.needs]
        applying = [need for need in needs if need.marker is None or need.marker.evaluate(python.markers())]
        return all(self._instruments.satisfies(need) for need in applying)

    def _failure(self, key: str) -> Path:
        return self._folder / f"{key}.failed"

    def _raise_fresh_failure(self, key: str, begun: float) -> None:
        path = self._failure(key)
        try:
            age = time.time() - path.stat().st_mtime
            known = decode(path.read_bytes(), _Failure)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        if age < min(time.monotonic() - begun, _FRESH_FAILURE_S):
            raise EnvironmentFailure(known.message, known.next)
        path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _tidy(self) -> None:
        """Drop half-made environments of dead processes, and the finished ones that were used longest ago."""
        for path in self._folder.glob("making-*"):
            _, owner, since, _ = path.name.split("-")
            if started(int(owner)) != int(since):
                shutil.rmtree(path, ignore_errors=True)
        finished = [path.parent for path in self._folder.glob("*/environment.json")]
        for place in sorted(finished, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
            if time.time() - place.stat().st_mtime > _IN_USE_S:
                shutil.rmtree(place, ignore_errors=True)


def _about_python(python: Python) -> tuple[str, ...]:
    if python.pair < (3, 9):
        return (f"pytest must come from the repository's own dependencies: ours does not run on {python.version}",)
    return ()
