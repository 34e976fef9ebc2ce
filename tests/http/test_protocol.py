"""What one connection does with the requests that come on it, byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from karkhana.http.protocol import Limits
from karkhana.http.server import listen, server

GET = b"GET /a%20b?x=1 HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


@contextlib.asynccontextmanager
async def served(app: Any, limits: Limits | None = None) -> AsyncIterator[int]:
    """The port of a server for ``app``."""

    async def program(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        else:
            await app(scope, receive, send)

    made, listening = server(program, limits, stop_s=1), listen("127.0.0.1", 0)
    task = asyncio.create_task(made.serve(sockets=[listening]))
    while not made.started:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
        await asyncio.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        made.should_exit = True
        await task
        listening.close()


async def exchanged(port: int, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for data in sent:
            writer.write(data)
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def saying(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


async def path(scope: Any, receive: Any, send: Any) -> None:
    said = f"{scope['path']}|{scope['query_string'].decode()}".encode()
    await saying(said, (b"content-length", b"%d" % len(said)))(scope, receive, send)


def test_requests_that_come_together_are_answered_one_after_the_other() -> None:
    async def work() -> None:
        async with served(path) as port:
            got = await exchanged(port, GET + GET + LAST)
        assert got.count(b"/a b|x=1") == 2
        assert got.endswith(b"connection: close\r\n\r\n/|")

    run(work())


def test_a_later_request_waits_until_the_earlier_one_is_answered() -> None:
    async def work() -> None:
        running: list[int] = []

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            running.append(1)
            assert len(running) == 1
            await asyncio.sleep(0.05)
            running.pop()
            await path(scope, receive, send)

        async with served(slow) as port:
            assert (await exchanged(port, GET, GET, LAST, pause_s=0.01)).count(b"HTTP/1.1 200 OK") == 3

    run(work())


def test_an_answer_without_a_length_is_chunked_and_for_an_old_client_ends_with_the_connection() -> None:
    async def work() -> None:
        async with served(saying(b"words")) as port:
            new = await exchanged(port, LAST)
            old = await exchanged(port, b"GET / HTTP/1.0\r\n\r\n")
        assert new.endswith(b"transfer-encoding: chunked\r\n\r\n5\r\nwords\r\n0\r\n\r\n")
        assert old.endswith(b"connection: close\r\n\r\nwords")

    run(work())


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204)])
def test_an_answer_that_has_no_body_gets_none(method: bytes, status: int) -> None:
    async def work() -> None:
        async with served(saying(b"words", (b"Content-Length", b"5"), status=status)) as port:
            got = await exchanged(port, LAST.replace(b"GET", method))
        assert got.startswith(b"HTTP/1.1 %d " % status)
        assert got.endswith(b"content-length: 5\r\nconnection: close\r\n\r\n")

    run(work())


def test_a_head_is_told_before_the_first_piece_of_a_stream_comes() -> None:
    async def work() -> None:
        more = asyncio.Event()

        async def stream(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await more.wait()
            await send({"type": "http.response.body", "body": b"late"})

        async with served(stream) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(LAST)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            more.set()
            assert b"late" in await reader.read()
            writer.close()

    run(work())


@pytest.mark.parametrize(
    "headers",
    [[(b"x", b"a\r\nx-more: 1")], [(b"x-\n", b"a")], [(b"", b"a")], [(b"x", b"a\0")]],
    ids=["line break", "name", "no name", "zero"],
)
def test_a_program_cannot_write_headers_that_break_out(headers: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with served(saying(b"", *headers)) as port:
            got = await exchanged(port, LAST)
        assert got.startswith(b"HTTP/1.1 500 ")
        assert b"x-more" not in got

    run(work())
    assert "ValueError" in caplog.text


def test_a_program_that_fails_is_told_by_its_place_and_not_by_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("secret")

    async def work() -> None:
        async with served(broken) as port:
            assert (await exchanged(port, GET)).startswith(b"HTTP/1.1 500 ")

    run(work())
    assert "KeyError at " in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("body", [b"long", b"longer than told"])
def test_an_answer_of_another_length_than_told_breaks_the_connection(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with served(saying(body, (b"content-length", b"6"))) as port:
            assert await exchanged(port, GET) == b""

    run(work())
    assert "RuntimeError" in caplog.text


def test_a_client_that_waits_for_a_word_gets_one_before_its_body() -> None:
    async def sized(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await saying(body, (b"content-length", b"%d" % len(body)))(scope, receive, send)

    async def work() -> None:
        async with served(sized) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await reader.readuntil(b"body")).startswith(b"HTTP/1.1 200 ")
            writer.close()

    run(work())


def test_a_program_is_told_that_its_client_left() -> None:
    async def work() -> None:
        told = asyncio.Event()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            told.set()

        async with served(waiting) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.wait_for(told.wait(), 5)

    run(work())


def test_a_connection_that_waits_too_long_for_its_next_request_is_closed_without_a_word() -> None:
    async def work() -> None:
        async with served(path, Limits(keep_s=0.2)) as port:
            got = await exchanged(port, GET)
        assert got.startswith(b"HTTP/1.1 200 ")
        assert got.endswith(b"/a b|x=1")

    run(work())


@pytest.mark.parametrize("first", [b"", GET], ids=["the first", "the next"])
def test_blank_lines_and_half_a_head_do_not_hold_a_connection(first: bytes) -> None:
    async def work() -> None:
        async with served(path, Limits(head_s=0.2, keep_s=0.4)) as port:
            blank = await exchanged(port, first, b"\r\n", pause_s=0.02)
            half = await exchanged(port, first, b"GET / HT", b"TP/1.1\r\n", pause_s=0.02)
        assert blank.endswith(b"the request did not come in time" if not first else b"/a b|x=1")
        assert half.endswith(b"the request did not come in time")

    run(work())


def test_a_client_that_asks_for_another_protocol_is_answered_on_this_one() -> None:
    async def work() -> None:
        async with served(path) as port:
            got = await exchanged(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"))
        assert got.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in got

    run(work())
