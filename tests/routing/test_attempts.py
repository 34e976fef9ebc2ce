from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.attempts import Retrying, same_again
from karkhana.routing.faults import Fault


@given(again=st.integers(1, 10_000), drawn=st.floats(0, 1), asked=st.one_of(st.none(), st.floats(0, 100)))
def test_a_wait_is_within_its_bound_and_not_below_what_is_asked(again: int, drawn: float, asked: float | None) -> None:
    found = Retrying().backoff_s(again, drawn, asked)
    assert (asked or 0.0) <= found <= max(Retrying().longest_s, asked or 0.0)


def test_the_bound_doubles() -> None:
    assert [Retrying().backoff_s(again, 1.0) for again in range(1, 9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0]


def test_only_the_last_attempt_may_use_all_the_time() -> None:
    retrying = Retrying(attempts=3)
    assert [retrying.limit_s(attempt, 8.0) for attempt in (1, 2, 3)] == [4.0, 4.0, 8.0]


def test_only_what_hits_one_request_is_sent_to_the_same_place_at_once() -> None:
    assert {fault for fault in Fault if same_again(fault, 1)} == {Fault.SERVER_ERROR, Fault.BROKEN}
    assert not any(same_again(fault, 2) for fault in Fault)
