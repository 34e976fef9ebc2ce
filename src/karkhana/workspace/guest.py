"""The first process inside a sandbox: runs one command at a time for the host, and leaves nothing behind.

Run as PID 1 with ``python -I -S guest.pyc FD``. The other end of the socket ``FD`` is the host. Standard library
only. It knows nothing of repositories, files or tests.

Messages in both directions are four bytes of length, an object (marshal from the host, which is the same interpreter;
JSON to it, because it does not trust us), and the raw bytes that the object announces. The first one sets the
sandbox up: ``{"cwd", "env", "limits": {"RLIMIT_…": n}, "output": bytes, "memory": bytes}``, where ``memory`` is not 0
if no control group bounds all processes together, so that the guest has to. Each further one is
``{"argv", "env", "timeout", "stdin": length}`` + stdin and is answered by ``{"exit", "wall", "cpu", "timed_out",
"truncated", "out": length, "err": length}`` + stdout + stderr.

When the socket closes, because the host is done or was killed, it exits, and the kernel ends all that lives in the
sandbox with it. The guest cannot be inspected from inside: it is not dumpable, and a signal to PID 1 from its own
namespace has no effect.
"""

# Every sandbox pays for what is imported here: json, socket and signal cost more than all the rest.
# ruff: noqa: PTH123, PTH208, SIM105

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import ctypes
import errno
import marshal
import os
import resource
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

PR_SET_DUMPABLE = 4
CHUNK = 1 << 16
NOT_EXECUTABLE, NOT_FOUND = 126, 127
KILLED = 128 + _signal.SIGKILL
LAST_WORDS_S = 0.5
"""How long a command whose time is up may take to say where it is."""

libc = ctypes.CDLL(None)


class Gone(Exception):
    """The host closed the connection."""


def receive_exactly(channel: _socket.socket, size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(size - len(data), 1 << 20))
        if not part:
            raise Gone
        data += part
    return data


def receive(channel: _socket.socket) -> tuple[dict[str, Any], bytearray]:
    (size,) = struct.unpack("!I", receive_exactly(channel, 4))
    message = marshal.loads(receive_exactly(channel, size))  # noqa: S302 - from the host
    return message, receive_exactly(channel, message.get("stdin", 0))


def send(channel: _socket.socket, message: str, *payloads: bytes | bytearray) -> None:
    data = message.encode()
    channel.sendall(b"".join((struct.pack("!I", len(data)), data, *payloads)))


def become(
    argv: list[str], environment: Mapping[str, str], setup: dict[str, Any], ends: tuple[int, int, int, int]
) -> NoReturn:
    """In the forked child: turn into the command. Reports why it could not through ``ends``' last descriptor."""
    stdin, stdout, stderr, report = ends
    try:
        os.setsid()
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, number)
        for name, value in setup["limits"].items():
            resource.setrlimit(getattr(resource, name), tuple(value))
        offer_to_oom_killer()
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)
        os.chdir(setup["cwd"])
        os.execvpe(argv[0], argv, environment)  # noqa: S606
    except OSError as error:
        code = NOT_FOUND if error.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
        os.write(report, f"{code} {argv[0]}: {error.strerror}\n".encode("utf-8", "replace"))
    except ValueError as error:
        os.write(report, f"{NOT_EXECUTABLE} {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(NOT_FOUND)


def offer_to_oom_killer() -> None:
    """When memory runs out the command dies, not the guest that has to report it."""
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self belongs to nobody
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"1000")
        os.close(descriptor)
    except OSError:
        pass  # without it the kernel chooses by size, which is the command too


def spawn(
    argv: list[str], environment: Mapping[str, str], setup: dict[str, Any]
) -> tuple[int, tuple[int, int, int], bytes]:
    """Fork; returns the process, our ends of its streams, and the message if it could not start."""
    stdin, stdout, stderr, report = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    process = os.fork()
    if process == 0:
        become(argv, environment, setup, (stdin[0], stdout[1], stderr[1], report[1]))
    for end in (stdin[0], stdout[1], stderr[1], report[1]):
        os.close(end)
    message = b""
    while part := os.read(report[0], CHUNK):
        message += part
    os.close(report[0])
    for end in (stdin[1], stdout[0], stderr[0]):
        os.set_blocking(end, False)
    return process, (stdin[1], stdout[0], stderr[0]), message


class Streams:
    """Feeds a command's input and keeps its output up to a bound."""

    def __init__(self, ends: tuple[int, int, int], stdin: bytes | bytearray, bound: int) -> None:
        self.input, self.out, self.err = ends
        self.pending = memoryview(bytes(stdin))
        self.kept = {self.out: bytearray(), self.err: bytearray()}
        self.room = bound
        self.truncated = False
        self.poll = select.poll()
        self.poll.register(self.out, select.POLLIN)
        self.poll.register(self.err, select.POLLIN)
        self.open = {self.input, self.out, self.err}
        if self.pending:
            self.poll.register(self.input, select.POLLOUT)
        else:
            self.close(self.input)

    def close(self, end: int) -> None:
        if end in self.open:
            self.open.discard(end)
            try:
                self.poll.unregister(end)
            except KeyError:
                pass  # an input that never had anything to say
            os.close(end)

    def serve(self, end: int) -> bool:
        """Move what is ready on one stream; whether it is still open."""
        if end == self.input:
            try:
                self.pending = self.pending[os.write(end, self.pending[:CHUNK]) :]
            except BlockingIOError:
                return True
            except OSError:
                self.pending = self.pending[:0]  # it does not read its input
            if not self.pending:
                self.close(end)
            return end in self.open
        try:
            data = os.read(end, CHUNK)
        except BlockingIOError:
            return True
        if not data:
            self.close(end)
            return False
        kept = data[: self.room]
        self.truncated = self.truncated or len(kept) < len(data)
        self.room -= len(kept)
        self.kept[end] += kept
        return True

    def drain(self) -> None:
        """After every writer is dead: what is left in the pipes."""
        self.close(self.input)
        for end in (self.out, self.err):
            while end in self.open and select.select([end], [], [], 0)[0] and self.serve(end):
                pass
            self.close(end)


def memory_in_use() -> int:
    """Bytes that the processes of the sandbox hold together. Counts shared pages once for each that maps them."""
    pages = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/statm") as file:
                    pages += int(file.read().split()[1])
            except (OSError, IndexError):
                pass  # it ended meanwhile
    return pages * resource.getpagesize()


def exact_memory_in_use() -> int:
    """The same with shared pages divided among their users: right, but costly to ask for."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/smaps_rollup") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except OSError:
                pass  # it ended meanwhile, or it is the guest
    return total << 10


class MemoryGuard:
    """Looks ten times a second whether all processes together hold more than ``bound`` bytes; 0 never looks."""

    interval = 0.1

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.next = 0.0

    def wait(self, left: float) -> float:
        return min(left, self.interval) if self.bound else left

    def exceeded(self) -> bool:
        if not self.bound or time.monotonic() < self.next:
            return False
        self.next = time.monotonic() + self.interval
        return memory_in_use() > self.bound and exact_memory_in_use() > self.bound


def watch(process: int, streams: Streams, channel: _socket.socket, deadline: float, guard: MemoryGuard) -> bool:
    """Until the command ends, uses too much memory, its time is up (then True), or the host leaves (``Gone``)."""
    ended = os.pidfd_open(process)
    streams.poll.register(ended, select.POLLIN)
    try:
        streams.poll.register(channel, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            if guard.exceeded():
                return False  # what is left of it is killed like any other
            for descriptor, _ in streams.poll.poll(min(guard.wait(left) * 1000 + 1, 1 << 30)):
                if descriptor == ended:
                    return False
                if descriptor == channel.fileno():
                    raise Gone  # the host speaks only between commands
                if descriptor in streams.open:
                    streams.serve(descriptor)
    finally:
        streams.poll.unregister(ended)
        os.close(ended)


def ask_where(process: int, streams: Streams, channel: _socket.socket, guard: MemoryGuard) -> None:
    """Let a command that was too slow say where it is: Python's fault handler answers SIGABRT with its stacks."""
    try:
        os.killpg(process, _signal.SIGABRT)
    except ProcessLookupError:
        return  # it ended this very moment
    watch(process, streams, channel, time.monotonic() + LAST_WORDS_S, guard)


def sweep(process: int) -> tuple[int, float]:
    """Kill and reap every other process of the sandbox; returns the command's own status and usage."""
    status = (KILLED, 0.0)
    while True:
        try:
            os.kill(-1, _signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing runs; there may still be something to reap
        try:
            while True:
                reaped, code, used = os.wait4(-1, 0)
                if reaped == process:
                    status = (os.waitstatus_to_exitcode(code), used.ru_utime + used.ru_stime)
        except ChildProcessError:
            return status


def run(request: dict[str, Any], stdin: bytearray, setup: dict[str, Any], channel: _socket.socket) -> None:
    started = time.monotonic()
    environment = {**setup["env"], **request["env"]}
    process, ends, failure = spawn(request["argv"], environment, setup)
    streams = Streams(ends, stdin, setup["output"])
    guard = MemoryGuard(setup["memory"])
    timed_out = watch(process, streams, channel, started + request["timeout"], guard)
    wall = time.monotonic() - started
    if timed_out:
        ask_where(process, streams, channel, guard)
    code, cpu = sweep(process)
    streams.drain()
    out, err = streams.kept[streams.out], streams.kept[streams.err]
    if failure:
        number, _, text = failure.partition(b" ")
        code, err = int(number), bytearray(text)
    elif timed_out:
        code = KILLED
    elif code < 0:
        code = 128 - code
    flags = f'"timed_out": {int(timed_out)}, "truncated": {int(streams.truncated)}'
    sizes = f'"out": {len(out)}, "err": {len(err)}'
    send(channel, f'{{"exit": {code}, "wall": {wall:.6f}, "cpu": {cpu:.6f}, {flags}, {sizes}}}', out, err)


def main() -> None:
    if os.getpid() != 1:
        sys.exit("this program ends every process that it can: it runs as PID 1 of a namespace of its own only")
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    channel = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(channel.fileno(), False)
    os.umask(0o022)
    try:
        send(channel, f'{{"ready": {os.getpid()}}}')
        setup, _ = receive(channel)
        while True:
            request, stdin = receive(channel)
            run(request, stdin, setup, channel)
    except (Gone, ConnectionError):
        return  # PID 1 ends, and everything in the sandbox with it


if __name__ == "__main__":
    main()
