import sqlite3
import stat
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import karkhana.storage
from karkhana.domain.errors import DatabaseUnavailable, InfrastructureFailure
from karkhana.storage import database as module
from karkhana.storage.database import Database, open_database
from karkhana.storage.tables import SCHEMA_VERSION, metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fresh.sqlite3"
    return request.getfixturevalue("postgres_url")


def test_migrations_from_nothing_make_exactly_the_tables_of_the_code(empty_url, tmp_path):
    with open_database(empty_url, tmp_path / "home") as opened, opened.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert {table.name for table in metadata.sorted_tables} <= set(sa.inspect(connection).get_table_names())


def test_the_schema_version_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(karkhana.storage.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def open_and_count(url: str, home: str) -> int:
    with open_database(url, Path(home)) as opened, opened.reading() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM tasks")).scalar_one())


def test_several_processes_may_open_a_new_database_at_once(empty_url, tmp_path):
    with get_context("spawn").Pool(4) as pool:
        counts = pool.starmap(open_and_count, [(empty_url, str(tmp_path / "home"))] * 4)
    assert counts == [0, 0, 0, 0]


def test_the_home_is_private_and_the_file_is_in_wal_mode(tmp_path):
    home = tmp_path / "a/b"
    with open_database(None, home) as opened, opened.reading() as connection:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}
        pragmas = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 1]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_opening_a_current_database_does_not_import_alembic(sqlite_home):
    program = (
        "import sys; from pathlib import Path; from karkhana.storage.database import open_database;"
        "open_database(None, Path(sys.argv[1])).close(); print('alembic' in sys.modules, 'psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, sqlite_home], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_newer_schema_is_refused(database_url, tmp_path):
    with open_database(database_url, tmp_path) as opened, opened.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnavailable, match="newer version of Karkhana"):
        open_database(database_url, tmp_path)


def insert_tags(database: Database, tags: str, before: str = "SELECT 1", fail: int = 1) -> float:
    with database.writing() as connection:
        connection.exec_driver_sql(before)
        connection.execute(sa.text("INSERT INTO tag_sets (tags) VALUES (:tags)"), {"tags": tags})
        return 1 / fail


def test_writing_rolls_back_when_the_body_raises(database):
    with pytest.raises(ZeroDivisionError):
        insert_tags(database, "[]", fail=0)
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM tag_sets")).scalar() == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/x", "not supported"),
        ("sqlite://", "not supported"),
        ("nonsense", "not a URL"),
        ("sqlite:////proc/none/x.sqlite3", "cannot be opened"),
    ],
)
def test_urls_that_cannot_be_used(url, message, tmp_path):
    with pytest.raises(DatabaseUnavailable, match=message) as caught:
        open_database(url, tmp_path)
    assert caught.value.next


def test_a_home_below_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        open_database(None, tmp_path / "file/home")


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / module.FILE_NAME).write_bytes(b"not a database, but long enough to have a header" * 20)
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        open_database(None, tmp_path)


def test_a_full_disk_while_writing(sqlite_home):
    with open_database(None, sqlite_home) as opened:
        with pytest.raises(DatabaseUnavailable, match="full") as caught:
            insert_tags(opened, "x" * 1_000_000, "PRAGMA max_page_count=1")
        assert "KARKHANA_HOME" in caught.value.next


def test_a_writer_that_waits_too_long_is_told_to_try_again(sqlite_home, monkeypatch):
    monkeypatch.setattr(module, "BUSY_S", 0.05)
    other = sqlite3.connect(sqlite_home / module.FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_database(None, sqlite_home) as opened, pytest.raises(InfrastructureFailure, match="locked"):
            insert_tags(opened, "x")
    finally:
        other.close()


def test_a_file_that_cannot_be_written(sqlite_home):
    with open_database(None, sqlite_home) as opened, pytest.raises(DatabaseUnavailable, match="cannot be written"):
        insert_tags(opened, "x", "PRAGMA query_only=ON")


@pytest.mark.postgres
def test_no_server_answers(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="cannot connect") as caught:
        open_database("postgresql://me:hunter2@127.0.0.1:1/karkhana", tmp_path)
    assert "hunter2" not in caught.value.message


@pytest.mark.postgres
def test_a_database_that_does_not_exist(postgres_server, tmp_path):
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        open_database(postgres_server.url("missing"), tmp_path)


@pytest.mark.postgres
def test_a_lost_connection_is_worth_a_retry(postgres_migrated_url, tmp_path):
    with open_database(postgres_migrated_url, tmp_path) as opened:
        with pytest.raises(InfrastructureFailure):
            insert_tags(opened, "x", "SELECT pg_terminate_backend(pg_backend_pid())")
        with opened.reading() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
