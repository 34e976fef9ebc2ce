"""How often somebody may ask, and how often an address may fail: an allowance that fills up again evenly.

The generic cell rate algorithm (ITU-T I.371): of each key only the time is kept at which its allowance is full again.
Memory is bounded: the key that asked longest ago is forgotten, which can only be to its advantage. Knows nothing of who
asks.

>>> clock = iter([0.0, 0.0, 0.0, 31.0]).__next__
>>> allowed = Allowances(2, clock=clock)
>>> allowed.take("asha"), allowed.take("asha"), allowed.take("asha"), allowed.take("asha")
(0.0, 0.0, 30.0, 0.0)
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from threading import Lock

from starlette.datastructures import Headers

PERIOD_S = 60.0
KEPT = 10_000
"""Keys that are remembered; each takes about 200 bytes."""


class Allowances:
    """So many a minute for each key. Thread-safe."""

    def __init__(self, per_minute: int, *, kept: int = KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._each_s = PERIOD_S / per_minute
        self._kept = kept
        self._clock = clock
        self._lock = Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> float:
        """0.0: it was granted; else the seconds until it will be."""
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.pop(key, now), now) + self._each_s
            wait_s = full_at - now - PERIOD_S
            # a little room, since sums of fractions are not exact
            if wait_s > 1e-9:
                self._full_at[key] = full_at - self._each_s
                return wait_s
            self._full_at[key] = full_at
            while len(self._full_at) > self._kept:
                self._full_at.popitem(last=False)
        return 0.0

    def wait(self, key: str) -> float:
        """The seconds until :meth:`take` would grant it; nothing is taken."""
        with self._lock:
            return max(0.0, self._full_at.get(key, 0.0) + self._each_s - self._clock() - PERIOD_S)

    def __len__(self) -> int:
        return len(self._full_at)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(named: Collection[str]) -> tuple[Network, ...]:
    """Addresses and networks as they stand in the settings."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in named)


def within(address: str, named: Collection[Network]) -> bool:
    """Whether an address is in one of the networks.

    >>> within("10.1.2.3", networks(["10.1.0.0/16"])), within("::ffff:10.1.2.3", networks(["10.1.0.0/16"]))
    (True, True)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in named)


def neighbourhood(address: str) -> str:
    """What failures are counted of: whoever has one address of version 6 has 2 ** 64.

    >>> neighbourhood("203.0.113.9"), neighbourhood("2001:db8::7")
    ('203.0.113.9', '2001:db8::/64')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def forwarded(headers: Headers) -> str:
    """``X-Forwarded-For`` as one list: some proxies add a line of their own below the one that a client sent.

    >>> forwarded(Headers(raw=[(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"203.0.113.9")]))
    '6.6.6.6, 203.0.113.9'
    """
    return ", ".join(headers.getlist("x-forwarded-for"))


def client_of(peer: str, forwarded: str, proxies: Collection[Network]) -> str:
    """Whom a request is from: behind known proxies the last address that none of them is.

    What a client wrote into ``X-Forwarded-For`` itself stands to the left of that, and is not believed.

    >>> client_of("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", networks(["10.0.0.0/24"]))
    '203.0.113.9'
    """
    if not within(peer, proxies):
        return peer
    for each in reversed([part.strip() for part in forwarded.split(",")]):
        try:
            ipaddress.ip_address(each)
        except ValueError:
            return peer
        if not within(each, proxies):
            return each
    return peer
