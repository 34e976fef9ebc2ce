import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
from http_servers import OK, always, request_of, serving

from karkhana.http import errors
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings, Timeouts


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_a_request_is_written_as_it_was_given() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(OK)

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            answer = await pool.send("POST", url, [(b"x-Mixed", b"1"), (b"x-mixed", b"2")], b"body")
            assert (answer.status, await answer.read(10)) == (200, b"ok")

    run(work())
    head, body = seen[0]
    assert head.startswith(b"POST /answer?x=1 HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx-Mixed: 1\r\nx-mixed: 2\r\ncontent-length: 4\r\n\r\n" in head
    assert body == b"body"


def test_a_streamed_body_is_sent_in_chunks() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(OK)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b""
        yield b"two"

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            assert await (await pool.send("POST", url, [], pieces())).read(10) == b"ok"

    run(work())
    assert seen[0][1] == b"one two"
    assert b"content-length" not in seen[0][0]


def test_a_connection_is_used_again_after_its_answer_was_read() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await always(OK, OK, OK)(reader, writer)

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            for _ in range(3):
                assert await (await pool.send("GET", url, [])).read(10) == b"ok"

    run(work())
    assert connections == 1


def test_an_answer_that_was_not_read_never_meets_the_next_request() -> None:
    long = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret"

    async def work() -> None:
        async with serving(always(long, OK)) as url, Pool() as pool:
            (await pool.send("GET", url, [])).close()
            assert await (await pool.send("GET", url, [])).read(10) == b"secret"
            assert pool.open[f"http://127.0.0.1:{url.origin.port}"] == 1

    run(work())


def test_a_caller_who_gives_up_leaves_no_answer_behind() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await request_of(reader)
        if b"slow" in head:
            await asyncio.sleep(0.2)
        writer.write(OK)
        await always(OK)(reader, writer)

    async def work() -> None:
        async with serving(slow) as url, Pool() as pool:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pool.send("GET", url, [(b"slow", b"1")])
            assert pool.open == {}
            assert (await pool.send("GET", url, [])).status == 200

    run(work())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", errors.Disconnected),
        (b"HTTP/1.1 200 OK\r\ncontent-", errors.Disconnected),
        (b"SSH-2.0-OpenSSH_9.2\r\n", errors.MalformedResponse),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", errors.MalformedResponse),
        (b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 12_000, errors.MalformedResponse),
    ],
)
def test_no_answer_is_told_by_its_cause(answer: bytes, error: type[errors.HttpError]) -> None:
    async def work() -> None:
        async with serving(always(answer)) as url, Pool() as pool:
            with pytest.raises(error) as caught:
                await pool.send("GET", url, [])
            assert caught.value.may_have_run
            assert "x=1" not in str(caught.value)
            assert pool.open == {}

    run(work())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_half_an_answer_is_no_answer(answer: bytes) -> None:
    async def work() -> None:
        async with serving(always(answer)) as url, Pool() as pool:
            got = await pool.send("GET", url, [])
            with pytest.raises(errors.BodyTruncated):
                await got.read(100)

    run(work())


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def work() -> None:
        async with serving(always(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as url, Pool() as pool:
            assert await (await pool.send("GET", url, [])).read(100) == b"all of it"
            assert pool.open == {}

    run(work())


def test_interim_answers_are_passed_over() -> None:
    async def work() -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK
        async with serving(always(early, OK)) as url, Pool() as pool:
            answer = await pool.send("GET", url, [])
            assert (answer.status, answer.headers) == (200, [(b"content-length", b"2")])
            assert await answer.read(10) == b"ok"
            assert (await pool.send("GET", url, [])).status == 200

    run(work())


def test_an_answer_to_head_has_no_body() -> None:
    async def work() -> None:
        async with serving(always(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")) as url, Pool() as pool:
            answer = await pool.send("HEAD", url, [])
            assert await answer.read(10) == b""

    run(work())


def test_silence_is_told_before_and_within_the_answer() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await request_of(reader)
        if b"begin" in head:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome")
        await asyncio.sleep(5)

    async def work() -> None:
        short = Timeouts(head_s=0.05, idle_s=0.05)
        async with serving(mute) as url, Pool(timeouts=short) as pool:
            with pytest.raises(errors.ResponseTimeout):
                await pool.send("GET", url, [])
            answer = await pool.send("GET", url, [(b"begin", b"1")], timeouts=Timeouts(head_s=5, idle_s=0.05))
            with pytest.raises(errors.BodyStalled):
                await answer.read(100)

    run(work())


def test_a_slow_reader_holds_the_sender_back() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async def work() -> None:
        async with serving(flood) as url, Pool() as pool:
            answer = await pool.send("GET", url, [])
            await asyncio.sleep(0.3)
            before = sent
            assert before < 30_000_000
            with pytest.raises(errors.BodyTooLarge):
                await answer.read(before + 10_000_000)
            assert sent > before

    run(work())


def test_more_requests_than_connections_wait_for_their_turn() -> None:
    at_once = most = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        for _ in range(10):
            await request_of(reader)
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            writer.write(OK)

    async def work() -> None:
        async with serving(slow) as url, Pool(PoolSettings(per_origin=3)) as pool:

            async def one() -> bytes:
                return await (await pool.send("GET", url, [])).read(10)

            assert await asyncio.gather(*(one() for _ in range(20))) == [b"ok"] * 20

    run(work())
    assert most == 3


def test_a_busy_pool_says_so() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def work() -> None:
        async with serving(mute) as url, Pool(PoolSettings(per_origin=1)) as pool:
            first = asyncio.create_task(pool.send("GET", url, []))
            await asyncio.sleep(0.05)
            with pytest.raises(errors.PoolExhausted) as caught:
                await pool.send("GET", url, [], timeouts=Timeouts(connect_s=0.05))
            assert not caught.value.may_have_run
            first.cancel()

    run(work())


def test_the_turn_of_one_who_gives_up_goes_to_the_next() -> None:
    async def work() -> None:
        async with serving(always(OK, OK, OK)) as url, Pool(PoolSettings(per_origin=1)) as pool:
            first = await pool.send("GET", url, [])
            waiting = [asyncio.ensure_future(pool.send("GET", url, [])) for _ in range(2)]
            await asyncio.sleep(0.01)
            # In one turn of the loop the first of those who wait is told that the connection is free, and leaves.
            assert await first.read(10) == b"ok"
            waiting[0].cancel()
            async with asyncio.timeout(1):
                assert await (await waiting[1]).read(10) == b"ok"
            assert waiting[0].cancelled()

    run(work())


def test_a_refused_connection_was_not_carried_out() -> None:
    async def work() -> None:
        async with serving(always()) as url:
            pass
        async with Pool() as pool:
            with pytest.raises(errors.ConnectFailed) as caught:
                await pool.send("GET", url, [])
        assert not caught.value.may_have_run

    run(work())


def test_an_old_connection_is_not_used_again() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await always(OK, OK)(reader, writer)

    async def work() -> None:
        async with serving(handler) as url, Pool(PoolSettings(keep_s=0.0)) as pool:
            for _ in range(2):
                await (await pool.send("GET", url, [])).read(10)

    run(work())
    assert connections == 2


def test_connections_that_nobody_needs_are_closed_though_nothing_more_is_sent() -> None:
    ended = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK)
        assert await reader.read() == b""
        ended.set()

    async def work() -> None:
        async with serving(handler) as url, Pool(PoolSettings(keep_s=0.05)) as pool:
            await (await pool.send("GET", url, [])).read(10)
            assert sum(pool.open.values()) == 1
            await ended.wait()
            assert pool.open == {}

    run(work())


def test_a_header_cannot_break_out_of_its_line() -> None:
    async def work() -> None:
        async with serving(always(OK)) as url, Pool() as pool:
            for header in [(b"x", b"a\r\ny: b"), (b"x: y", b""), (b"", b"a")]:
                with pytest.raises(ValueError, match="not allowed"):
                    await pool.send("GET", url, [header])

    run(work())


def test_plain_requests_go_through_a_proxy_with_the_whole_address() -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await request_of(reader))[0])
        writer.write(OK)

    async def work() -> None:
        async with serving(proxy) as url:
            address = f"http://me:pa%20ss@127.0.0.1:{url.origin.port}"
            settings = PoolSettings(proxies={"http": address}, no_proxy=(".direct.test",))
            async with Pool(settings) as pool:
                await (await pool.send("GET", Url.parse("http://example.test/a?b"), [])).read(10)
                with pytest.raises(errors.ConnectFailed):
                    await pool.send("GET", Url.parse("http://x.direct.test/"), [])

    run(work())
    assert seen[0].startswith(b"GET http://example.test/a?b HTTP/1.1\r\nhost: example.test\r\n")
    assert b"proxy-authorization: Basic bWU6cGEgc3M=" in seen[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()


def test_a_proxy_that_opens_no_tunnel_is_named_as_the_cause() -> None:
    async def work() -> None:
        async with serving(always(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as front:
            proxies = {"https": f"http://127.0.0.1:{front.origin.port}"}
            async with Pool(PoolSettings(proxies=proxies)) as pool:
                with pytest.raises(errors.ConnectFailed, match="407"):
                    await pool.send("GET", Url.parse("https://example.test/"), [])

    run(work())


def test_https_goes_through_a_tunnel_and_is_checked(certificate: Path) -> None:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    tunnels: list[bytes] = []

    async def work() -> None:
        async with serving(always(OK, OK), ours) as url:

            async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tunnels.append(await reader.readuntil(b"\r\n\r\n"))
                there_reader, there = await asyncio.open_connection("127.0.0.1", url.origin.port)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    await asyncio.gather(_pump(reader, there), _pump(there_reader, writer))
                finally:
                    there.close()

            trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
            async with serving(proxy) as front:
                settings = PoolSettings(proxies={"https": f"http://127.0.0.1:{front.origin.port}"})
                async with Pool(settings, tls=trusted) as pool:
                    for _ in range(2):
                        assert await (await pool.send("GET", url, [])).read(10) == b"ok"
                async with Pool() as strict:
                    with pytest.raises(errors.ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
                        await strict.send("GET", url, [])
            assert len(tunnels) == 1
            assert tunnels[0].startswith(f"CONNECT localhost:{url.origin.port} HTTP/1.1\r\n".encode())

    run(work())


def test_the_environment_names_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "localhost, .inside.test")
    found = PoolSettings.from_environment()
    assert found.proxies["https"] == "http://proxy.test:3128"
    assert found.no_proxy == ("localhost", ".inside.test")


@pytest.mark.parametrize("text", ["ftp://a/", "http:///x", "http://me:secret@a/", "http://a/b c", "http://a/\x7f"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no http|must not|percent"):
        Url.parse(text)


def test_what_is_there_already_is_taken_at_once() -> None:
    async def work() -> None:
        async with serving(always(OK, OK)) as url, Pool() as pool:
            answer = await pool.send("GET", url, [])
            assert answer.taken(1) is None
            assert answer.taken(2) == b"ok"
            again = await pool.send("GET", url, [])
            assert await again.read(2) == b"ok"
            assert list(pool.open.values()) == [1]

    run(work())


def test_what_is_not_there_yet_is_not_taken() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK[:-1])
        await reader.read(1)
        writer.write(OK[-1:])

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            answer = await pool.send("GET", url, [])
            assert answer.taken(100) is None
            answer.close()

    run(work())


@pytest.mark.parametrize("body", ["bytes", "pieces"])
def test_nobody_waits_longer_for_a_head_than_was_said(body: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(60)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            with pytest.raises(errors.ResponseTimeout, match=r"within 0\.05 s"):
                await pool.send("POST", url, [], b"x" if body == "bytes" else endless(), timeouts=Timeouts(head_s=0.05))
            assert pool.open == {}

    run(work())


def test_a_body_that_nobody_reads_does_not_outlast_the_time() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def work() -> None:
        async with serving(handler) as url, Pool() as pool:
            with pytest.raises(errors.ResponseTimeout):
                await pool.send("POST", url, [], b"x" * (64 << 20), timeouts=Timeouts(head_s=0.2))
            assert pool.open == {}

    run(work())


def test_it_works_on_another_event_loop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def work() -> None:
        async with serving(always(OK, OK)) as url, Pool() as pool:
            for _ in range(2):
                assert await (await pool.send("POST", url, [], b"x")).read(2) == b"ok"
            assert list(pool.open.values()) == [1]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(work(), 20))
