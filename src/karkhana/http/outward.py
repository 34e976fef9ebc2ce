"""Posts to an address that somebody gave us, and lets nobody reach what is ours by it.

The name is resolved once, every address that it has is looked at, and the connection goes to one of those that were
looked at: a name that says something else a moment later (DNS rebinding) changes nothing. Addresses of this machine, of
private networks and of the link are refused unless a network is named that they are in. No redirect is followed, no
proxy is used, and size and time of the answer are bounded. Knows nothing of what is sent.

>>> forbidden("127.0.0.1", ()), forbidden("::ffff:10.0.0.1", ()), forbidden("8.8.8.8", ())
(True, True, False)
>>> forbidden("10.1.2.3", (ipaddress.ip_network("10.0.0.0/8"),))
False
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST_URL = 2000
LARGEST_HEAD = 16 * 1024
TOTAL_S = 10.0
"""Seconds from the name to the head of the answer."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL = ipaddress.ip_network("2000::/3")
"""All that is handed out of IPv6 (RFC 4291); elsewhere are site-local, IPv4-compatible and local NAT64 addresses."""
_ORDINARY = {"http": 80, "https": 443}

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]


class NotSent(Exception):
    """Nothing arrived, or it is not known to have; the text says why."""


class Refused(NotSent):
    """The address is none that may be reached."""


class Target(NamedTuple):
    """An address as it is written."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def header(self) -> str:
        """For ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _ORDINARY[self.scheme] else f"{host}:{self.port}"


def target(url: str) -> Target:
    """Reads an address. Raises :class:`Refused` for one that could not be reached by anybody's rules.

    >>> target("https://example.org/hook?a=1").header
    'example.org'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
    except ValueError as error:
        raise Refused(f"it is no address: {error}") from error
    printable = url.isprintable() and " " not in url and url.isascii()
    if parts.scheme not in _ORDINARY or not host or len(url) > LONGEST_URL or not printable or "%" in host:
        raise Refused("it must be https://HOST/PATH of printable ASCII")
    if parts.username is not None or parts.password is not None:
        raise Refused("it must not hold a user name or password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _ORDINARY[parts.scheme], path)


def forbidden(text: str, allowed: Sequence[Network]) -> bool:
    """Whether an address is one that only those inside should reach."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    embedded = _embedded(address)
    if _within(address, allowed) or (embedded and all(_within(each, allowed) for each in embedded)):
        return False
    if address.version == 6 and address not in _GLOBAL and not address.ipv4_mapped and address not in _NAT64:
        return True
    return any(not each.is_global or each.is_multicast for each in (address, *embedded))


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == net.version and address in net for net in networks)


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses that a packet to this one may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


async def resolved(host: str, port: int) -> Sequence[str]:
    """All addresses of a name. Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    allowed: Sequence[Network] = (),
    total_s: float = TOTAL_S,
    resolve: Resolve = resolved,
    tls: ssl.SSLContext | None = None,
) -> int:
    """The status of the answer. Raises :class:`NotSent`.

    Without TLS only what ``allowed`` names is reached: elsewhere anybody on the way could read it.
    """
    to = target(url)
    try:
        async with asyncio.timeout(total_s):
            addresses = await resolve(to.host, to.port)
            if not addresses:
                raise NotSent(f"{to.host} has no address")
            for address in addresses:
                if forbidden(address, allowed):
                    raise Refused(f"{to.host} is {address}, which is not for the outside to ask for")
                if to.scheme == "http" and not _within(ipaddress.ip_address(address.partition("%")[0]), allowed):
                    raise Refused("without https it is sent only to networks that the settings name")
            return await _exchange(to, addresses[0], headers, body, tls)
    except TimeoutError as error:
        raise NotSent(f"no answer within {total_s:g} s") from error
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise NotSent(f"{type(error).__name__}: {error}"[:300]) from error


async def _exchange(
    to: Target, address: str, headers: Mapping[str, str], body: bytes, tls: ssl.SSLContext | None
) -> int:
    context = (tls or ssl.create_default_context()) if to.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        address, to.port, ssl=context, server_hostname=to.host if context else None, limit=LARGEST_HEAD
    )
    try:
        lines = [f"POST {to.path} HTTP/1.1", f"host: {to.header}", f"content-length: {len(body)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body)
        await writer.drain()
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
            if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
                raise NotSent("the answer is no HTTP")
            if not rest.startswith(b"1"):
                return int(rest[:3])
    except asyncio.LimitOverrunError as error:
        raise NotSent("the answer's head is too long") from error
    finally:
        # not the body of the answer: nobody here reads it
        writer.transport.abort()
