"""Nodes of a network inside of this machine: each a network namespace with an address of its own, on one bridge.

Needs root and Debian's iproute2. What a node runs dies with it, by its process identifier; namespaces are removed with
everything in them.
"""

import contextlib
import ctypes
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from postgres import BINARIES, _die_with_parent, _unprivileged

IP = "/usr/sbin/ip"
CLONE_NEWNET = 0x40000000
_SETTINGS = {"listen_addresses": "*", "fsync": "off", "max_connections": "100", "log_min_messages": "fatal"}


def ip(*words: str) -> None:
    subprocess.run([IP, *words], check=True, capture_output=True, timeout=30)


class Node:
    """One of them."""

    def __init__(self, network: str, name: str, number: int) -> None:
        self.space = f"{network}-{name}"
        self.address = f"10.87.3.{number}"
        self._inside = "uplink"

    def start(self, command: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":
        """Run something in it. Whoever starts it ends it."""
        return subprocess.Popen([IP, "netns", "exec", self.space, *command], **options)

    def cut(self) -> None:
        """Pull the plug: packets are lost, nobody is told."""
        ip("-n", self.space, "link", "set", self._inside, "down")

    def mend(self) -> None:
        """Put it in again."""
        ip("-n", self.space, "link", "set", self._inside, "up")

    def connected(self, port: int) -> http.client.HTTPConnection:
        """A connection to the node's own loopback, from outside."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.sock = self._within(lambda: socket.create_connection(("127.0.0.1", port), 30))
        return connection

    def _within(self, make: Callable[[], socket.socket]) -> socket.socket:
        made: list[socket.socket | BaseException] = []

        def enter() -> None:
            # a namespace is a thread's own, and this thread ends; sockets stay where they were made
            try:
                descriptor = os.open(f"/run/netns/{self.space}", os.O_RDONLY)
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                os.close(descriptor)
                made.append(make())
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]


@contextlib.contextmanager
def network(*names: str) -> Iterator[list[Node]]:
    """Nodes of these names that reach each other and nothing else."""
    token = f"k{secrets.token_hex(3)}"
    hub = f"{token}-hub"
    made = []
    try:
        ip("netns", "add", hub)
        made.append(hub)
        ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", hub, "link", "set", "bridge", "up")
        nodes = [Node(token, name, number) for number, name in enumerate(names, 2)]
        for number, node in enumerate(nodes):
            ip("netns", "add", node.space)
            made.append(node.space)
            ip("-n", hub, "link", "add", f"port{number}", "type", "veth", "peer", "name", "uplink", "netns", node.space)
            ip("-n", hub, "link", "set", f"port{number}", "master", "bridge", "up")
            ip("-n", node.space, "address", "add", f"{node.address}/24", "dev", "uplink")
            ip("-n", node.space, "link", "set", "uplink", "up")
            ip("-n", node.space, "link", "set", "lo", "up")
        yield nodes
    finally:
        for space in made:
            ip("netns", "delete", space)


@contextlib.contextmanager
def postgres_on(node: Node, folder: Path) -> Iterator[tuple[str, str]]:
    """A PostgreSQL server on a node: URLs of its database, in the network and, by its socket, outside of it."""
    identity = _unprivileged(folder)
    data = folder / "data"
    initialise = [BINARIES / "initdb", "-D", data, "-U", "karkhana", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    subprocess.run(initialise, check=True, capture_output=True, cwd=folder, **identity)  # type: ignore[call-overload]
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.87.3.0/24 trust\n")
    words = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    # as another user only after it has entered the namespace, which needs root
    become = [sys.executable, "-c", "import os,sys; os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2]));"
              "os.execv(sys.argv[3], sys.argv[3:])", str(identity["group"]), str(identity["user"])]  # fmt: skip
    process = node.start(
        [*become, BINARIES / "postgres", "-D", data, "-k", folder, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        preexec_fn=_die_with_parent,
    )
    try:
        eventually((folder / ".s.PGSQL.5432").exists)
        yield f"postgresql://karkhana@{node.address}/postgres", f"postgresql://karkhana@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def eventually(condition: Callable[[], bool], patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
