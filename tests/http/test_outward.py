"""What somebody gave us as an address reaches nothing that is ours, whatever its name says a moment later."""

import asyncio
import ipaddress
import socket

import pytest

from karkhana.http.outward import NotSent, Refused, forbidden, post, target

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Receiver:
    """A server on loopback that answers with given bytes, and remembers what it was sent."""

    def __init__(self, answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", wait_s: float = 0.0) -> None:
        self.answer = answer
        self.wait_s = wait_s
        self.got: list[bytes] = []

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.got.append(head + await reader.readexactly(length))
            await asyncio.sleep(self.wait_s)
            writer.write(self.answer)
            await writer.drain()
        finally:
            writer.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::127.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "4000::1",
    ],
)
def test_what_is_inside_is_refused(address: str) -> None:
    assert forbidden(address, ())


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::808:808"]
)
def test_what_is_outside_is_not(address: str) -> None:
    assert not forbidden(address, ())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "https:///x",
        "https://u:p@a.example/",
        "https://u@a.example/",
        "https://a.example/ x",
        "https://a.example/\r\nhost: b",
        "https://a.example:99999/",
        "https://[::1%25lo]/",
        "https://a.example/" + "x" * 2000,
        "file:///etc/passwd",
        "",
    ],
)
def test_what_is_no_address_of_ours_to_ask_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        target(url)


def test_it_posts_where_it_may() -> None:
    async def go() -> None:
        receiver = Receiver()
        async with receiver as address:
            assert await post(address + "/hook?a=1", {"webhook-id": "msg_1"}, b'{"a": 1}', allowed=LOOPBACK) == 204
        (got,) = receiver.got
        assert got.startswith(b"POST /hook?a=1 HTTP/1.1\r\nhost: 127.0.0.1:")
        assert b"\r\nwebhook-id: msg_1\r\n" in got
        assert got.endswith(b'\r\n\r\n{"a": 1}')

    asyncio.run(go())


def test_nothing_is_sent_inside_unless_its_network_is_named() -> None:
    async def go() -> None:
        receiver = Receiver()
        async with receiver as address:
            for allowed in ((), (ipaddress.ip_network("10.0.0.0/8"),)):
                with pytest.raises(Refused):
                    await post(address, {}, b"", allowed=allowed)
        assert receiver.got == []

    asyncio.run(go())


def test_a_name_is_resolved_once_and_every_address_of_it_counts() -> None:
    asked = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14", "127.0.0.1"] if len(asked) == 1 else ["127.0.0.1"]

    async def go() -> None:
        with pytest.raises(Refused, match=r"127\.0\.0\.1"):
            await post("https://a.example/", {}, b"", resolve=rebinding)
        assert asked == ["a.example"]

    asyncio.run(go())


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    async def looked_at(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def go() -> None:
        receiver = Receiver()
        async with receiver as address:
            port = address.rpartition(":")[2]
            told = await post(f"http://a.example:{port}/", {}, b"", allowed=LOOPBACK, resolve=looked_at)
        assert told == 204
        assert b"host: a.example:" in receiver.got[0]

    asyncio.run(go())


def test_without_tls_only_named_networks_are_told() -> None:
    async def outside(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14"]

    with pytest.raises(Refused, match="https"):
        asyncio.run(post("http://a.example/", {}, b"", allowed=LOOPBACK, resolve=outside))


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async def go() -> None:
        second = Receiver()
        async with second as elsewhere:
            first = Receiver(b"HTTP/1.1 302 Found\r\nlocation: " + elsewhere.encode() + b"\r\n\r\n")
            async with first as address:
                assert await post(address, {}, b"", allowed=LOOPBACK) == 302
        assert second.got == []

    asyncio.run(go())


@pytest.mark.parametrize(
    "answer",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"],
)
def test_an_answer_that_is_none_is_no_arrival(answer: bytes) -> None:
    async def go() -> None:
        async with Receiver(answer) as address:
            with pytest.raises(NotSent):
                await post(address, {}, b"", allowed=LOOPBACK)

    asyncio.run(go())


def test_a_receiver_that_is_slow_is_left() -> None:
    async def go() -> None:
        async with Receiver(wait_s=0.6) as address:
            with pytest.raises(NotSent, match="no answer within"):
                await post(address, {}, b"", allowed=LOOPBACK, total_s=0.2)
            await asyncio.sleep(0.6)

    asyncio.run(go())


def test_an_interim_answer_is_not_the_answer() -> None:
    async def go() -> None:
        async with Receiver(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Created\r\n\r\n") as address:
            assert await post(address, {}, b"", allowed=LOOPBACK) == 201

    asyncio.run(go())


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotSent):
        asyncio.run(post(f"http://127.0.0.1:{port}/", {}, b"", allowed=LOOPBACK))


def test_a_certificate_is_looked_at() -> None:
    async def go() -> None:
        async with Receiver() as address:
            # plain HTTP behind an https address: the handshake fails, and nothing is sent
            with pytest.raises(NotSent):
                await post(address.replace("http:", "https:"), {}, b"x", allowed=LOOPBACK, total_s=5.0)

    asyncio.run(go())
