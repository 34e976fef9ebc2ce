import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from calling_examples import SENTENCE, provided, question, run

from karkhana.domain.chat import Started, Stopped, TextAdded, Usage, collected
from karkhana.domain.errors import InvalidSetting
from karkhana.http.pool import Pool
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.provider_faults import CannotSay, NotSent
from karkhana.routing.wires.metering import OpenAIMeter
from karkhana.routing.wires.registry import WIRES

wires = pytest.mark.parametrize("wire", list(WIRES))


@asynccontextmanager
async def saying(answer: bytes, *, head_only: bool = False) -> AsyncIterator[Provider]:
    """An OpenAI-compatible provider that says these bytes to whatever it is asked, then closes or falls silent."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if head_only:
            # Silent until the client leaves.
            await reader.read()
        writer.close()

    async with served(handler) as address, Pool() as pool:
        yield Provider("cloud", WIRES["openai"], address, ("sk-secret",), pool, idle_s=0.2)


@asynccontextmanager
async def served(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def http(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (status, kind, len(body), more, body)


async def fault_of_ask(provider: Provider, deadline_s: float = 5.0) -> ProviderFault:
    with pytest.raises(ProviderFault) as caught:
        await provider.ask(question(), deadline_s=deadline_s)
    return caught.value


async def fault_of_stream(provider: Provider, deadline_s: float = 5.0) -> ProviderFault:
    async def read() -> None:
        async for _ in await provider.stream(question(), deadline_s=deadline_s):
            pass

    with pytest.raises(ProviderFault) as caught:
        await read()
    return caught.value


@wires
def test_a_provider_is_asked_on_every_wire(wire: str) -> None:
    async def work() -> None:
        async with provided("", wire, ["sk-1"]) as (provider, _):
            whole = await provider.ask(question(), deadline_s=5)
            stream = await provider.stream(question(), deadline_s=5)
            deltas = [delta async for delta in stream]
        assert whole.text == collected(deltas).text == SENTENCE
        assert whole.usage == collected(deltas).usage == stream.usage == Usage(input=14, output=11)
        assert isinstance(deltas[0], Started)
        assert isinstance(deltas[-1], Stopped)

    run(work())


@wires
def test_a_connection_is_used_again_after_a_stream(wire: str) -> None:
    async def work() -> None:
        async with provided("", wire) as (provider, _):
            for _ in range(3):
                stream = await provider.stream(question(), deadline_s=5)
                assert [delta async for delta in stream]
                assert list(provider._pool.open.values()) == [1]

    run(work())


@wires
def test_calls_of_tools_come_through(wire: str) -> None:
    script = '[[answer]]\ntext = "Let me look."\ncalls = [{name = "look", arguments = {at = "the moon"}}]'

    async def work() -> None:
        async with provided(script, wire) as (provider, _):
            whole = await provider.ask(question(), deadline_s=5)
            stream = await provider.stream(question(), deadline_s=5)
            streamed = collected([delta async for delta in stream])
        for answer in (whole, streamed):
            assert answer.text == "Let me look."
            assert [(c.name, msgspec.json.decode(c.arguments)) for c in answer.calls] == [("look", {"at": "the moon"})]

    run(work())


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ('kind = "rate_limited"\nretry_after_s = 7', Fault.RATE_LIMITED),
        ('kind = "server_error"', Fault.SERVER_ERROR),
        ('kind = "overloaded"\nstatus = 529', Fault.OVERLOADED),
        ('kind = "unauthorised"', Fault.UNAUTHORISED),
        ('kind = "quota"', Fault.QUOTA),
        ('kind = "unknown_model"', Fault.UNKNOWN_MODEL),
        ('kind = "too_long"', Fault.TOO_LONG),
        ('kind = "invalid"', Fault.INVALID),
        ('kind = "refused"', Fault.REFUSED),
        ('kind = "reset"', Fault.BROKEN),
        ('kind = "stall"', Fault.TIMEOUT),
        ('kind = "stall_within"', Fault.TIMEOUT),
        ('kind = "half"', Fault.BROKEN),
        ('kind = "malformed_json"', Fault.BROKEN),
        ('kind = "wrong_content_type"', Fault.BROKEN),
    ],
)
@pytest.mark.parametrize("wire", ["openai"])
def test_what_goes_wrong_is_told_as_what_it_is(wire: str, script: str, fault: Fault) -> None:
    async def work() -> None:
        async with provided(f"[[fault]]\nevery = 1\n{script}", wire, idle_s=0.3) as (provider, _):
            found = [await fault_of_ask(provider, 1.0), await fault_of_stream(provider, 1.0)]
        assert [each.fault for each in found] == [fault, fault]
        assert all(each.retry_after_s == (7.0 if fault is Fault.RATE_LIMITED else None) for each in found)
        assert all((each.status != 0) == (each.fault not in (Fault.BROKEN, Fault.TIMEOUT)) for each in found)

    run(work())


@wires
@pytest.mark.parametrize("kind", ["reset", "stall", "stall_within", "half", "malformed_json", "wrong_content_type"])
def test_no_wire_takes_a_broken_answer_for_a_whole_one(wire: str, kind: str) -> None:
    async def work() -> None:
        async with provided(f'[[fault]]\nevery = 1\nkind = "{kind}"', wire, idle_s=0.3) as (provider, _):
            assert (await fault_of_ask(provider, 0.5)).fault.retryable
            assert (await fault_of_stream(provider, 0.5)).fault.retryable

    run(work())


@pytest.mark.parametrize(
    "answer",
    [
        http(b"{}"),
        http(b"[1]"),
        http(b'{"choices": [{"message": {"content": {"a": 1}}}]}'),
        http(b'{"choices": [{"message": {"tool_calls": [3]}}]}'),
        http(b"[" * 100_000),
        http(b'{"choices":' + b"[" * 100_000),
        http(b"\xff\xfe"),
        http(b"", b"204 No Content"),
        http(b"", b"302 Found", more=b"location: http://127.0.0.1:1/\r\n"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_nonsense_is_a_broken_answer(answer: bytes) -> None:
    async def work() -> None:
        async with saying(answer) as provider:
            assert (await fault_of_ask(provider)).fault is Fault.BROKEN
            assert (await fault_of_stream(provider)).fault is Fault.BROKEN

    run(work())


@pytest.mark.parametrize(
    "body", [b"", b"data: [DONE]\n\n", b"data: {}\n\n", b"data: 3\n\n", b"data: {\n\n", b'data: {"choices": 3}\n\n']
)
def test_a_stream_that_does_not_come_to_its_end_is_broken(body: bytes) -> None:
    async def work() -> None:
        async with saying(http(body, kind=b"text/event-stream")) as provider:
            assert (await fault_of_stream(provider)).fault is Fault.BROKEN

    run(work())


def test_what_came_before_a_stream_broke_is_handed_on() -> None:
    chunk = b'data: {"choices":[{"delta":{"content":"one"}}]}\n\n'

    async def work() -> None:
        async with saying(http(chunk + b"data: {\n\n", kind=b"text/event-stream")) as provider:
            stream = await provider.stream(question(), deadline_s=5)
            ends: list[tuple[Usage | None, ProviderFault | None, bool]] = []
            stream.when_ended(lambda *end: ends.append(end))
            deltas = [await anext(stream) for _ in range(3)]
            assert deltas[-1] == TextAdded(index=0, text="one")
            with pytest.raises(ProviderFault):
                await anext(stream)
            stream.close()
        assert [(usage, whole) for usage, _, whole in ends] == [(None, False)]
        assert ends[0][1] is not None

    run(work())


def test_a_provider_that_does_not_stream_is_read_whole() -> None:
    body = b'{"model":"m","choices":[{"message":{"content":"all at once"},"finish_reason":"stop"}]}'

    async def work() -> None:
        async with saying(http(body)) as provider:
            stream = await provider.stream(question(), deadline_s=5)
            await stream.begin()
            assert collected([delta async for delta in stream]).text == "all at once"

    run(work())


def test_no_answer_is_held_that_is_longer_than_what_is_borne() -> None:
    chunk = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'

    async def work() -> None:
        async with saying(http(b" " * 5000)) as provider:
            provider._largest = 1000
            assert "longer than 1000" in (await fault_of_ask(provider)).message
        async with saying(http(chunk * 100, kind=b"text/event-stream")) as provider:
            provider._largest = 1000
            assert "longer" in (await fault_of_stream(provider)).message

    run(work())


def test_a_silent_provider_is_not_waited_for_longer_than_the_deadline() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"

    async def work() -> None:
        for said in (b"", head, head + b"data: {}\n\n"):
            async with saying(said, head_only=True) as provider:
                assert (await fault_of_ask(provider, 0.1)).fault is Fault.TIMEOUT
                assert (await fault_of_stream(provider, 0.1)).fault is Fault.TIMEOUT

    run(work())


def test_nobody_there_means_nothing_was_sent() -> None:
    async def work() -> None:
        async with Pool() as pool:
            provider = Provider("cloud", WIRES["openai"], "http://127.0.0.1:9/v1", (), pool)
            fault = await fault_of_ask(provider)
        assert isinstance(fault, NotSent)
        assert fault.fault is Fault.BROKEN

    run(work())


def test_a_key_never_stands_in_a_fault() -> None:
    body = b'{"error":{"message":"Incorrect API key provided: sk-secret","code":"sk-secret","type":"sk-secret"}}'

    async def work() -> None:
        async with saying(http(body, b"401 Unauthorized")) as provider:
            fault = await fault_of_ask(provider)
            assert fault.fault is Fault.UNAUTHORISED
            assert "sk-secret" not in f"{fault} {fault.message} {fault.code} {fault.args} {provider.keys}"
            assert "[key]" in fault.message

    run(work())


@pytest.mark.parametrize("key", ["", "two\nlines", "a space", "clé"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    with pytest.raises(InvalidSetting, match="key 2 of the provider cloud") as caught:
        Provider("cloud", WIRES["openai"], "http://127.0.0.1:9", ("good", key), Pool())
    assert not key or key not in str(caught.value)


def test_what_a_wire_cannot_say_is_not_sent() -> None:
    async def work() -> None:
        async with provided() as (provider, program):
            for request in (question(text="\ud800"), question(stop=("\ud800",))):
                with pytest.raises(CannotSay):
                    await provider.ask(request, deadline_s=5)
            assert program.account.told()["requests"] == 0

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_bytes_are_passed_on_and_counted(stream: bool) -> None:
    body = (
        b'{"messages": [{"role":"user","content":"abcd"}], "model": "m", "stream": %b,' % str(stream).lower().encode()
    )
    body += b'"stream_options": {"include_usage": true}}' if stream else b'"n": 1}'

    async def work() -> None:
        async with provided("", keys=["sk-1"]) as (provider, _):
            passage = await provider.pass_on("m", body, stream=stream, meter=OpenAIMeter(), deadline_s=5)
            await passage.begin()
            ends: list[tuple[Usage | None, ProviderFault | None, bool]] = []
            passage.when_ended(lambda *end: ends.append(end))
            assert len(ends) == (0 if stream else 1)
            data = b"".join([piece async for piece in passage])
            assert ends == [(Usage(input=4, output=1), None, True)]
            assert data.endswith(b"data: [DONE]\n\n") if stream else passage.usage == Usage(input=4, output=1)
            assert (b"x-request-id", b"fake-1") in passage.headers

    run(work())


def test_a_broken_answer_is_not_passed_on_as_a_whole_one() -> None:
    async def work() -> None:
        for kind in ("malformed_json", "half", "wrong_content_type"):
            async with provided(f'[[fault]]\nevery = 1\nkind = "{kind}"') as (provider, _):
                with pytest.raises(ProviderFault):
                    await provider.pass_on(
                        "m",
                        b'{"model":"m","messages":[{"role":"user"}]}',
                        stream=False,
                        meter=OpenAIMeter(),
                        deadline_s=5,
                    )

    run(work())


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b'data: {"error":{"message":"busy","code":"overloaded"}}\n\n', Fault.OVERLOADED),
        (b"data: {\n\n", Fault.BROKEN),
        (b"", Fault.BROKEN),
    ],
)
def test_a_refusal_within_a_passed_on_stream_comes_before_its_beginning(said: bytes, fault: Fault) -> None:
    role = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'

    async def work() -> None:
        for before in (b"", role) if said else (b"",):
            async with saying(http(before + said, kind=b"text/event-stream")) as provider:
                passage = await provider.pass_on("m", b"{}", stream=True, meter=OpenAIMeter(), deadline_s=5)
                with pytest.raises(ProviderFault) as caught:
                    await passage.begin()
                assert caught.value.fault is fault

    run(work())


@pytest.mark.parametrize("said", [b"", b": comment\n\n", b"event: new\ndata: 3\n\n", b"x" * 200_000])
def test_a_stream_is_passed_on_byte_for_byte_whatever_it_is(said: bytes) -> None:
    role = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    word = b'data: {"choices":[{"delta":{"content":"one"}}]}\n\n'

    async def work() -> None:
        for data in (role + said + word, role + word + said, role + said):
            async with saying(http(data, kind=b"text/event-stream")) as provider:
                passage = await provider.pass_on("m", b"{}", stream=True, meter=OpenAIMeter(), deadline_s=5)
                try:
                    await passage.begin()
                except ProviderFault:
                    assert data.startswith(role + b"event: new")
                    continue
                assert b"".join([piece async for piece in passage]) == data

    run(work())
