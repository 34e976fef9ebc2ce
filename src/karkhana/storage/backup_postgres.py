"""Dumps and restores a PostgreSQL database with the server's own programs. Knows nothing of what is in it.

A dump is one snapshot, whatever is written meanwhile, and is restored in one transaction. A password never stands on a
command line, where all users of the machine could read it. Source: PostgreSQL manual, pg_dump and pg_restore.

>>> words, environ = connecting("postgresql://asha:tok@db.example/shop?sslmode=require")
>>> words, environ["PGPASSWORD"]
('--dbname=postgresql://asha@db.example/shop?sslmode=require', 'tok')
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import sqlalchemy as sa

from karkhana.domain.errors import DatabaseUnavailable, InvalidInput
from karkhana.storage import schema
from karkhana.storage.database import Database
from karkhana.storage.failures import explained

T = TypeVar("T")
INSTALL = "install PostgreSQL's client programs, of the server's version or newer: apt-get install postgresql-client"
_CLEAR = """
DROP SCHEMA IF EXISTS dbos CASCADE;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP TABLE public.%I CASCADE', name);
  END LOOP;
END $$;
"""
"""Everything that a factory has in its database; in the transaction that restores, so that it is all or nothing."""


def connecting(url: str) -> tuple[str, dict[str, str]]:
    """The word that names the database to the server's programs, and an environment with the password."""
    address = sa.make_url(url)
    password = str(address.password or address.query.get("password", ""))
    address = address.set(drivername="postgresql").difference_update_query(["password"])
    bare = sa.URL.create(
        "postgresql",
        username=address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query=address.query,
    )
    kept = {name: text for name, text in os.environ.items() if name.startswith(("PG", "LC_")) or name in _KEPT}
    environ = kept | ({"PGPASSWORD": password} if password else {})
    return f"--dbname={bare.render_as_string(hide_password=False)}", environ


_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_SAID = 4000


def dump(url: str, file: Path, look: Callable[[sa.Connection], None] = lambda _connection: None) -> None:
    """Write the whole database into ``file``, and have ``look`` look at what is dumped: at the same snapshot.

    Raises ``DatabaseUnavailable``.
    """
    with _connected(url) as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        look(connection)
        words = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}"]
        _run("pg_dump", url, words)


class _Uncommitted(Database):
    """A database as a transaction sees it that is not over."""

    def __init__(self, connection: sa.Connection, where: str) -> None:
        super().__init__(connection.engine, where)
        self._connection = connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        yield self._connection

    writing = reading


def restore(url: str, file: Path, look: Callable[[Database], T], *, replace: bool) -> T:
    """Read a dump into the database, in today's schema; ``replace``: in place of the tables that are there.

    All or nothing: what ``look`` raises leaves everything as it was, else what it returns is returned. Raises
    ``DatabaseUnavailable``, or ``InvalidInput`` when there are tables, or somebody else is connected.
    """
    with _connected(url) as connection:
        there = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
        ).scalar_one()
        if there and not replace:
            raise InvalidInput("the database is not empty", "Use an empty one, or --force to replace what is in it.")
        others = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).scalar_one()
        if there and others:
            raise InvalidInput("the database is in use", "Stop its workers and its dashboard first.")
        driver: Any = connection.connection.driver_connection
        if there:
            driver.execute(_CLEAR)
        _read(driver, file)
        where = sa.make_url(url).render_as_string(hide_password=True)
        schema.migrate(connection, where)
        return look(_Uncommitted(connection, where))


def _read(driver: Any, file: Path) -> None:
    # the driver takes 0.1 s to import, which only its users pay
    from karkhana.storage.dump_reading import CutOff, run_script

    words = [_program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)]
    environ = {name: text for name, text in os.environ.items() if name in _KEPT}
    with (
        tempfile.TemporaryFile() as complained,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=complained, env=environ) as unpacking,
    ):
        assert unpacking.stdout is not None
        try:
            run_script(driver, unpacking.stdout)
        except CutOff:
            _check("pg_restore", unpacking.wait(), complained)
            raise DatabaseUnavailable("the dump ends in the middle of a table", "use another backup") from None
        finally:
            unpacking.stdout.close()
        _check("pg_restore", unpacking.wait(), complained)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    where = sa.make_url(url).render_as_string(hide_password=True)
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args={"connect_timeout": 10})
    with explained(where, opening=True), engine.connect() as connection, connection.begin():
        yield connection


def _run(program: str, url: str, words: list[str]) -> None:
    database, environ = connecting(url)
    with tempfile.TemporaryFile() as said:
        done = subprocess.run([_program(program), database, *words], stderr=said, check=False, env=environ)
        _check(program, done.returncode, said)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DatabaseUnavailable(f"the program {name} is missing", INSTALL)
    return found


def _check(program: str, code: int, stderr: IO[bytes]) -> None:
    if code:
        stderr.seek(0)
        said = stderr.read(_SAID).decode("utf-8", "replace").strip()
        told = said.splitlines()[0] if said else f"exit code {code}"
        raise DatabaseUnavailable(f"{program} failed: {told}", _advice(said))


def _advice(said: str) -> str:
    return INSTALL if "server version mismatch" in said else "check the server, KARKHANA_DATABASE_URL and its rights"


def version(connection: sa.Connection) -> str:
    """The server's version, for people."""
    return str(connection.exec_driver_sql("SHOW server_version").scalar_one())
