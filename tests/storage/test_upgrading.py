"""A database of any earlier schema is brought to today's, with everything that was in it."""

from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from schema_fixtures import engine_of, fill, lost, migrate_to, rows, versions

from karkhana.domain.tasks import Status
from karkhana.storage.database import open_database
from karkhana.storage.run_lists import RunLists
from karkhana.storage.tables import SCHEMA_VERSION, metadata
from karkhana.storage.tasks import TaskStore


def opened(url: str, home: str) -> int:
    with open_database(url, Path(home)) as database, database.reading() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM runs")).scalar_one())


@pytest.mark.parametrize("version", versions())
def test_everything_survives_the_upgrade_from(version: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite3"
    migrate_to(url, version)
    before = fill(url)
    assert len(before["tasks"]) == len(before["runs"]) == 2
    assert before["tasks"][0]["title"].endswith('"café ह"}')
    with open_database(url, tmp_path / "home") as database:
        with database.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert TaskStore(database).order(before["tasks"][0]["task_id"]).ticket.text == "total() is wrong"
        assert RunLists(database).count(Status.WAITING_FOR_REVIEW) == 1
    assert lost(before, rows(url)) == []


@pytest.mark.postgres
def test_the_same_on_postgresql_one_version_after_the_other(postgres_url: str, tmp_path: Path) -> None:
    migrate_to(postgres_url, versions()[0])
    for version in versions()[1:]:
        before = fill(postgres_url)
        migrate_to(postgres_url, version)
        assert lost(before, rows(postgres_url)) == []
    with open_database(postgres_url, tmp_path) as database, database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_two_processes_may_upgrade_at_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite3" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    migrate_to(url, "0001")
    before = fill(url)
    with get_context("spawn").Pool(2) as pool:
        assert pool.starmap(opened, [(url, str(tmp_path / "home"))] * 2) == [2, 2]
    assert lost(before, rows(url)) == []


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite3"
    migrate_to(url, "0008")
    with engine_of(url).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE audit_entries (in_the_way INTEGER)")
    before = fill(url)
    with pytest.raises(sa.exc.OperationalError, match="audit_entries already exists"):
        open_database(url, tmp_path)
    assert rows(url) == before
    with engine_of(url).connect() as connection:
        connection.exec_driver_sql("DROP TABLE audit_entries")
    assert opened(url, str(tmp_path)) == 2


def test_what_is_lost_is_noticed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite3"
    migrate_to(url, SCHEMA_VERSION)
    before = fill(url)
    assert all(found for found in before.values())
    with engine_of(url).connect() as connection:
        connection.exec_driver_sql("UPDATE events SET payload = '{}' WHERE seq = 1")
        connection.exec_driver_sql("DELETE FROM messages")
    assert {problem.partition(":")[0] for problem in lost(before, rows(url))} == {"events", "messages"}
