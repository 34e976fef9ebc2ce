import pytest

from karkhana.http.pool import Pool
from karkhana.routing.breaker import BreakerSettings, State
from karkhana.routing.configuration import Candidate
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.provider_faults import CannotSay
from karkhana.routing.standings import MANY, Standings
from karkhana.routing.wires.registry import WIRES

A, OTHER = Candidate("cloud", "a"), Candidate("cloud", "other")


def standings(*keys: str) -> Standings:
    provider = Provider("cloud", WIRES["openai"], "http://127.0.0.1:9", keys, Pool())
    return Standings({"cloud": provider}, BreakerSettings(in_a_row=1), 60.0)


def meet(found: Standings, fault: ProviderFault, now: float = 0.0) -> None:
    stop = found.stops([A], now)[0][0]
    permit = stop.breaker.admit(now)
    assert permit is not None
    found.learn(stop.place, permit, fault, now)


def test_each_key_of_each_model_is_a_place_of_its_own() -> None:
    found = standings("k1", "k2")
    stops, refusal = found.stops([A, OTHER], 0.0)
    assert [str(stop.place) for stop in stops] == ["cloud/a#1", "cloud/a#2", "cloud/other#1", "cloud/other#2"]
    assert refusal is None
    assert "k1" not in str(found.health(0.0))


@pytest.mark.parametrize("fault", list(Fault))
def test_only_what_the_provider_is_to_blame_for_opens_its_breaker(fault: Fault) -> None:
    found = standings()
    meet(found, ProviderFault(fault, "no"))
    opened = found.health(0.0)["cloud/a#0"].state is State.OPEN
    assert opened == (fault.blames_provider and fault not in (Fault.UNAUTHORISED, Fault.QUOTA))


def test_a_key_that_one_model_refuses_still_asks_the_other() -> None:
    found = standings("k1")
    meet(found, ProviderFault(Fault.UNAUTHORISED, "not for you", status=401))
    assert found.resting_keys(10.0) == {"cloud/a#1": 50.0}
    stops, refusal = found.stops([A], 10.0)
    assert not stops
    assert refusal is not None
    assert (refusal.fault, refusal.retry_after_s) == (Fault.UNAUTHORISED, 50.0)
    assert refusal.message == "not for you (asked again in 50 s)"
    assert len(found.stops([OTHER], 10.0)[0]) == 1
    assert len(found.stops([A], 60.0)[0]) == 1


def test_what_was_never_sent_says_nothing() -> None:
    found = standings()
    meet(found, CannotSay("no word for it"))
    health = found.health(0.0)["cloud/a#0"]
    assert (health.state, health.answered, health.failed) == (State.CLOSED, 0, 0)


def test_names_that_clients_make_up_are_forgotten_and_what_is_known_stays() -> None:
    found = standings()
    meet(found, ProviderFault(Fault.SERVER_ERROR, "no"))
    under_way = found.stops([OTHER], 0.0)[0][0]
    assert under_way.breaker.admit(0.0) is not None
    for number in range(3 * MANY):
        found.stops([Candidate("cloud", f"made up {number}")], 1.0)
        assert len(found.of) <= MANY + 1
    places = {str(place) for place in found.of}
    assert {"cloud/a#0", "cloud/other#0"} <= places
    assert found.of[under_way.place].breaker is under_way.breaker
    assert found.health(1.0)["cloud/a#0"].state is State.OPEN


def test_many_places_that_must_be_remembered_are_not_looked_at_each_time() -> None:
    found = standings()
    for number in range(MANY + 2):
        stop = found.stops([Candidate("cloud", str(number))], 0.0)[0][0]
        stop.breaker.admit(0.0)
    assert found._most >= 2 * MANY


def test_a_call_goes_on_at_a_place_that_was_forgotten() -> None:
    found = standings("k1", "k2")
    place = found.stops([A], 0.0)[0][1].place
    found._sweep(0.0)
    assert place not in found.of
    assert found.of[place].key.label == "2"


def test_what_is_inherited_is_shared() -> None:
    before, after = standings(), standings()
    meet(before, ProviderFault(Fault.SERVER_ERROR, "no"))
    after.inherit(before, {"cloud"})
    assert after.health(0.0)["cloud/a#0"].state is State.OPEN
    other = standings()
    other.inherit(before, {"else"})
    assert other.health(0.0) == {}
