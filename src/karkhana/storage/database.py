"""Opens the database: an SQLite file in WAL mode, or PostgreSQL by URL, with the same tables.

Knows nothing of tasks and events. ``writing()`` is one transaction that has the right to write from its start.

>>> import tempfile
>>> with open_database(None, Path(tempfile.mkdtemp())) as database, database.reading() as connection:
...     connection.execute(sa.text("SELECT count(*) FROM tasks")).scalar()
0
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import sqlalchemy as sa

from karkhana.domain.errors import DatabaseUnavailable
from karkhana.storage import schema
from karkhana.storage.failures import explained

FILE_NAME = "karkhana.sqlite3"
STATEMENTS = 512
"""Prepared statements that a connection to SQLite keeps."""
CHECKPOINT_PAGES = 8000
"""Pages of 4 KiB after which the log is written back, which waits for the disk: at SQLite's own 1,000 tickets that come
in one after the other took twice as long (22 against 10 ms)."""
BUSY_S = 30.0
"""How long a writer waits for another one before it gives up."""

PATIENT = {"keepalives_idle": "5", "keepalives_interval": "5", "keepalives_count": "2", "tcp_user_timeout": "15000"}
"""A server that went silent is noticed in 15 seconds, within a lease; the system alone would wait a quarter of an hour.
Source: https://www.postgresql.org/docs/15/libpq-connect.html."""

Clock: TypeAlias = Callable[[], datetime]
"""Gives the time, in UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """An open, migrated database. Threads may share it; a forked child must open its own."""

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self.engine = engine
        self.where = where
        """Its name for messages, without a password."""
        self._closing: list[Callable[[], None]] = []

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with explained(self.where), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed when the body ends, and rolled back when it raises."""
        with explained(self.where), self.engine.connect() as connection:
            connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def joining(self, connection: sa.Connection | None) -> Iterator[sa.Connection]:
        """The transaction of the caller, or :meth:`writing` where there is none."""
        if connection is not None:
            yield connection
            return
        with self.writing() as own:
            yield own

    def at_close(self, close: Callable[[], None]) -> None:
        """Have ``close`` called before the database is closed."""
        self._closing.append(close)

    def close(self) -> None:
        while self._closing:
            self._closing.pop()()
        self.engine.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_database(url: str | None, home: Path) -> Database:
    """Open the database at ``url`` (``postgresql://…``, ``sqlite:///…``), or the SQLite file in ``home``.

    Makes ``home`` (mode 0700), creates or migrates the tables; several processes may do so at once.
    Raises ``DatabaseUnavailable``.
    """
    _make_home(home)
    address = _address(url, home)
    where = address.render_as_string(hide_password=True) if address.host else str(address.database)
    database = Database(_sqlite(address) if address.drivername == "sqlite" else _postgres(patient(address)), where)
    try:
        with explained(where, opening=True):
            _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: Database) -> None:
    with database.engine.connect() as connection, connection.begin():
        current = schema.is_current(connection, database.where)
    if not current:
        with database.engine.connect() as connection:
            connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
            with connection.begin():
                schema.migrate(connection, database.where)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"the folder {home} cannot be made: {error.strerror}", "set KARKHANA_HOME to a folder that you can write"
        ) from error


def sqlite_file(url: str | None, home: Path) -> Path | None:
    """The file that :func:`open_database` would open; ``None``: it is PostgreSQL. Raises ``DatabaseUnavailable``."""
    address = _address(url, home)
    return Path(str(address.database)) if address.drivername == "sqlite" else None


def _address(url: str | None, home: Path) -> sa.URL:
    if url is None:
        return sa.URL.create("sqlite", database=str(home / FILE_NAME))
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise DatabaseUnavailable(
            "KARKHANA_DATABASE_URL is not a URL", "write it as postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from error
    if address.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        return address
    raise DatabaseUnavailable(
        f"a database of the kind {address.drivername!r} is not supported", "use postgresql://… or sqlite:///FILE"
    )


def patient(address: sa.URL) -> sa.URL:
    """The address of a PostgreSQL server with :data:`PATIENT`, as far as it says nothing of these itself.

    >>> patient(sa.make_url("postgresql://db/shop?tcp_user_timeout=1")).query["tcp_user_timeout"]
    '1'
    """
    return address.set(query={**PATIENT, **address.query})


def _postgres(address: sa.URL) -> sa.Engine:
    return sa.create_engine(address, pool_pre_ping=True, connect_args={"connect_timeout": 10})


def _sqlite(address: sa.URL) -> sa.Engine:
    path = str(address.database)
    engine = sa.create_engine(address, creator=lambda: connect_sqlite(path))

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # the driver's own transactions would begin without the right to write, and fail when they want it later
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    return engine


def connect_sqlite(path: str) -> sqlite3.Connection:
    """A driver connection in autocommit mode with the house's settings."""
    with contextlib.suppress(OSError):
        # tickets and code are nobody else's to read; when this fails, SQLite itself says why
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            # changing the mode does not wait for other processes that do the same: a file lock does
            with _locked(Path(f"{path}.lock")):
                connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(f"{path} cannot be made: {error.strerror}", "check its folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
