from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.hedging import MANY, Hedging, HedgingSettings

A = ("a", "m", True)


def test_nothing_is_slow_until_enough_is_known() -> None:
    hedging = Hedging()
    for _ in range(19):
        hedging.waited(A, 1.0)
    assert hedging.wait_s(A) is None
    hedging.waited(A, 1.0)
    assert hedging.wait_s(A) == 1.0
    assert hedging.wait_s(("b", "m", True)) is None


@given(st.lists(st.floats(0.02, 100), min_size=20, max_size=500))
def test_slow_is_what_95_of_100_recent_ones_were_not(times: list[float]) -> None:
    hedging = Hedging(HedgingSettings(recent=100, shortest_s=0.01))
    for seconds in times:
        hedging.waited(A, seconds)
    recent = sorted(times[-100:])
    assert hedging.wait_s(A) == recent[int(len(recent) * 0.95)]


@given(st.lists(st.booleans(), max_size=500))
def test_there_are_never_more_than_5_for_100_calls(slow: list[bool]) -> None:
    hedging = Hedging()
    for each in slow:
        hedging.called()
        if each and hedging.may_send:
            hedging.send()
        assert hedging.sent <= 0.05 * hedging.calls + 1e-6


def test_only_so_many_can_be_saved_up() -> None:
    hedging = Hedging(HedgingSettings(burst=3))
    for _ in range(1000):
        hedging.called()
    for _ in range(3):
        assert hedging.may_send
        hedging.send()
    assert not hedging.may_send


def test_it_can_be_turned_off() -> None:
    hedging = Hedging(HedgingSettings(share=0))
    for _ in range(100):
        hedging.called()
        hedging.waited(A, 1.0)
    assert hedging.wait_s(A) is None
    assert not hedging.may_send


def test_paces_of_names_that_clients_make_up_are_bounded() -> None:
    hedging = Hedging(HedgingSettings(least=1))
    for number in range(MANY + 5):
        hedging.waited(("p", str(number), True), 0.2)
    assert len(hedging._times) == len(hedging._sorted) == MANY
    assert hedging.wait_s(("p", "0", True)) is None
    assert hedging.wait_s(("p", str(MANY), True)) == 0.2
