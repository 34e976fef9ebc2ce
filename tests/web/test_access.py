"""Links that work once, sessions that end."""

import pytest

from karkhana.web import access
from karkhana.web.access import Doors


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def doors(clock: Clock) -> Doors:
    return Doors("asha", clock)


def test_a_link_works_once(doors):
    token = doors.link()
    first = doors.enter(token)
    assert first is not None
    assert doors.enter(token) is None
    assert doors.session(first).account == "asha"


def test_a_link_works_for_ten_minutes(doors, clock):
    in_time, late = doors.link(), doors.link()
    clock.now += access.LINK_S
    assert doors.enter(in_time) is not None
    clock.now += 1
    assert doors.enter(late) is None


def test_an_unused_session_ends_and_a_used_one_ends_in_the_end(doors, clock):
    idle, used = doors.enter(doors.link()), doors.enter(doors.link())
    for _ in range(3):
        clock.now += access.IDLE_S * 0.7
        assert doors.session(used) is not None
    assert doors.session(idle) is None
    clock.now = 1000.0 + access.LONGEST_S + 1
    assert doors.session(used) is None


def test_open_sessions_are_told_and_ended(doors, clock):
    idle, used = doors.enter(doors.link()), doors.enter(doors.link())
    clock.now += access.IDLE_S
    doors.session(used)
    clock.now += 1
    ((key, told),) = doors.open().items()
    assert told == (access.IDLE_S + 1, access.IDLE_S - 1)
    assert doors.end([key, key, "none"]) == 1
    assert doors.session(used) is None
    assert doors.session(idle) is None


def test_who_leaves_is_out(doors):
    session_id = doors.enter(doors.link())
    doors.leave(session_id)
    assert doors.session(session_id) is None


def test_neither_tokens_nor_sessions_are_kept_as_they_are(doors):
    token = doors.link()
    session_id = doors.enter(doors.link())
    kept = repr(vars(doors))
    assert token not in kept
    assert session_id not in kept


def test_the_token_of_a_form_belongs_to_one_session(doors):
    one, other = (doors.session(doors.enter(doors.link())) for _ in range(2))
    assert one.sent(one.form_token)
    assert not one.sent(other.form_token)
    assert not one.sent("")


def test_tries_are_limited_and_come_back(doors, clock):
    assert [doors.may_try() for _ in range(access.TRIES + 1)] == [True] * access.TRIES + [False]
    clock.now += access.TRIES_S + 1
    assert doors.may_try()


def test_links_and_sessions_are_bounded(doors):
    oldest = doors.link()
    for _ in range(access.LINKS):
        doors.link()
    assert doors.enter(oldest) is None
    first = doors.enter(doors.link())
    for _ in range(access.SESSIONS):
        doors.enter(doors.link())
    assert doors.session(first) is None
