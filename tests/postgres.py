"""A real PostgreSQL 15 for tests: one server per test process, a fresh database per test.

Registered by ``tests/conftest.py``. Without the Debian package the tests are skipped, and fail under ``CI=true``.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from components import need
from karkhana.storage.database import Database, open_database

BINARIES = Path("/usr/lib/postgresql/15/bin")
INSTALL = "PostgreSQL 15; install it with: apt-get install postgresql-15"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
    "timezone": "Asia/Kolkata",
}
"""A time zone that is not UTC, so that nothing relies on the server's."""


class Server:
    """A running server; databases are made in it by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://karkhana@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database that is dropped afterwards."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Runs until the session ends, or until the test process dies."""
    need((BINARIES / "postgres").exists(), INSTALL)
    # short, since the path of a socket may have 107 bytes at most
    folder = Path(tempfile.mkdtemp(prefix="karkhana-pg-", dir="/tmp"))
    try:
        with running_server(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A server with its data and its socket in ``folder``."""
    identity = _unprivileged(folder)
    data = folder / "data"
    initialise = [BINARIES / "initdb", "-D", data, "-U", "karkhana", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    subprocess.run(initialise, check=True, capture_output=True, cwd=folder, **identity)
    options = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in SETTINGS.items())
    process = subprocess.Popen(
        [BINARIES / "postgres", "-D", data, "-k", folder, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - runs one system call
        **identity,
    )
    try:
        server = Server(folder)
        _wait_until_ready(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _wait_until_ready(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return server.execute("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _unprivileged(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """An empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a migrated database to copy."""
    postgres_server.execute("CREATE DATABASE karkhana_template")
    open_database(postgres_server.url("karkhana_template"), tmp_path_factory.mktemp("home")).close()
    return "karkhana_template"


@pytest.fixture
def postgres_migrated_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """A database with all tables, and no rows."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    home = tmp_path_factory.mktemp("template")
    open_database(None, home).close()
    return home / "karkhana.sqlite3"


@pytest.fixture
def sqlite_home(sqlite_template: Path, tmp_path: Path) -> Path:
    """A home with a migrated database in it, and no rows."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home)
    return home


def until_waiting(database: Database, count: int = 1, patience_s: float = 20.0) -> None:
    """Until so many transactions wait for the end of another one."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with database.reading() as connection:
            if connection.exec_driver_sql(query).scalar_one() >= count:
                return
        time.sleep(0.01)
    raise AssertionError(f"fewer than {count} transactions wait")
