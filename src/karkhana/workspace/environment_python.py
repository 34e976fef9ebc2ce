"""The interpreter that a target's environment stands on, and an empty environment made by hand.

An empty virtual environment is a few links and two small files, so it is written here in a millisecond instead of
being made by a tool. Knows nothing of what is installed into it.

>>> describe(None).version == ".".join(map(str, sys.version_info[:3]))
True
"""

import functools
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.workspace.layout import Bind, interpreter, interpreter_binds

ENVIRONMENT = "/opt/karkhana/environment"
"""Where a sandbox finds the target's environment."""
INSTRUMENTS = "/opt/karkhana/instruments"
"""Where a sandbox finds pytest and coverage for targets that have none of their own."""

_SCRIPT = re.compile(r"\w[\w.-]*")

_ASK = """
import json, os, platform, sys
print(json.dumps([os.path.realpath(getattr(sys, "_base_executable", sys.executable)), platform.python_version(),
                  sys.base_prefix, sys.base_exec_prefix, sys.implementation.cache_tag]))
"""


class Python(msgspec.Struct, frozen=True):
    """One installed interpreter."""

    executable: str
    """Real path, outside of any virtual environment."""
    version: str
    """E.g. ``3.11.7``."""
    prefixes: tuple[str, str]
    tag: str
    """E.g. ``cpython-311``."""

    @property
    def pair(self) -> tuple[int, int]:
        """``(major, minor)``."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def binds(self) -> tuple[Bind, ...]:
        """What a sandbox must see to run it."""
        return interpreter_binds(self.prefixes)

    def markers(self) -> dict[str, str]:
        """What requirement markers are to be judged by."""
        short = ".".join(map(str, self.pair))
        return {"python_version": short, "python_full_version": self.version, "extra": ""}


@functools.lru_cache(maxsize=8)
def describe(executable: str | None) -> Python:
    """The interpreter named by the setting, or the one that runs Karkhana. Raises ``InvalidSetting``."""
    if executable is None:
        tag = sys.implementation.cache_tag or "python"
        return Python(interpreter(), platform.python_version(), (sys.base_prefix, sys.base_exec_prefix), tag)
    argv = [executable, "-I", "-S", "-c", _ASK]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=30, check=True, cwd="/")
        path, version, prefix, exec_prefix, tag = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InvalidSetting(
            f"environment.python names {executable}, which does not run as a Python interpreter: {error}",
            "name the path of one, e.g. /usr/bin/python3.12",
        ) from error
    return Python(path, version, (prefix, exec_prefix), tag)


def make_empty(folder: Path, python: Python, search: Iterable[str], place: str = ENVIRONMENT) -> Path:
    """Write an empty environment into the new ``folder``; returns its folder of packages.

    ``search``: folders that its interpreter searches after its own packages; ``place``: where it will be found.
    """
    major, minor = python.pair
    packages = folder / f"lib/python{major}.{minor}/site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(python.executable)
    for name in ("python3", f"python{major}.{minor}"):
        (folder / "bin" / name).symlink_to("python")
    settings = {
        "home": str(Path(python.executable).parent),
        "include-system-site-packages": "false",
        "version": python.version,
    }
    (folder / "pyvenv.cfg").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    (packages / "zz_karkhana_instruments.pth").write_text("".join(f"{place}\n" for place in search))
    for name, module in (("pytest", "pytest"), ("coverage", "coverage.cmdline")):
        write_script(folder, name, module, "console_main" if name == "pytest" else "main", place)
    return packages


def write_script(folder: Path, name: str, module: str, function: str, place: str = ENVIRONMENT) -> None:
    """A program in the environment's ``bin`` that calls a function; it never takes the interpreter's place."""
    path = folder / "bin" / name
    if not _SCRIPT.fullmatch(name) or path.is_symlink():
        return  # a repository chooses the name, and writing through the link would overwrite the host's interpreter
    path.write_text(
        f"#!{place}/bin/python\nimport sys\n\nfrom {module} import {function.partition('.')[0]}\n\n"
        f"sys.exit({function}())\n"
    )
    path.chmod(0o755)


def write_metadata(packages: Path, name: str, version: str, scripts: tuple[tuple[str, str], ...]) -> None:
    """What installing a project leaves behind for ``importlib.metadata``; its code is found by ``PYTHONPATH``."""
    folder = packages / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("karkhana\n")
    if scripts:
        lines = "".join(f"{key} = {value}\n" for key, value in scripts)
        (folder / "entry_points.txt").write_text(f"[console_scripts]\n{lines}")
