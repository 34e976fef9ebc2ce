import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from http_servers import OK, always, request_of, serving

from karkhana.http import errors
from karkhana.http.messages import Headers, Url
from karkhana.http.pool import Pool
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, answer_with, body_of, pass_on
from karkhana.http.server import BreakableProtocol, GuardedProtocol, Limits, listen, serve, server


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


@asynccontextmanager
async def served(
    app: Any,
    limits: Limits | None = None,
    protocol: type[GuardedProtocol] = GuardedProtocol,
    *,
    cancelling: bool = False,
) -> AsyncIterator[Url]:
    async def program(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await app(scope, receive, send)

    made = server(program, limits, stop_s=1, protocol=protocol, cancelling=cancelling)
    listening = listen("127.0.0.1", 0)
    task = asyncio.create_task(made.serve(sockets=[listening]))
    while not made.started:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
        await asyncio.sleep(0.01)
    try:
        yield Url.parse(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    finally:
        made.should_exit = True
        await task
        listening.close()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it got."""
    try:
        body = await body_of(receive, 1_000_000)
    except ClientLeft:
        return
    except BodyTooLong as error:
        await _say(send, 413, str(error).encode())
        return
    said = {"method": scope["method"], "path": scope["path"], "bytes": len(body), "headers": len(scope["headers"])}
    await _say(send, 200, json.dumps(said).encode())


async def _say(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def talk(url: Url, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """What the server answers to ``sent`` before it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", url.origin.port)
    answer = asyncio.create_task(reader.read())
    try:
        for data in sent:
            if not answer.done():
                writer.write(data)
                await asyncio.sleep(pause_s)
        return await asyncio.wait_for(answer, 10)
    finally:
        writer.close()


def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    async def work() -> None:
        async with served(echo) as url, Pool() as pool:
            for size in (0, 5, 900_000):
                answer = await pool.send("POST", url, [], b"x" * size)
                assert json.loads(await answer.read(1000))["bytes"] == size
            answer = await pool.send("POST", url, [], b"x" * 1_000_001)
            assert answer.status == 413
            answer.close()

    run(work())


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async def work() -> None:
        async with served(echo, Limits(head_s=0.2)) as url:
            silent = await talk(url)
            dripping = await talk(url, *[b"GET / HTTP/1.1\r\n", *[b"x: 1\r\n"] * 20], pause_s=0.05)
        assert silent.startswith(b"HTTP/1.1 408 ")
        assert dripping.startswith(b"HTTP/1.1 408 ")

    run(work())


def test_a_body_that_stops_coming_is_not_waited_for() -> None:
    async def work() -> None:
        async with served(echo, Limits(body_idle_s=0.2)) as url:
            got = await talk(url, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf")
        assert got.startswith(b"HTTP/1.1 408 ")

    run(work())


def test_slow_work_is_not_taken_for_a_slow_client() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.5)
        await echo(scope, receive, send)

    async def work() -> None:
        async with served(slow, Limits(head_s=0.1, body_idle_s=0.1)) as url, Pool() as pool:
            answer = await pool.send("POST", url, [], b"x" * 500_000)
            assert json.loads(await answer.read(1000))["bytes"] == 500_000

    run(work())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 9_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 90_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"x: 1\r\n" * 33 + b"\r\n", b"4"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", b"400"),
    ],
)
def test_floods_and_nonsense_are_refused(sent: bytes, status: bytes) -> None:
    async def work() -> None:
        async with served(echo, Limits(head_bytes=8_000, headers=32)) as url, Pool() as pool:
            assert (await talk(url, sent)).startswith(b"HTTP/1.1 " + status)
            assert (await (await pool.send("GET", url, [])).read(1000)).startswith(b"{")

    run(work())


def test_beyond_the_limit_of_connections_new_ones_are_refused() -> None:
    async def work() -> None:
        async with served(echo, Limits(connections=3)) as url:
            held = [await asyncio.open_connection("127.0.0.1", url.origin.port) for _ in range(3)]
            await asyncio.sleep(0.05)
            refused = await talk(url)
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in refused
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.05)
            async with Pool() as pool:
                assert (await pool.send("GET", url, [])).status == 200

    run(work())


def proxy(pool: Pool, upstream: Url, add: Headers = (), limit: int = 1_000_000) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            answer = await pass_on(pool, scope, receive, upstream, limit=limit, drop=frozenset({b"x-key"}), add=add)
        except BodyTooLong as error:
            await _say(send, 413, str(error).encode())
            return
        await answer_with(send, answer, drop=frozenset({b"x-inner"}), add=[(b"x-route", b"a")])

    return app


def test_a_request_and_its_answer_are_passed_on_byte_for_byte() -> None:
    seen: list[tuple[bytes, bytes]] = []
    pieces = [bytes([n]) * 70_000 for n in range(20)]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(b"HTTP/1.1 207 Multi\r\ntransfer-encoding: chunked\r\nX-Inner: 1\r\nX-Outer: 2\r\n\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")

    async def work() -> None:
        ours = [(b"authorization", b"ours")]
        async with serving(handler) as upstream, Pool() as pool, served(proxy(pool, upstream, ours)) as url:
            headers = [(b"x-key", b"theirs"), (b"accept", b"*/*"), (b"connection", b"x-hop"), (b"x-hop", b"1")]
            answer = await pool.send("PUT", url, headers, b"payload" * 10_000)
            assert (answer.status, await answer.read(10_000_000)) == (207, b"".join(pieces))
            assert (b"x-outer", b"2") in answer.headers
            assert (b"x-route", b"a") in answer.headers
            assert not any(name == b"x-inner" for name, _ in answer.headers)

    run(work())
    head, body = seen[0]
    assert head.startswith(b"PUT /answer?x=1 HTTP/1.1\r\n")
    assert b"accept: */*" in head
    assert b"authorization: ours" in head
    assert b"x-key" not in head
    assert b"x-hop" not in head
    assert body == b"payload" * 10_000


def test_a_piece_is_passed_on_before_the_next_one_comes() -> None:
    async def work() -> None:
        more = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst")
            await more.wait()
            writer.write(b"later")

        async with serving(handler) as upstream, Pool() as pool, served(proxy(pool, upstream)) as url:
            answer = await pool.send("GET", url, [])
            got = aiter(answer)
            assert await anext(got) == b"first"
            more.set()
            assert await anext(got) == b"later"

    run(work())


def test_a_body_beyond_the_limit_does_not_reach_the_upstream_whole() -> None:
    async def work() -> None:
        async with serving(always(OK)) as upstream, Pool() as pool, served(proxy(pool, upstream, limit=1000)) as url:
            assert (await pool.send("POST", url, [], b"x" * 1001)).status == 413

            async def stream() -> AsyncIterator[bytes]:
                for _ in range(30):
                    yield b"x" * 100

            assert (await pool.send("POST", url, [], stream())).status == 413

    run(work())


def test_an_upstream_that_breaks_off_is_not_made_to_look_whole() -> None:
    async def work() -> None:
        half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
        async with serving(always(half)) as upstream, Pool() as pool, served(proxy(pool, upstream)) as url:
            with pytest.raises((errors.BodyTruncated, errors.Disconnected)):
                await (await pool.send("GET", url, [])).read(100)

    run(work())


@pytest.mark.parametrize(("how", "error"), [("reset", errors.Disconnected), ("close", errors.BodyTruncated)])
def test_a_rehearsal_may_break_the_connection(how: str, error: type[Exception]) -> None:
    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        if how == "close":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        scope["extensions"]["karkhana.connection"][how]()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def work() -> None:
        async with served(breaking, protocol=BreakableProtocol) as url, Pool() as pool:
            with pytest.raises(error) as caught:
                await (await pool.send("GET", url, [])).read(100)
            assert ("reset by peer" in str(caught.value)) is (how == "reset")

    run(work())


def test_a_body_that_drips_is_not_waited_for() -> None:
    async def work() -> None:
        async with served(echo, Limits(body_s=0.3)) as url:
            drops = [b"x"] * 100
            got = await talk(url, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999\r\n\r\n", *drops, pause_s=0.02)
        assert got.startswith(b"HTTP/1.1 408 ")

    run(work())


def test_a_refusal_reaches_a_client_that_goes_on_sending() -> None:
    async def work() -> None:
        async with served(echo, Limits(ignored_bytes=1 << 22)) as url:
            for _ in range(5):
                said = b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000
                assert (await talk(url, said, b"z" * 100_000)).startswith(b"HTTP/1.1 431 ")

    run(work())


def test_an_early_answer_reaches_a_client_that_goes_on_sending() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        head = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": head})
        await send({"type": "http.response.body", "body": b"no"})
        assert (await receive())["type"] == "http.disconnect"

    async def work() -> None:
        async with served(early, Limits(ignored_bytes=1 << 22)) as url:
            for _ in range(5):
                said = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n"
                got = await talk(url, said, b"y" * 1_000_000, b"z" * 100_000)
                assert got.startswith(b"HTTP/1.1 413 ")
                assert got.endswith(b"\r\n\r\nno")

    run(work())


def test_who_lingers_too_long_or_sends_too_much_is_left() -> None:
    async def go_on(writer: asyncio.StreamWriter, data: bytes) -> None:
        for _ in range(500):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def ended_by(url: Url, data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", url.origin.port)
        try:
            writer.write(b"no HTTP\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            # a write to a connection that was closed from afar fails at last
            with pytest.raises(OSError, match=r"reset|Broken pipe|lost"):
                await go_on(writer, data)
        finally:
            writer.close()

    async def work() -> None:
        async with served(echo, Limits(linger_s=0.2)) as url:
            await ended_by(url, b"x")
        async with served(echo, Limits(linger_s=60.0, ignored_bytes=10_000)) as url:
            await ended_by(url, b"x" * 1000)

    run(work())


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"])
def test_who_waits_gives_way_when_all_connections_are_taken(said: bytes) -> None:
    async def work() -> None:
        async with served(echo, Limits(connections=3, room_s=0.1)) as url:
            taken = [await asyncio.open_connection("127.0.0.1", url.origin.port) for _ in range(3)]
            for _, writer in taken:
                writer.write(said)
            assert (await talk(url)).startswith(b"HTTP/1.1 503 ")
            await asyncio.sleep(0.2)
            async with Pool() as pool:
                assert (await pool.send("GET", url, [])).status == 200
            for _, writer in taken:
                writer.close()

    run(work())


def test_who_is_being_answered_does_not_give_way() -> None:
    async def work() -> None:
        begun, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            begun.release()
            await go_on.wait()
            await echo(scope, receive, send)

        async with served(slow, Limits(connections=2, room_s=0.0)) as url, Pool() as pool:
            first, second = (asyncio.ensure_future(pool.send("GET", url, [])) for _ in range(2))
            await begun.acquire()
            await begun.acquire()
            assert (await talk(url)).startswith(b"HTTP/1.1 503 ")
            go_on.set()
            assert [(await each).status for each in (first, second)] == [200, 200]

    run(work())


def test_far_more_requests_than_anybody_sends_at_once_are_not_held() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    async def work() -> None:
        one = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        async with served(slow, Limits(pipelined=3, keep_s=0.3)) as url:
            assert (await talk(url, one * 4)).count(b"HTTP/1.1 200 ") == 4
            assert (await talk(url, one * 5)).count(b"HTTP/1.1 503 ") == 1

    run(work())


@pytest.mark.parametrize("framing", [b"content-length: 100000000\r\n", b"transfer-encoding: chunked\r\n"])
def test_a_body_that_nobody_wants_is_not_read_for_ever(framing: bytes) -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await _say(send, 413, b"no")

    async def work() -> None:
        async with served(refusing, Limits(ignored_bytes=300_000)) as url:
            piece = b"x" * 100_000
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if b"chunked" in framing else piece
            head = b"POST / HTTP/1.1\r\nhost: a\r\n" + framing + b"\r\n"
            got = await talk(url, head, *[chunk] * 10, pause_s=0.01)
            assert got.count(b"HTTP/1.1 ") == 1
            assert got.startswith(b"HTTP/1.1 413 ")

    run(work())


@pytest.mark.parametrize("cancelling", [False, True])
def test_what_is_done_for_a_client_ends_with_it_where_that_is_wanted(cancelling: bool) -> None:
    async def work() -> str:
        begun, ended = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            begun.set()
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
                ended.set_result("told")
            except asyncio.CancelledError:
                ended.set_result("cancelled")
                raise

        async with served(waiting, cancelling=cancelling) as url:
            _, writer = await asyncio.open_connection("127.0.0.1", url.origin.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            await begun.wait()
            writer.transport.abort()
            return str(await ended)

    assert run(work()) == ("cancelled" if cancelling else "told")


def test_one_who_leaves_is_noticed_though_more_requests_of_his_wait() -> None:
    async def work() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def streaming(scope: Any, receive: Any, send: Any) -> None:
            begun.set()
            gone = asyncio.ensure_future(_departure(receive))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while not gone.done():
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
                await asyncio.wait({gone}, timeout=0.01)
            ended.set()

        async with served(streaming) as url:
            _, writer = await asyncio.open_connection("127.0.0.1", url.origin.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 3)
            await begun.wait()
            writer.transport.abort()
            await ended.wait()

    run(work())


async def _departure(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_an_ordinary_program_cannot_break_it() -> None:
    async def asking(scope: Any, receive: Any, send: Any) -> None:
        await _say(send, 200, json.dumps(sorted(scope)).encode())

    async def work() -> None:
        async with served(asking) as url, Pool() as pool:
            assert b"extensions" not in await (await pool.send("GET", url, [])).read(1000)

    run(work())


def test_serving_ends_when_it_is_asked_to_and_gives_its_port_back() -> None:
    async def program(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        else:
            await echo(scope, receive, send)

    async def work() -> None:
        made, listening, ready = server(program, stop_s=1), listen("127.0.0.1", 0), asyncio.Event()
        port = listening.getsockname()[1]
        task = asyncio.create_task(serve(made, listening, ready.set))
        await ready.wait()
        async with Pool() as pool:
            answer = await pool.send("POST", Url.parse(f"http://127.0.0.1:{port}/"), [], b"x")
            assert answer.status == 200
            await answer.read(1000)
        made.should_exit = True
        await task
        listen("127.0.0.1", port).close()

    run(work())
