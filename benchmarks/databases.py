"""The databases that a benchmark runs on: a fresh SQLite home, and a PostgreSQL server of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

POSTGRES = Path("/usr/lib/postgresql/15/bin")


def backends(which: str) -> Iterator[tuple[str, Path, str | None]]:
    """``(name, empty folder, URL)`` for ``sqlite``, ``postgresql`` or ``both``; each is gone after its turn."""
    for name in ("sqlite", "postgresql") if which == "both" else (which,):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = stack.enter_context(postgres_server()) if name == "postgresql" else None
            yield name, folder, url


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start PostgreSQL 15 on a free loopback port with its data in a temporary folder; its URL.

    ``fsync`` is off: the benchmarks kill clients, never the server.
    """
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        drop: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = str(folder / "data")
        initialise = [*drop, POSTGRES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*initialise, "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        flags = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        control = [*drop, POSTGRES / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log")]
        subprocess.run([*control, "-o", flags, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
