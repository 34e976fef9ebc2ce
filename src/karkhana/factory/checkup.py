"""What this machine needs for the factory, found by trying it: for ``karkhana doctor``.

Each check returns what it found and, when something is missing, the command that mends it.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable

import msgspec
import uv

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.settings import Settings
from karkhana.factory.stores import open_stores
from karkhana.workspace.local import fuzzer_folder
from karkhana.workspace.probe import probe

LEAST_DISK_MB = 1024


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    name: str
    ok: bool
    found: str
    next: str = ""
    """The command or step that mends it."""
    required: bool = True


def check_machine(settings: Settings) -> list[Check]:
    """Try everything that a run needs. Raises nothing: what does not work is in the list."""
    checks: list[Callable[[Settings], list[Check]]] = [_python, _git, _sandbox, _installer, _fuzzer, _database, _disk]
    return [found for check in checks for found in check(settings)]


def _python(_settings: Settings) -> list[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return [Check(name="python", ok=ok, found=version, next="" if ok else "install Python 3.11 or newer")]


def _git(_settings: Settings) -> list[Check]:
    program = shutil.which("git")
    if program is None:
        return [Check(name="git", ok=False, found="not found", next="sudo apt-get install git")]
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return [Check(name="git", ok=True, found=version.removeprefix("git version "))]


def _sandbox(settings: Settings) -> list[Check]:
    report = probe(settings.home, settings.sandbox)
    if not report.working:
        return [Check(name="sandbox", ok=False, found=report.problem, next=report.next)]
    found = f"{report.bubblewrap}, first command after {report.start_s * 1000:.0f} ms, user {report.user}"
    checks = [Check(name="sandbox", ok=True, found=found)]
    checks += [Check(name="sandbox limits", ok=False, found=text, required=False) for text in report.missing]
    return checks


def _installer(_settings: Settings) -> list[Check]:
    try:
        return [Check(name="uv", ok=True, found=str(uv.find_uv_bin()))]
    except FileNotFoundError as error:
        return [Check(name="uv", ok=False, found=str(error), next=f"{sys.executable} -m pip install uv")]


def _fuzzer(_settings: Settings) -> list[Check]:
    place = fuzzer_folder()
    if (place / "schemathesis").is_dir():
        return [Check(name="schemathesis", ok=True, found=str(place), required=False)]
    step = f"uv pip install --compile-bytecode --target {place} 'schemathesis>=4.32,<5'"
    return [Check(name="schemathesis", ok=False, found="changed endpoints are not fuzzed", next=step, required=False)]


def _database(settings: Settings) -> list[Check]:
    try:
        with open_stores(settings) as stores:
            return [Check(name="database", ok=True, found=f"{stores.database.kind}: {stores.database.where}")]
    except KarkhanaError as error:
        return [Check(name="database", ok=False, found=error.message, next=error.next)]


def _disk(settings: Settings) -> list[Check]:
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free // 1_048_576
    ok = free >= LEAST_DISK_MB
    step = "" if ok else f"free at least {LEAST_DISK_MB} MB, or set KARKHANA_HOME to a larger disk"
    return [Check(name="disk", ok=ok, found=f"{free} MB free at {place}", next=step)]
