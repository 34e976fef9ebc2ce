"""Copies of several SQLite databases at one moment, while others write."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from karkhana.domain.errors import DatabaseUnavailable, InvalidInput
from karkhana.storage.backup_sqlite import check_whole, claim_alone, copy_databases
from karkhana.storage.database import connect_sqlite


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two databases with a counter each; padded, so that a copy takes many pages."""
    paths = (tmp_path / "first.sqlite3", tmp_path / "second.sqlite3")
    for path in paths:
        with closing(connect_sqlite(str(path))) as connection:
            connection.execute("CREATE TABLE counter (value INTEGER, padding BLOB)")
            connection.execute("INSERT INTO counter VALUES (0, randomblob(4000000))")
    return paths


def value(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT value FROM counter").fetchone()[0])


def count_up(path: Path) -> None:
    with closing(connect_sqlite(str(path))) as connection:
        connection.execute("UPDATE counter SET value = value + 1")


def test_copies_are_of_one_moment_while_another_thread_writes(tmp_path: Path) -> None:
    """The writer counts up in one after the other, the copy is asked for in the other direction."""
    paths = [tmp_path / f"{number}.sqlite3" for number in range(8)]
    connections = [connect_sqlite(str(path)) for path in paths]
    for connection in connections:
        connection.execute("CREATE TABLE counter (value INTEGER)")
        connection.execute("INSERT INTO counter VALUES (0)")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for connection in connections:
                connection.execute("UPDATE counter SET value = value + 1")

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    try:
        for number in range(12):
            folder = tmp_path / str(number)
            folder.mkdir()
            copy_databases(paths[::-1], folder)
            found.append([value(folder / path.name) for path in paths])
    finally:
        stop.set()
        writer.join()
        for connection in connections:
            connection.close()
    for values in found:
        assert values == sorted(values, reverse=True), values
        assert values[0] - values[-1] <= 1, values
    assert found[-1][0] > found[0][0], "nobody wrote"


def test_what_is_written_while_it_copies_is_not_in_the_copy(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karkhana.storage.backup_sqlite.PAGES", 100)
    folder = tmp_path / "copy"
    folder.mkdir()
    told: list[str] = []

    def progress(line: str) -> None:
        told.append(line)
        count_up(pair[0])
        count_up(pair[1])

    copy_databases(pair, folder, progress)
    assert len(told) > 10
    assert (value(folder / pair[0].name), value(folder / pair[1].name)) == (0, 0)
    assert value(pair[1]) == len(told)
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in pair]


def test_a_damaged_file_is_noticed(pair: tuple[Path, Path]) -> None:
    claim_alone(pair[0])
    with pair[0].open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        check_whole(pair[0])


def test_a_database_that_somebody_has_open_is_not_claimed(pair: tuple[Path, Path]) -> None:
    with closing(connect_sqlite(str(pair[0]))) as other:
        other.execute("SELECT value FROM counter").fetchone()
        with pytest.raises(InvalidInput, match="in use"):
            claim_alone(pair[0])
    claim_alone(pair[0])
    assert not pair[0].with_name("first.sqlite3-wal").exists()


def test_a_missing_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be opened"):
        copy_databases([tmp_path / "none.sqlite3"], tmp_path)
    assert not (tmp_path / "none.sqlite3").exists()
