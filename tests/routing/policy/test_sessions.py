"""A session is remembered for as long as there is room, and its cache for as long as a provider keeps it."""

from karkhana.routing.policy.sessions import Home, Sessions


def test_the_latest_sessions_are_remembered_and_each_client_has_its_own() -> None:
    sessions = Sessions(capacity=2, cache_s=300)
    sessions.answered(("k", "a"), "p/m", 10, 0.0)
    sessions.answered(("other", "a"), "p/n", 20, 1.0)
    sessions.answered(("k", "a"), "p/m", 30, 2.0)
    sessions.answered(("k", "b"), "p/m", 40, 3.0)
    assert len(sessions) == 2
    assert sessions.of(("other", "a"), 4.0) is None
    assert sessions.of(("k", "a"), 4.0) == Home("p/m", 30)


def test_a_cache_is_believed_for_its_time() -> None:
    sessions = Sessions(capacity=2, cache_s=300)
    sessions.answered(("k", "a"), "p/m", 10, 0.0)
    assert sessions.of(("k", "a"), 300.0) == Home("p/m", 10)
    assert sessions.of(("k", "a"), 300.1) == Home("p/m", 0)
