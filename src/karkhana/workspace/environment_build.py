"""Installs a plan into an environment, inside a sandbox whose only way out leads to the package indexes.

Build scripts of the target and of its dependencies run here; they see the checkout, the new environment and nothing
of the host. Knows nothing of caching.
"""

import contextlib
import functools
import json
import os
import re
import secrets
import shutil
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import msgspec
import uv

from karkhana.domain.errors import EnvironmentFailure, RunCancelled
from karkhana.domain.settings import SandboxSettings
from karkhana.domain.tools import CommandResult
from karkhana.workspace.environment_generated import BoxFiles, collect
from karkhana.workspace.environment_plan import Arguments, Plan
from karkhana.workspace.environment_python import ENVIRONMENT, INSTRUMENTS, Python
from karkhana.workspace.index_proxy import IndexProxy
from karkhana.workspace.index_settings import IndexSettings
from karkhana.workspace.layout import INSIDE, Bind, system_path
from karkhana.workspace.processes import started
from karkhana.workspace.sandbox import SandboxSpec

UV = "/opt/karkhana/uv"
SOCKET = "/run/karkhana-index"
PORT = 8719
SHOWN_LINES = 12
_FREE_FLOOR = 512 << 20
"""Bytes that a build must leave free on the disk that holds the environment."""
_OTHER_PYTHON = re.compile(r"does not satisfy Python|requires Python|python_requires")
_TEST_EXTRAS = ("test", "tests", "testing")
_ASK_EXTRAS = """
import importlib.metadata, json
found = {}
for each in importlib.metadata.distributions(path=[p for p in __import__("sys").path if "site-packages" in p]):
    direct = each.read_text("direct_url.json") or "{}"
    if json.loads(direct).get("dir_info", {}).get("editable"):
        found[each.metadata["Name"]] = each.metadata.get_all("Provides-Extra") or []
print(json.dumps(sum(found.values(), [])))
"""


class Box(BoxFiles, Protocol):
    """A sandbox, as much of it as an installation needs."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class OpenBox(Protocol):
    """Opens one."""

    def __call__(self, spec: SandboxSpec) -> Box: ...


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where and with what an environment is built."""

    home: Path
    checkout: Path
    environment: Path
    """Host folder of the new environment; writable from inside."""
    generated: Path
    """Host folder for what builds leave in the project's own tree."""
    instruments: Path
    python: Python
    settings: SandboxSettings
    indexes: IndexSettings
    timeout_s: float


def install(plan: Plan, site: Site, open_box: OpenBox) -> tuple[str, ...]:
    """Carry out the plan; what had to be left out, in sentences. Raises ``EnvironmentFailure``."""
    with contextlib.ExitStack() as stack:
        socket = stack.enter_context(_own_folder(site.home)) / "index"
        proxy = stack.enter_context(IndexProxy(site.indexes, socket))
        box = stack.enter_context(contextlib.closing(open_box(_spec(site, socket))))
        watch = stack.enter_context(_DiskWatch(box, site.environment))
        try:
            notes = _Installer(box, proxy, site).carry_out(plan)
        except RunCancelled as signal:
            if watch.full:
                raise EnvironmentFailure(
                    "installing the dependencies would have filled the disk", f"free some space below {site.home}"
                ) from signal
            raise
        return (*notes, *collect(box, site.checkout, site.home, site.generated))


class _Installer:
    """Runs uv in the sandbox until the plan is carried out."""

    def __init__(self, box: Box, proxy: IndexProxy, site: Site) -> None:
        self._box = box
        self._proxy = proxy
        self._site = site
        self._deadline = time.monotonic() + site.timeout_s

    def carry_out(self, plan: Plan) -> tuple[str, ...]:
        optional = (*plan.optional, *self._customary(plan))
        notes: list[str] = []
        everything = _joined((*plan.required, *optional))
        if everything and (done := self._uv(everything)).exit_code != 0:
            if optional and plan.required:
                done = self._uv(_joined(plan.required))
            if plan.required and done.exit_code != 0:
                return self._without_project(plan, done)
            notes += self._one_by_one(optional)
        if plan.discover_extras and not any(arguments[0] == "-e" for arguments in plan.optional):
            notes += self._one_by_one(self._found_extras())
        self._finish()
        return tuple(notes)

    def _without_project(self, plan: Plan, done: CommandResult) -> tuple[str, ...]:
        """Go on with what the project states, when only its own build is at fault; its sources are found anyway."""
        failure = self._failure(done)
        if plan.fallback is None or _OTHER_PYTHON.search(failure.message):
            raise failure
        reason = " ".join(self._words(done, 3))
        try:
            notes = self.carry_out(plan.fallback)
        except EnvironmentFailure:
            raise failure from None
        return (f"the project itself could not be installed, only what it needs: {reason}", *notes)

    def _one_by_one(self, optional: tuple[Arguments, ...]) -> Iterator[str]:
        for arguments in optional:
            done = self._uv(arguments)
            if done.exit_code != 0:
                yield f"{' '.join(arguments)} could not be installed: {' '.join(self._words(done, 3))}"

    def _customary(self, plan: Plan) -> tuple[Arguments, ...]:
        # environments came with setuptools until Python 3.12, and projects of that time import it unasked
        return (("setuptools<81",),) if plan.discover_extras and self._site.python.pair < (3, 12) else ()

    def _found_extras(self) -> tuple[Arguments, ...]:
        done = self._run((f"{ENVIRONMENT}/bin/python", "-I", "-c", _ASK_EXTRAS))
        try:
            extras = json.loads(done.stdout)
        except ValueError:
            return ()
        chosen = [extra for extra in extras if extra in _TEST_EXTRAS] if isinstance(extras, list) else []
        return (("-e", f".[{','.join(sorted(chosen))}]"),) if chosen else ()

    def _uv(self, arguments: Arguments) -> CommandResult:
        options = self._proxy.installer_options(PORT)
        forward = (f"{ENVIRONMENT}/bin/python", "-I", "-S", f"{INSIDE}/forward.py", str(PORT), SOCKET)
        argv = (*forward, UV, "pip", "install", "--python", f"{ENVIRONMENT}/bin/python", *options)
        done = self._run((*argv, *arguments))
        if done.exit_code == 0:
            return done
        text = done.stderr.decode("utf-8", "replace")
        for remedy in _data()["remedies"]:
            if re.search(remedy["pattern"], text):
                place = "/tmp/build-constraints"  # noqa: S108 - a name inside the sandbox
                self._run(("sh", "-c", 'printf "%s\\n" "$1" > "$2"', "sh", remedy["constraint"], place))
                return self._run((*argv, "--build-constraints", place, *arguments))
        return done

    def _run(self, argv: tuple[str, ...]) -> CommandResult:
        left = self._deadline - time.monotonic()
        done = self._box.run(argv, timeout_s=max(left, 0.1))
        if done.timed_out or left <= 0:
            raise EnvironmentFailure(
                f"installing the dependencies took longer than {self._site.timeout_s:g} s",
                "raise environment.timeout_s, or look at what it waited for:\n" + "\n".join(self._words(done)),
            )
        return done

    def _finish(self) -> None:
        """Compile what was installed (the environment is read-only later) and drop the installer's cache."""
        python = f"{ENVIRONMENT}/bin/python"
        self._run((python, "-I", "-m", "compileall", "-q", "-j", "2", f"{ENVIRONMENT}/lib"))
        self._run(("rm", "-rf", _data()["variables"]["UV_CACHE_DIR"]))

    def _failure(self, done: CommandResult) -> EnvironmentFailure:
        lines = self._words(done)
        text = "\n".join(lines)
        if _OTHER_PYTHON.search(text):
            step = "set environment.python to an interpreter that the repository supports"
        elif self._proxy.problems:
            step = "; ".join(self._proxy.problems)
        else:
            step = "mend the repository's dependency files, or set environment.install = false to work without them"
        return EnvironmentFailure(f"the dependencies of the repository cannot be installed:\n{text}", step)

    @staticmethod
    def _words(done: CommandResult, most: int = SHOWN_LINES) -> list[str]:
        text = (done.stderr or done.stdout).decode("utf-8", "replace")
        text = re.sub(rf"http://127\.0\.0\.1:{PORT}/(index|links)/\d+/", "<package index>/", text)
        lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("Using Python ")]
        return lines[-most:]


class _DiskWatch:
    """Ends the box when the disk under ``folder`` runs full: the environment is the one thing that is not bounded."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.full = False
        self._box = box
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_DiskWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            state = os.statvfs(self._folder)
            if state.f_bavail * state.f_frsize < _FREE_FLOOR or (state.f_files and not state.f_favail):
                self.full = True
                self._box.cancel()
                return


def _joined(parts: tuple[Arguments, ...]) -> Arguments:
    """All in one call, so that they are resolved together; the bare project gives way to the one with extras."""
    with_extras = any(part[0] == "-e" and part[1] != "." for part in parts)
    return tuple(word for part in parts if not (with_extras and part == ("-e", ".")) for word in part)


def _spec(site: Site, socket: Path) -> SandboxSpec:
    package = Path(__file__).parent
    binds = (
        Bind(str(site.environment), ENVIRONMENT, writable=True),
        Bind(str(site.instruments), INSTRUMENTS),
        Bind(str(package / "inside"), INSIDE),
        Bind(os.path.realpath(uv.find_uv_bin()), UV),
        Bind(str(socket), SOCKET, writable=True),
        *site.python.binds,
    )
    settings = site.settings
    return SandboxSpec(
        home=site.home,
        settings=msgspec.structs.replace(
            settings, file_mb=max(settings.file_mb, 4096), cpu_s=max(settings.cpu_s, int(site.timeout_s))
        ),
        checkout=site.checkout,
        binds=binds,
        path=(f"{ENVIRONMENT}/bin", *system_path()[1:]),
        env=_data()["variables"],
    )


@contextlib.contextmanager
def _own_folder(home: Path) -> Iterator[Path]:
    # the name tells whoever tidies up whether its owner still lives
    folder = home / "tmp" / f"index-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _data() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("environment.toml").read_text("utf-8"))
