import pytest

from karkhana.routing.attempt import Place
from karkhana.routing.attempts import Retrying
from karkhana.routing.breaker import Breaker, BreakerSettings
from karkhana.routing.course import PROBE_S, Course, Stop
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider_faults import CannotSay

RETRYING = Retrying(base_s=1.0)


def course(*places: str, in_a_row: int = 100) -> Course:
    """Places written ``PROVIDER#KEY``."""
    made = []
    for text in places:
        provider, _, key = text.partition("#")
        made.append(Stop(Place(provider, "m", key or "1"), Breaker(BreakerSettings(in_a_row=in_a_row, open_s=5))))
    return Course(made, RETRYING)


def visit(found: Course, now: float, fault: Fault | ProviderFault | None = None, drawn: float = 1.0) -> str | None:
    """Where the course goes; the fault is what it meets there."""
    step = found.next(now)
    if step is None:
        return None
    stop, permit = step
    stop.tries += 1
    if fault is not None:
        met = fault if isinstance(fault, ProviderFault) else ProviderFault(fault, "no")
        if met.fault.blames_provider:
            stop.breaker.failed(permit, now, met.retry_after_s)
        found.failed(stop, met, now, drawn)
    return f"{stop.place.provider}#{stop.place.key}"


def test_places_are_asked_in_their_order_and_then_again() -> None:
    found = course("a", "b")
    assert [visit(found, 0.0, Fault.RATE_LIMITED) for _ in range(3)] == ["a#1", "b#1", None]
    assert found.waits_s(0.0) == 1.0
    assert visit(found, 1.0, Fault.RATE_LIMITED) == "a#1"


def test_an_error_of_the_server_is_tried_once_more_in_the_same_place() -> None:
    found = course("a", "b")
    assert visit(found, 0.0, Fault.SERVER_ERROR, drawn=0.3) == "a#1"
    assert visit(found, 0.0) is None
    assert found.waits_s(0.1) == pytest.approx(0.2)
    assert visit(found, 0.3, Fault.SERVER_ERROR) == "a#1"
    assert visit(found, 0.3) == "b#1"


def test_what_is_asked_for_is_waited_for() -> None:
    found = course("a")
    visit(found, 0.0, ProviderFault(Fault.SERVER_ERROR, "no", retry_after_s=7.0))
    assert found.next(6.9) is None
    assert found.waits_s(0.0) == 7.0
    assert visit(found, 7.0) == "a#1"


def test_a_refused_key_ends_the_key_and_an_unknown_model_all_of_them() -> None:
    found = course("a#1", "a#2", "b#1")
    assert visit(found, 0.0, Fault.QUOTA) == "a#1"
    assert visit(found, 0.0, Fault.UNKNOWN_MODEL) == "a#2"
    assert visit(found, 0.0, Fault.TOO_LONG) == "b#1"
    assert found.over


def test_what_one_wire_cannot_say_does_not_hide_the_fault_of_another() -> None:
    found = course("a", "b")
    visit(found, 0.0, Fault.QUOTA)
    visit(found, 0.0, CannotSay("no word for it"))
    assert found.over
    assert found.last is not None
    assert found.last.fault is Fault.QUOTA


def test_an_open_breaker_is_passed_by_and_waited_for() -> None:
    found = course("a", "b", in_a_row=1)
    assert visit(found, 0.0, Fault.OVERLOADED) == "a#1"
    assert visit(found, 3.0, Fault.OVERLOADED) == "b#1"
    assert visit(found, 3.0) is None
    assert found.waits_s(3.0) == 2.0
    assert visit(found, 5.0) == "a#1"


def test_a_probe_of_another_call_is_looked_after_soon() -> None:
    found = course("a", in_a_row=1)
    visit(found, 0.0, Fault.OVERLOADED)
    assert found.stops[0].breaker.admit(5.0) is not None
    assert found.next(5.0) is None
    assert found.waits_s(5.0) == PROBE_S


def test_a_second_request_goes_elsewhere_if_it_can() -> None:
    found = course("a", "b")
    first = found.next(0.0)
    assert first is not None
    other = found.next(0.0, besides=first[0])
    assert other is not None
    assert other[0].place.provider == "b"
    alone = course("a")
    only = alone.next(0.0)
    assert only is not None
    assert alone.next(0.0, besides=only[0]) is not None


def test_attempts_are_counted_without_hedges() -> None:
    found = course("a")
    assert not found.over
    found.counted = RETRYING.attempts
    assert found.over
