"""No sandbox: commands run as plain processes of the user, in a temporary copy of the checkout.

For hosts that cannot isolate, and only after an explicit acknowledgement. It gives **no protection**: a command can
read and change whatever the user can. It has the interface of :class:`karkhana.workspace.sandbox.Sandbox`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

from karkhana.domain.errors import RunCancelled
from karkhana.domain.tools import CommandResult
from karkhana.workspace import layout
from karkhana.workspace.files import Tree
from karkhana.workspace.processes import started
from karkhana.workspace.sandbox import SandboxSpec

_CHUNK = 1 << 16


class PlainBox:
    """A folder that commands run in without isolation."""

    upper: int | None = None

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec = spec
        self._cancelled = False
        self._process: subprocess.Popen[bytes] | None = None
        name = f"plain-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"
        self._folder = spec.home / "tmp" / name
        self._place = self._folder / "workspace"
        for private in ("home", "tmp"):
            (self._folder / private).mkdir(parents=True, mode=0o700)
        if spec.checkout is None:
            self._place.mkdir()
        else:
            shutil.copytree(spec.checkout, self._place, symlinks=True)
        self._descriptor = os.open(self._place, os.O_RDONLY | os.O_DIRECTORY)
        self.tree = Tree(self._descriptor, file_bytes=spec.settings.file_mb << 20)

    @property
    def root(self) -> str:
        return str(self._place)

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run a program in the folder; its process group is killed at the end."""
        if self._cancelled:
            raise RunCancelled
        begun, used = time.monotonic(), os.times()
        try:
            self._process = process = subprocess.Popen(
                [self._outside(argument) for argument in argv],
                cwd=self._place,
                env=self._environment(env or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            code = 127 if isinstance(error, FileNotFoundError) else 126
            text = f"{argv[0]}: {error.strerror}\n".encode()
            return CommandResult(exit_code=code, stdout=b"", stderr=text, duration_s=time.monotonic() - begun)
        limit = self._spec.settings.command_timeout_s if timeout_s is None else timeout_s
        streams = _Streams(process, stdin, self._spec.settings.output_mb << 20)
        timed_out = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            timed_out = True
        wall = time.monotonic() - begun
        _kill_group(process)
        out, err, truncated = streams.finish()
        if self._cancelled:
            raise RunCancelled
        now, code = os.times(), process.wait()
        cpu = now.children_user + now.children_system - used.children_user - used.children_system
        return CommandResult(
            exit_code=128 - code if code < 0 else code,
            stdout=out,
            stderr=err,
            duration_s=wall,
            cpu_s=cpu,
            timed_out=timed_out,
            truncated=truncated,
        )

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        # A shared temporary folder would have each pytest clear away what other suites left, for as long as that takes.
        private = {"HOME": str(self._folder / "home"), "TMPDIR": str(self._folder / "tmp")}
        path = {"PATH": ":".join(self._spec.path)}
        variables = {**layout.contents()["environment"], **private, **path, **self._spec.env, **extra}
        return {name: ":".join(self._outside(p) for p in value.split(":")) for name, value in variables.items()}

    def _outside(self, argument: str) -> str:
        """What an argument that names a place inside a sandbox is called here."""
        for inside, outside in ((layout.WORKSPACE, self.root), *((b.target, b.source) for b in self._spec.binds)):
            if argument == inside or argument.startswith(inside + "/"):
                return outside + argument[len(inside) :]
        return argument

    def cancel(self) -> None:
        """End the running command; ``run`` then raises ``RunCancelled``."""
        self._cancelled = True
        if self._process is not None:
            _kill_group(self._process)

    def close(self) -> None:
        if self._process is not None:
            _kill_group(self._process)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Streams:
    """Feeds and reads the pipes of a process, keeping output up to a bound in all."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, bound: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._room = bound
        self._lock = threading.Lock()
        self._truncated = False
        self._kept: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._threads = [
            threading.Thread(target=self._feed, args=(process.stdin, stdin), daemon=True),
            threading.Thread(target=self._read, args=(process.stdout, self._kept[0]), daemon=True),
            threading.Thread(target=self._read, args=(process.stderr, self._kept[1]), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _feed(pipe: IO[bytes], data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError), pipe:  # it does not read its input
            pipe.write(data)

    def _read(self, pipe: IO[bytes], kept: bytearray) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), _CHUNK):
                with self._lock:
                    part = data[: self._room]
                    self._room -= len(part)
                    self._truncated = self._truncated or len(part) < len(data)
                kept += part

    def finish(self) -> tuple[bytes, bytes, bool]:
        """After the process group is dead. A process that left the group may hold a pipe: it is not waited for."""
        for thread in self._threads:
            thread.join(1.0)
        return bytes(self._kept[0]), bytes(self._kept[1]), self._truncated


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
