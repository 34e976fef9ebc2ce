"""Dumps of a real PostgreSQL, and what is refused when one is read back."""

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from schema_fixtures import migrate_to

from karkhana.domain.errors import DatabaseUnavailable, InvalidInput
from karkhana.storage.backup_postgres import connecting, dump, restore, version
from karkhana.storage.contents import Contents, contents
from karkhana.storage.database import Database, open_database
from karkhana.storage.tables import SCHEMA_VERSION

pytestmark = pytest.mark.postgres


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def contained(database: Database) -> Contents:
    with database.reading() as connection:
        return contents(connection)


def test_a_dump_is_of_the_moment_that_was_looked_at(
    postgres_migrated_url: str, postgres_url: str, tmp_path: Path
) -> None:
    url, file, seen = postgres_migrated_url, tmp_path / "dump", list[Contents]()

    def look(connection: object) -> None:
        seen.append(contents(connection))  # type: ignore[arg-type]
        assert version(connection).startswith("15")  # type: ignore[arg-type]
        # after the snapshot, before the dump
        execute(url, "INSERT INTO tag_sets VALUES ('late')")

    execute(url, "INSERT INTO tag_sets VALUES ('early')")
    dump(url, file, look)
    assert seen[0].tasks == 0
    assert seen[0].schema
    assert restore(postgres_url, file, contained, replace=False) == seen[0]
    assert execute(postgres_url, "SELECT tags FROM tag_sets") == [("early",)]
    with open_database(postgres_url, tmp_path) as database, database.reading() as connection:
        assert contents(connection) == seen[0]


def test_tables_that_are_there_are_replaced_only_when_told_to(
    postgres_migrated_url: str, postgres_url: str, tmp_path: Path
) -> None:
    dump(postgres_migrated_url, tmp_path / "dump")
    execute(postgres_url, "CREATE TABLE tasks (task_id TEXT PRIMARY KEY)")
    execute(postgres_url, "CREATE TABLE of_a_later_version (task_id TEXT REFERENCES tasks)")
    execute(postgres_url, "CREATE SCHEMA dbos CREATE TABLE steps (number INT)")
    with pytest.raises(InvalidInput, match="not empty"):
        restore(postgres_url, tmp_path / "dump", contained, replace=False)
    with psycopg.connect(postgres_url), pytest.raises(InvalidInput, match="in use"):
        restore(postgres_url, tmp_path / "dump", contained, replace=True)
    restore(postgres_url, tmp_path / "dump", contained, replace=True)
    (names,) = execute(postgres_url, "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname <> ALL "
                       "(ARRAY['pg_catalog', 'information_schema'])")  # fmt: skip
    assert "of_a_later_version" not in str(names)
    assert "steps" not in str(names)
    assert "audit" in str(names)


def test_a_dump_of_an_older_version_is_brought_to_this_one_and_what_is_found_in_it_may_undo_all(
    postgres_server: Any, postgres_url: str, tmp_path: Path
) -> None:
    odd = "two\nlines\t\\. COPY x FROM stdin;"
    with postgres_server.database() as old:
        migrate_to(old, "0021")
        with psycopg.connect(old) as connection:
            connection.execute("INSERT INTO tag_sets VALUES (%s), ('\\.'), ('COPY x FROM stdin;')", [odd])
            connection.execute("INSERT INTO blobs VALUES ('00', 1, false, %s)", [bytes(range(256)) * 1000])
        dump(old, tmp_path / "dump")
    execute(postgres_url, "CREATE TABLE kept (number INT)")

    def refuse(database: Database) -> None:
        assert contained(database).schema == SCHEMA_VERSION
        raise InvalidInput("damaged", "")

    with pytest.raises(InvalidInput, match="damaged"):
        restore(postgres_url, tmp_path / "dump", refuse, replace=True)
    assert execute(postgres_url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") == [("kept",)]
    assert restore(postgres_url, tmp_path / "dump", contained, replace=True).schema == SCHEMA_VERSION
    assert set(execute(postgres_url, "SELECT tags FROM tag_sets")) == {(odd,), ("\\.",), ("COPY x FROM stdin;",)}
    assert execute(postgres_url, "SELECT data FROM blobs") == [(bytes(range(256)) * 1000,)]


def test_what_the_server_refuses_is_told(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "pg_restore"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'CREATE EXTENSION of_another_server;'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(DatabaseUnavailable, match=r"cannot be restored: .*of_another_server"):
        restore(postgres_url, tmp_path / "dump", contained, replace=False)


def test_a_dump_that_cannot_be_read_to_its_end_changes_nothing(
    postgres_migrated_url: str, postgres_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "dump"
    execute(
        postgres_migrated_url,
        "INSERT INTO blobs SELECT md5(n::text), 1, false, decode(repeat(md5(n::text), 50), 'hex') "
        "FROM generate_series(1, 2000) AS n",
    )
    dump(postgres_migrated_url, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    execute(postgres_url, "CREATE TABLE kept (number INT)")
    with pytest.raises(DatabaseUnavailable, match="failed"):
        restore(postgres_url, file, contained, replace=True)
    assert execute(postgres_url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") == [("kept",)]


def test_a_program_that_dies_on_the_way_changes_nothing(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "pg_restore"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'CREATE TABLE half (number INT);'\necho 'out of memory' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    execute(postgres_url, "CREATE TABLE kept (number INT)")
    with pytest.raises(DatabaseUnavailable, match="pg_restore failed: out of memory"):
        restore(postgres_url, tmp_path / "dump", contained, replace=True)
    assert execute(postgres_url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") == [("kept",)]


def test_a_password_is_never_a_word_of_a_command() -> None:
    for url in ("postgresql+psycopg://a:s%40fe@h:5433/shop", "postgresql://a@h:5433/shop?password=s%40fe"):
        word, environ = connecting(url)
        assert word == "--dbname=postgresql://a@h:5433/shop"
        assert environ["PGPASSWORD"] == "s@fe"


def test_programs_see_no_secret_of_the_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "x")
    assert "GITHUB_WEBHOOK_SECRET" not in connecting("postgresql://h/shop")[1]
