from karkhana.routing.key_ring import KeyRing


def test_each_call_begins_with_the_next_key() -> None:
    ring = KeyRing(["1", "2", "3"])
    assert [ring.turn(0.0)[0] for _ in range(4)] == ["1", "2", "3", "1"]
    assert all(sorted(ring.turn(0.0)) == ["1", "2", "3"] for _ in range(3))


def test_a_refused_key_rests_and_comes_back() -> None:
    ring = KeyRing(["1", "2"], rest_s=60)
    ring.rest("1", 0.0)
    assert [ring.turn(59.0) for _ in range(2)] == [("2",), ("2",)]
    assert ring.resting(59.0) == {"1": 1.0}
    assert sorted(ring.turn(60.0)) == ["1", "2"]


def test_a_key_rests_as_long_as_the_provider_asks() -> None:
    ring = KeyRing(["1"], rest_s=60)
    ring.rest("1", 0.0, retry_after_s=90.0)
    assert ring.turn(80.0) == ()
    assert ring.waits_s(80.0) == 10.0


def test_a_key_that_works_does_not_rest() -> None:
    ring = KeyRing(["1"], rest_s=60)
    ring.rest("1", 0.0)
    ring.works("1")
    assert ring.turn(1.0) == ("1",)
    assert ring.waits_s(1.0) == 0.0
