"""So many a minute, in bounded memory, of whom it really is from."""

import pytest

from karkhana.web.limits import Allowances, client_of, neighbourhood, networks, within

PROXIES = networks(["10.0.0.0/24", "::1"])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_allowance_is_used_up_and_fills_again():
    clock = Clock()
    allowed = Allowances(60, clock=clock)
    assert [allowed.take("a") for _ in range(60)] == [0.0] * 60
    assert allowed.take("a") == pytest.approx(1.0)
    assert allowed.take("b") == 0.0
    clock.now = 0.5
    assert allowed.take("a") == pytest.approx(0.5)
    clock.now = 1.0
    assert allowed.take("a") == 0.0
    assert allowed.take("a") > 0.0
    clock.now = 10_000.0
    assert [allowed.take("a") for _ in range(61)].count(0.0) == 60


def test_memory_has_an_end():
    allowed = Allowances(1, kept=100)
    for number in range(1000):
        allowed.take(str(number))
    assert len(allowed) == 100
    assert allowed.take("999") > 0.0
    assert allowed.take("0") == 0.0


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, junk", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a_client_cannot_say_who_it_is(peer, forwarded, client):
    assert client_of(peer, forwarded, PROXIES) == client


def test_addresses_that_are_one_count_as_one():
    assert within("::ffff:10.0.0.3", PROXIES)
    assert not within("x", PROXIES)
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("testclient") == "testclient"
