"""Both databases, real, for every test of storage; and a clock that stands still until it is told to move."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_support import ORDER, StoppedClock

from karkhana.storage.database import Database, open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import RunStore
from karkhana.storage.tasks import TaskStore


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database of each kind."""
    if request.param == "sqlite":
        home: Path = request.getfixturevalue("sqlite_home")
        return f"sqlite:///{home}/karkhana.sqlite3"
    url: str = request.getfixturevalue("postgres_migrated_url")
    return url


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    with open_database(database_url, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def tasks(database: Database, clock: StoppedClock) -> TaskStore:
    return TaskStore(database, clock)


@pytest.fixture
def runs(database: Database, clock: StoppedClock) -> RunStore:
    return RunStore(database, clock)


@pytest.fixture
def log(database: Database, clock: StoppedClock) -> EventLog:
    return EventLog(database, Redactor({"SHOP_TOKEN": "tok-correct-horse"}), clock)


@pytest.fixture
def run_id(tasks: TaskStore) -> str:
    """A run that "worker" holds with epoch 1."""
    return tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
