"""A ``Run`` for tests: the probes as plain subprocesses in a temporary folder."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import karkhana.behaviour
from karkhana.behaviour.running import PROBES, Run
from karkhana.domain.tools import CommandResult

HERE = str(Path(karkhana.behaviour.__file__).parent / "probes")


class Bench:
    """A folder with a small program, and the way to run probes on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: Mapping[str, str]) -> "Bench":
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    @property
    def run(self) -> Run:
        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            words = [word.replace(PROBES, HERE, 1) for word in argv]
            words[0] = sys.executable if words[0] == "python" else words[0]
            environment = {
                "PATH": os.defpath,
                "PYTHONPATH": f"{self.root / 'src'}:{self.root}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONHASHSEED": "0",
                # Plugins that are installed beside these tests take most of a start of pytest.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            }
            started = time.monotonic()
            done = subprocess.run(
                words,
                input=stdin,
                capture_output=True,
                timeout=timeout_s,
                cwd=self.root,
                env=environment,
                check=False,
            )
            return CommandResult(
                exit_code=done.returncode,
                stdout=done.stdout,
                stderr=done.stderr,
                duration_s=time.monotonic() - started,
            )

        return run


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[Mapping[str, str]], Bench]:
    return Bench(tmp_path).write
