"""A workspace in a temporary folder, without a sandbox: for tests and for trying things out on trusted code.

It keeps the contract of :class:`karkhana.ports.Workspace` (paths, changes, output bound, wall-clock limit, the
probes under their path in the sandbox) and gives **no isolation whatever**. It knows nothing of git.

>>> with TemporaryWorkspace({"cart.py": "total = 1\\n"}) as workspace:
...     workspace.write("cart.py", b"total = 2\\n")
...     [change.path for change, before, after in workspace.changes()]
['cart.py']
"""

import hashlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from karkhana.behaviour.running import PROBES
from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK, FileChange, FileState
from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.tools import CommandResult

INSIDE = Path(__file__).parent / "inside"
"""Our programs that run with the target's interpreter."""

_PROBES_HERE = str(Path(__file__).parent.parent / "behaviour" / "probes")
"""Where the probes are outside a sandbox."""
_LITTER = frozenset({".git", "__pycache__", ".pytest_cache"})


class TemporaryWorkspace:
    """A plain folder that behaves like a workspace."""

    def __init__(
        self,
        files: Mapping[str, str | bytes],
        *,
        executable: frozenset[str] = frozenset(),
        python: str = sys.executable,
        output_bytes: int = 16 << 20,
        command_timeout_s: float = 300.0,
    ) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="karkhana-workspace-"))
        self._folder = self._place / "workspace"
        for name in ("workspace", "home", "tmp"):
            (self._place / name).mkdir()
        self._python = python
        self._output_bytes = output_bytes
        self._timeout_s = command_timeout_s
        self._base: dict[str, tuple[int, bytes]] = {}
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            self.write(path, data, executable=path in executable)
            self._base[path] = (EXECUTABLE if path in executable else REGULAR, data)

    def __enter__(self) -> "TemporaryWorkspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    @property
    def root(self) -> str:
        return str(self._folder)

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run a program in the folder; its process group is killed at the end."""
        limit = self._timeout_s if timeout_s is None else timeout_s
        argv = tuple(word.replace(PROBES, _PROBES_HERE, 1) for word in argv)
        started, used = time.monotonic(), _children_cpu_s()
        try:
            process = subprocess.Popen(
                argv,
                cwd=self._folder,
                env={**self._environment(), **(env or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            return CommandResult(
                exit_code=127 if isinstance(error, FileNotFoundError) else 126,
                stdout=b"",
                stderr=f"{argv[0]}: {error.strerror}\n".encode(),
                duration_s=time.monotonic() - started,
            )
        except OSError as error:
            raise InfrastructureFailure(f"{argv[0]} could not be started: {error}") from error
        timed_out = False
        try:
            out, err = process.communicate(stdin, timeout=limit)
        except subprocess.TimeoutExpired:
            timed_out = True
            _kill_group(process.pid)
            out, err = process.communicate()
        _kill_group(process.pid)
        code = process.returncode
        return CommandResult(
            exit_code=128 - code if code < 0 else code,
            stdout=out[: self._output_bytes],
            stderr=err[: self._output_bytes],
            duration_s=time.monotonic() - started,
            cpu_s=max(_children_cpu_s() - used, 0.0),
            timed_out=timed_out,
            truncated=max(len(out), len(err)) > self._output_bytes,
        )

    def read(self, path: str) -> bytes | None:
        target = self._locate(path)
        if target.is_symlink():
            raise ToolRefused(f"{path} is a symbolic link", "read the file that it points to")
        try:
            return target.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError as error:
            raise ToolRefused(f"{path} is a folder", "name a file in it") from error

    def write(self, path: str, content: bytes | None, *, executable: bool = False) -> None:
        target = self._locate(path)
        if content is None:
            target.unlink(missing_ok=True)
            return
        if target.is_dir() or target.is_symlink():
            raise ToolRefused(f"{path} is a folder or a symbolic link", "name a plain file")
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(content)
        partial.chmod(mode | 0o111 if executable else mode)
        partial.replace(target)

    def changes(self) -> tuple[tuple[FileChange, bytes | None, bytes | None], ...]:
        current = dict(self._files())
        found = []
        for path in sorted(self._base.keys() | current.keys()):
            before, after = self._base.get(path), current.get(path)
            if before != after:
                change = FileChange(path, _state(before), _state(after))
                found.append((change, before[1] if before else None, after[1] if after else None))
        return tuple(found)

    def _files(self) -> Iterator[tuple[str, tuple[int, bytes]]]:
        for folder, folders, names in os.walk(self._folder):
            folders[:] = [name for name in folders if name not in _LITTER]
            for name in names:
                full = Path(folder, name)
                path = full.relative_to(self._folder).as_posix()
                if full.is_symlink():
                    yield path, (SYMLINK, os.fsencode(full.readlink()))
                elif full.is_file():
                    mode = EXECUTABLE if full.stat().st_mode & 0o100 else REGULAR
                    yield path, (mode, full.read_bytes())

    def _locate(self, path: str) -> Path:
        parts = path.split("/")
        if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise ToolRefused(f"{path!r} is not a path inside the workspace", "use a path relative to its root")
        folder = self._folder
        for part in parts[:-1]:
            folder = folder / part
            if folder.is_symlink():
                raise ToolRefused(f"{path} passes through a symbolic link", "use the real path")
        return folder / parts[-1]

    def _environment(self) -> dict[str, str]:
        source = [str(self._folder / "src")] if (self._folder / "src").is_dir() else []
        return {
            "PATH": f"{Path(self._python).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._place / "home"),
            # Its own: pytest clears away what earlier suites left in a shared one, for as long as that takes.
            "TMPDIR": str(self._place / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            # What is installed beside this program, and no suite in here asks for, takes most of a start of pytest.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": ":".join([*source, str(self._folder), str(INSIDE)]),
            "CI": "true",
        }


def _state(file: tuple[int, bytes] | None) -> FileState | None:
    return None if file is None else FileState(file[0], hashlib.sha256(file[1]).hexdigest())


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
