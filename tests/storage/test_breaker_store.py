"""What processes tell of their breakers, on both databases."""

from karkhana.storage.breaker_store import BreakerReport, BreakerStore


def report(place: str, state: str = "closed") -> BreakerReport:
    return BreakerReport(reporter="", place=place, state=state, answered=5, failed=1, opens_in_s=0.0)


def test_each_process_tells_anew_and_the_silent_are_left_out(database, clock):
    store = BreakerStore(database, clock)
    store.tell("one", [report("cloud/a#1"), report("cloud/b#1", "open")])
    clock.move(30)
    store.tell("two", [report("cloud/a#1")])
    told = [(each.place, each.reporter, each.state) for each in store.told(60)]
    assert told == [("cloud/a#1", "one", "closed"), ("cloud/a#1", "two", "closed"), ("cloud/b#1", "one", "open")]
    assert [each.reporter for each in store.told(10)] == ["two"]
    store.tell("one", [])
    assert [each.reporter for each in store.told(60)] == ["two"]


def test_what_nobody_tells_any_more_is_deleted(database, clock):
    store = BreakerStore(database, clock)
    store.tell("gone", [report("cloud/a#1")])
    clock.move(90_000)
    store.tell("here", [])
    assert store.told(1e9) == []
