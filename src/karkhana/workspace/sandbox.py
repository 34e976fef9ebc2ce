"""A sandbox: an isolated place that runs one command after another until it is closed.

It knows nothing of repositories, environments or tools. :class:`LocalWorkspaces` and the preparation of
environments both stand on it.

>>> # with Sandbox(SandboxSpec(home=home)) as box: box.run(("id", "-u")).stdout  ->  b"1000\\n"

Processes: host → launcher (mounts, drops privileges) → bubblewrap (namespaces) → guest (PID 1 inside). The host talks
to the guest over a socket pair; each command costs it one send and one receive. When the host goes away, even by
SIGKILL, the socket closes, the guest exits, and the kernel ends everything that lived inside.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from karkhana.domain.errors import InfrastructureFailure, RunCancelled, SandboxUnavailable
from karkhana.domain.settings import SandboxSettings
from karkhana.domain.tools import CommandResult
from karkhana.workspace import bubblewrap, layout, seccomp
from karkhana.workspace.bubblewrap import Bubblewrap
from karkhana.workspace.cgroup import ControlGroup
from karkhana.workspace.channel import Channel, ChannelClosed
from karkhana.workspace.files import Tree
from karkhana.workspace.layout import WORKSPACE, Bind, Owner
from karkhana.workspace.programs import compiled
from karkhana.workspace.refusals import explain

_START_S = 60.0
_GRACE_S = 15.0
"""How long after a command's time limit the guest may take to clean up and answer."""
_MEGABYTE = 1 << 20
_STACK = 64 * _MEGABYTE
_OPEN_FILES = 4096


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox is to be like."""

    home: Path
    """Karkhana's own folder; the sandbox never sees it."""
    settings: SandboxSettings = SandboxSettings()
    checkout: Path | None = None
    """Folder under ``/workspace``; it is never written to. An empty workspace when absent."""
    binds: tuple[Bind, ...] = ()
    """More host files, folders and unix sockets to show, read-only unless ``writable``."""
    path: tuple[str, ...] = layout.system_path()
    """Folders of ``PATH``."""
    env: Mapping[str, str] = {}
    """Added to the cleared environment of every command."""
    overlay: bool = True
    """Off: copy the checkout instead of laying an overlay over it."""
    bubblewrap: Bubblewrap | None = None
    """The one to use; the system's, else the packaged one, when absent."""


class Sandbox:
    """One running sandbox. Raises ``SandboxUnavailable`` when this host cannot give one.

    ``run`` may be called from several threads, one command at a time; ``cancel`` from any thread at any time.
    ``rules`` is the compiled system call filter, the whole list by default.
    """

    tree: Tree
    """The files of ``/workspace``."""
    upper: int | None = None
    """Descriptor of the folder that holds only what was changed; ``None`` when the checkout was copied."""

    def __init__(self, spec: SandboxSpec, *, rules: bytes | None = None) -> None:
        self.spec = spec
        self.owner = Owner.current()
        self._turn = threading.Lock()
        self._cancelled = self._broken = False
        self._process: subprocess.Popen[bytes] | None = None
        self._guest: int | None = None
        self._log = os.memfd_create("sandbox-log", os.MFD_CLOEXEC)
        self._descriptors: list[int] = [self._log]
        self._channel, theirs = Channel.pair()
        self.group = ControlGroup()
        try:
            self.group = ControlGroup.create(spec.settings, spec.home / "groups")
            with theirs:
                self._start(theirs, seccomp.program() if rules is None else rules)
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> str:
        """The workspace's folder as processes inside see it."""
        return WORKSPACE

    @property
    def limits_in_force(self) -> tuple[str, ...]:
        """What bounds the sandbox as a whole (``memory``, ``pids``) besides the limits of each process."""
        return (*self.group.limits, "rlimits")

    def _start(self, theirs: socket.socket, program: bytes) -> None:
        try:
            self._launch(theirs, program)
            self._meet_launcher()
            self._meet_guest()
            self._channel.send(self._setup())
        except ChannelClosed as error:
            raise explain("bubblewrap", 0, self._last_words() or "no answer") from error
        except OSError as error:
            raise InfrastructureFailure(f"the sandbox cannot start: {error}", "see: karkhana doctor") from error

    def _launch(self, theirs: socket.socket, program: bytes) -> None:
        plan = self._plan()
        staging = self.spec.home / "staging"
        staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        channel, rules = theirs.fileno(), _memory_file(program)
        try:
            self._process = self._spawn(channel, rules)
            self.group.add(self._process.pid)
        finally:
            theirs.close()
            os.close(rules)
        argv = [layout.bubblewrap_inside(plan.bubblewrap), *layout.arguments(plan), "--seccomp", str(rules), "--"]
        argv += [layout.interpreter(), "-I", "-S", layout.GUEST, str(channel)]
        self._channel.send({**layout.launcher_plan(plan, staging), "argv": argv})

    def _plan(self) -> layout.Plan:
        return layout.Plan(
            checkout=self.spec.checkout,
            binds=(*layout.interpreter_binds(), *self.spec.binds),
            guest=compiled(self.spec.home, "guest"),
            bubblewrap=self.spec.bubblewrap or bubblewrap.find(),
            owner=self.owner,
            disk=self.spec.settings.disk_mb * _MEGABYTE,
            inodes=self.spec.settings.inodes,
            overlay=self.spec.overlay,
        )

    def _spawn(self, channel: int, rules: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [layout.interpreter(), "-I", "-S", str(compiled(self.spec.home, "launcher")), str(channel)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            pass_fds=(channel, rules),
            env={},
            cwd="/",
            start_new_session=True,  # a Ctrl-C in the terminal is for us to act on
        )

    def _meet_launcher(self) -> None:
        message, text, descriptors = self._channel.receive_with_descriptors(_START_S)
        self._descriptors += descriptors
        if "refused" in message:
            raise explain(message["refused"], message["errno"], text.decode("utf-8", "replace"))
        owner = (self.owner.uid, self.owner.gid) if self.owner.root else None
        self.tree = Tree(descriptors[0], owner=owner, file_bytes=self.spec.settings.file_mb * _MEGABYTE)
        if message["overlay"]:
            self.upper = descriptors[1]

    def _meet_guest(self) -> None:
        _, process, user = self._channel.receive_with_sender(_START_S)
        if user != self.owner.uid:
            raise SandboxUnavailable(f"the sandbox runs as user {user}", "report this: privileges were not dropped")
        self._guest = os.pidfd_open(process)
        self._descriptors.append(self._guest)

    def _setup(self) -> dict[str, Any]:
        env: dict[str, str] = {**layout.contents()["environment"], "PATH": ":".join(self.spec.path), **self.spec.env}
        output = self.spec.settings.output_mb * _MEGABYTE
        memory = 0 if "memory" in self.group.limits else self.spec.settings.memory_mb * _MEGABYTE
        return {"cwd": WORKSPACE, "env": env, "limits": self._limits(), "output": output, "memory": memory}

    def _limits(self) -> dict[str, tuple[int, int]]:
        settings = self.spec.settings
        limits = {
            "RLIMIT_CPU": (settings.cpu_s, settings.cpu_s + 1),
            "RLIMIT_FSIZE": (settings.file_mb * _MEGABYTE,) * 2,
            "RLIMIT_NOFILE": (_OPEN_FILES,) * 2,
            "RLIMIT_STACK": (_STACK,) * 2,
            "RLIMIT_CORE": (0, 0),
            "RLIMIT_NPROC": (settings.processes,) * 2,
        }
        if "memory" not in self.group.limits:
            limits["RLIMIT_AS"] = (settings.memory_mb * _MEGABYTE,) * 2
        return limits

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run a program in ``/workspace``; afterwards nothing of it is left running.

        ``timeout_s`` is wall-clock, the setting's by default. Raises ``InfrastructureFailure`` when the sandbox
        broke, ``RunCancelled`` when it was cancelled.
        """
        limit = self.spec.settings.command_timeout_s if timeout_s is None else timeout_s
        request = {"argv": list(argv), "env": dict(env or {}), "timeout": limit, "stdin": len(stdin)}
        with self._turn:
            if self._cancelled:
                raise RunCancelled
            if self._broken:
                raise InfrastructureFailure("the sandbox is gone", "open a new workspace")
            try:
                self._channel.send(request, stdin)
                reply, output = self._channel.receive(limit + _GRACE_S)
            except (ChannelClosed, OSError) as error:
                raise self._breakdown(error) from error
            except BaseException:
                # Interrupted between question and answer: the next command must not be given this one's answer.
                self._broken = True
                self._kill()
                raise
        return CommandResult(
            exit_code=reply["exit"],
            stdout=output[: reply["out"]],
            stderr=output[reply["out"] :],
            duration_s=reply["wall"],
            cpu_s=reply["cpu"],
            timed_out=bool(reply["timed_out"]),
            truncated=bool(reply["truncated"]),
        )

    def _breakdown(self, error: Exception) -> BaseException:
        self._broken = True
        self._kill()
        if self._cancelled:
            return RunCancelled()
        why = "it did not answer in time" if isinstance(error, TimeoutError) else "it ended"
        return InfrastructureFailure(f"the sandbox broke while a command ran: {why} {self._last_words()}".rstrip())

    def cancel(self) -> None:
        """End the running command and the sandbox; ``run`` then raises ``RunCancelled``."""
        self._cancelled = True
        self._channel.shut()
        self._kill()

    def _kill(self) -> None:
        self._channel.shut()
        if self._guest is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._guest, signal.SIGKILL)

    def close(self) -> None:
        """End the sandbox and everything in it. May be called again."""
        self._broken = True
        self._kill()
        with self._turn:
            self._channel.close()
            if self._process is not None:
                if self._guest is None:
                    self._process.kill()
                self._process.wait()
                self._process = None
            self._guest = self.upper = None
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors = []
            self.group.remove()

    def _last_words(self) -> str:
        words = os.pread(self._log, 4096, 0).decode("utf-8", "replace").strip()
        return f"({words.splitlines()[-1]})" if words else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
