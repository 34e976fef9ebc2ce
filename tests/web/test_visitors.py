"""Who somebody of a team is, and what they may, is looked up anew each time."""

import os
from pathlib import Path

import pytest

from karkhana.domain.access import Principal, Role
from karkhana.domain.access_settings import AccessSettings, Person
from karkhana.domain.errors import InvalidSetting
from karkhana.storage.database import open_database
from karkhana.storage.session_store import SessionStore
from karkhana.storage.token_store import TokenStore
from karkhana.web.visitors import Roster, Standing, Team, Visitor


def settings(**people: dict[str, Role]) -> AccessSettings:
    return AccessSettings(people={name: Person(roles=roles) for name, roles in people.items()})


@pytest.fixture
def database(sqlite_home: Path):
    with open_database(None, sqlite_home) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("1")
    return path


class Reading:
    """What the file would say."""

    def __init__(self, first: AccessSettings) -> None:
        self.now: AccessSettings | Exception = first
        self.times = 0

    def __call__(self) -> AccessSettings:
        self.times += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


def touch(file: Path) -> None:
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


def test_a_change_of_roles_counts_at_once(database, file):
    first = settings(asha={"shop": Role.APPROVER})
    reading = Reading(first)
    team = Team(SessionStore(database), Roster(first, file, reading))
    session_id = team.enter("asha", "", ())
    assert team.find(session_id).principal == Principal(name="asha", roles={"shop": Role.APPROVER}, via="session")
    assert reading.times == 0, "the file is read only when it has changed"
    reading.now = settings(asha={"shop": Role.VIEWER})
    touch(file)
    assert team.find(session_id).principal.roles == {"shop": Role.VIEWER}
    reading.now = settings()
    touch(file)
    assert team.find(session_id) is None


def test_a_file_that_cannot_be_read_changes_nothing(database, file):
    first = settings(asha={"shop": Role.APPROVER})
    reading = Reading(first)
    roster = Roster(first, file, reading)
    reading.now = InvalidSetting("[access] is wrong", "mend it")
    touch(file)
    assert roster.current() == first
    file.unlink()
    reading.now = settings()
    assert roster.current().people == {}


def test_only_people_groups_and_permissions_change_while_it_serves(file):
    reading = Reading(AccessSettings(mode="single", issuer="https://evil.example", token_approvals=True))
    roster = Roster(AccessSettings(mode="team", issuer="https://id.test"), file, reading)
    touch(file)
    found = roster.current()
    assert (found.mode, found.issuer, found.token_approvals) == ("team", "https://id.test", True)


def test_a_form_of_another_session_is_none_of_this_one(database):
    first = settings(asha={"*": Role.VIEWER})
    team = Team(SessionStore(database), Roster(first, None, lambda: first))
    one, other = (team.find(team.enter("asha", "", ())) for _ in range(2))
    assert one.sent(one.form_token)
    assert not one.sent(other.form_token)
    assert not one.sent("")
    assert not one.sent("\udcff")


def test_somebodys_other_sessions_are_ended_in_the_callers_transaction(database):
    first = settings(asha={"*": Role.VIEWER}, ravi={"*": Role.VIEWER})
    team = Team(SessionStore(database), Roster(first, None, lambda: first))
    this, *others = (team.enter("asha", "", ()) for _ in range(3))
    foreign = team.enter("ravi", "", ())
    told = {each.handle: each.this for each in team.sessions(this)}
    assert sorted(told.values()) == [False, False, True]
    assert team.sessions("none") == []
    (of_ravi,) = team.sessions(foreign)
    (own,) = (handle for handle, is_this in told.items() if is_this)
    with database.writing() as connection:
        assert [team.end_others(this, handle, connection) for handle in (of_ravi.handle, own, "none")] == [0, 0, 0]
    with database.writing() as connection:
        assert team.end_others(this, "", connection) == 2
        connection.rollback()
    assert all(team.find(each) for each in (this, *others, foreign))
    with database.writing() as connection:
        assert team.end_others(this, "", connection) == 2
    assert [team.find(each) is None for each in (this, *others, foreign)] == [False, True, True, False]


def test_a_stream_is_asked_about_once_a_second_and_ends_with_its_session(database):
    clock = iter([0.0, 0.5, 1.4, 1.4, 1.6]).__next__
    found: list[Visitor | None] = [Visitor(Principal(name="asha", roles={"*": Role.VIEWER}), "t")] * 2 + [None]

    class Counting:
        asked = 0

        def find(self, session_id: str) -> Visitor | None:
            Counting.asked += 1
            return found.pop(0)

        def leave(self, session_id: str) -> None:
            raise AssertionError

    standing = Standing(Counting(), TokenStore(database), clock)
    principal = Principal(name="asha", roles={"*": Role.VIEWER})
    assert standing.known(principal, "s") is None
    assert [standing.holds(principal, "s") for _ in range(2)] == [True, True]
    assert Counting.asked == 1
    assert standing.holds(principal, "s")
    assert Counting.asked == 2
    assert not standing.holds(Principal(name="asha", roles={"shop": Role.VIEWER}), "s"), "the roles are others"


def test_a_stream_of_a_token_ends_when_it_is_revoked(database):
    tokens = TokenStore(database)
    token, _ = tokens.create("nightly", {"shop": Role.VIEWER}, seconds=60, owner="asha")
    clock = iter([0.0, 5.0, 5.0]).__next__
    standing = Standing(Team(SessionStore(database), Roster(settings(), None, settings)), tokens, clock)
    assert standing.holds(token.principal(), "")
    tokens.revoke(token.token_id)
    assert not standing.holds(token.principal(), "")
