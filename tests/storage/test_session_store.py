"""A session is found by its identifier alone, by every process, until it ends."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from karkhana.storage.session_store import SessionStore
from karkhana.storage.tables import team_sessions


@pytest.fixture
def database_url(sqlite_home: Path) -> str:
    """One kind here; see test_access_postgres.py for the other."""
    return f"sqlite:///{sqlite_home}/karkhana.sqlite3"


@pytest.fixture
def sessions(database, clock) -> SessionStore:
    return SessionStore(database, clock)


def test_a_session_lasts_until_its_end(sessions, clock, database):
    session_id = sessions.begin("s-1", "asha@example.org", ("developers",), 3600)
    found = sessions.find(session_id)
    assert (found.subject, found.email, found.groups) == ("s-1", "asha@example.org", ("developers",))
    with database.reading() as connection:
        assert session_id not in str(connection.execute(sa.select(team_sessions)).one())
    assert SessionStore(database, clock).find(session_id) == found
    clock.move(3600)
    assert sessions.find(session_id) is None
    sessions.begin("s-2", "", (), 3600)
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(team_sessions)).scalar() == 1


def test_a_session_is_ended(sessions):
    first, second = (sessions.begin("s-1", "", (), 3600) for _ in range(2))
    other = sessions.begin("s-2", "", (), 3600)
    sessions.end(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    assert sessions.end_all("s-1") == 1
    assert sessions.find(second) is None
    assert sessions.find(other) is not None


@pytest.mark.parametrize("session_id", ["", "x", "\udcff", "a" * 10_000])
def test_what_is_none_is_not_found(sessions, session_id):
    assert sessions.find(session_id) is None
