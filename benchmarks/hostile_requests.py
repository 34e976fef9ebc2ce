"""Attacks by what is sent: heads, bodies, framing, names. Each returns what went wrong, in words; nothing is best.

Knows nothing of money.
"""

import asyncio
import gzip
import json
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from karkhana.http.errors import HttpError
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings

PATH = b"/v1/chat/completions"
QUESTION = json.dumps({"model": "m", "messages": [{"role": "user", "content": "marker"}]}).encode()


class Target(NamedTuple):
    """A gateway that is attacked, and a key that it knows."""

    port: int
    key: str
    largest: int
    """Bytes of a request that it takes."""
    slow: str = "slow"
    """A model that takes its time."""
    flood: str = "flood"
    """A model that says more than anybody can read."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def head(target: Target, *lines: bytes, key: str | None = None, path: bytes = PATH, method: bytes = b"POST") -> bytes:
    shown = (target.key if key is None else key).encode()
    fixed = [method + b" " + path + b" HTTP/1.1", b"host: gateway", b"authorization: Bearer " + shown]
    return b"\r\n".join([*fixed, *lines, b"", b""])


def whole(target: Target, body: bytes, *lines: bytes, key: str | None = None) -> bytes:
    return head(target, b"content-length: %d" % len(body), b"connection: close", *lines, key=key) + body


async def talk(port: int, *sent: bytes, read_s: float = 10.0, half_close: bool = False) -> bytes:
    """What is answered until the end of the connection, or until so many seconds have passed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = bytearray()

    async def read() -> None:
        while piece := await reader.read(1 << 16):
            got.extend(piece)

    reading = asyncio.ensure_future(read())
    try:
        for data in sent:
            writer.write(data)
            await writer.drain()
        if half_close:
            writer.write_eof()
        await asyncio.wait({reading}, timeout=read_s)
    except ConnectionError:
        await asyncio.wait({reading}, timeout=1.0)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.transport.abort()
    return bytes(got)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


async def asked_once(target: Target, name: str, sent: bytes, allowed: Iterable[int]) -> list[str]:
    """Sent on a connection of its own: one answer with one of the statuses, or none and the connection's end."""
    found = statuses(await talk(target.port, sent))
    return [] if len(found) <= 1 and set(found) <= set(allowed) else [f"{name}: answered {found}"]


async def together(each: Iterable["asyncio.Future[list[str]] | asyncio.Task[list[str]]"]) -> list[str]:
    return [problem for problems in await asyncio.gather(*each) for problem in problems]


async def slow_heads(target: Target, count: int, bound_s: float) -> list[str]:
    """A byte of a head now and then, on many connections: all must be closed in the time of a head."""

    async def one() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(b"POST " + PATH + b" HTTP/1.1\r\nhost: x\r\nx-a: ")
        ended, until = asyncio.ensure_future(reader.read()), time.monotonic() + bound_s
        try:
            while not ended.done() and time.monotonic() < until:
                writer.write(b"b")
                await asyncio.wait({ended}, timeout=1.0)
            return ended.done()
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
            writer.transport.abort()

    closed = await asyncio.gather(*(one() for _ in range(count)))
    return [] if all(closed) else [f"{closed.count(False)} of {count} slow heads were borne for {bound_s} s"]


async def slow_bodies(target: Target, count: int, bound_s: float) -> list[str]:
    """A head that announces a body, and then silence."""
    sent = head(target, b"content-length: 1000") + b'{"model"'

    async def one() -> bool:
        began = time.monotonic()
        found = statuses(await talk(target.port, sent, read_s=bound_s))
        return found in ([], [408]) and time.monotonic() - began < bound_s

    closed = await asyncio.gather(*(one() for _ in range(count)))
    return [] if all(closed) else [f"{closed.count(False)} of {count} silent bodies were borne for {bound_s} s"]


async def giant_bodies(target: Target, count: int) -> list[str]:
    """Announced and chunked bodies far above the limit; those without a key must not be held at all."""
    piece = b"x" * (1 << 16)
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    pieces = 4 * target.largest // len(piece)
    announced = b"content-length: %d" % (10 << 30)

    async def one(name: str, key: str | None, line: bytes, part: bytes, allowed: set[int]) -> list[str]:
        sent = [head(target, line, key=key), *[part] * pieces]
        found = statuses(await talk(target.port, *sent))
        return [] if set(found) <= allowed and len(found) <= 1 else [f"giant {name}: answered {found}"]

    chunked = b"transfer-encoding: chunked"
    return await together(
        asyncio.ensure_future(work)
        for _ in range(count)
        for work in (
            one("announced", None, announced, piece, {413}),
            one("chunked", None, chunked, chunk, {413}),
            one("announced without a key", "kk_nobody", announced, piece, {401, 413}),
            one("chunked without a key", "kk_nobody", chunked, chunk, {401, 413}),
        )
    )


async def bombs(target: Target) -> list[str]:
    """Bodies that grow a thousandfold when somebody unpacks them."""
    zeros = b" " * (64 << 20)
    packed = {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros)}
    return await together(
        asyncio.ensure_future(
            asked_once(target, f"{kind} bomb", whole(target, body, b"content-encoding: " + kind.encode()), {400, 415})
        )
        for kind, body in packed.items()
    )


def odd_bodies() -> dict[str, bytes]:
    """Name → a body that must be refused, or answered like any other."""
    message = b'"messages":[{"role":"user","content":"x"}]'
    return {
        "nothing": b"",
        "no JSON": b"{" * 10,
        "deep lists": b'{"model":"m","messages":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "deep objects": b'{"model":"m","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"," + message + b"}",
        "huge integer": b'{"model":"m","max_tokens":' + b"9" * 5000 + b"," + message + b"}",
        "huge exponent": b'{"model":"m","temperature":1e999999,' + message + b"}",
        "negative limit": b'{"model":"m","max_tokens":-1000000000000,' + message + b"}",
        "duplicate keys": b'{"model":"flood","model":"m",' + message + b"}",
        "other case": b'{"model":"m","Model":"flood",' + message + b"}",
        "lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        "lone surrogate in a name": b'{"model":"\\ud800",' + message + b"}",
        "not UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff\xfe"}]}',
        "line breaks in a name": b'{"model":"p/m\\r\\nx-evil: 1",' + message + b"}",
        "a label in a name": b'{"model":"p/m\\"} 1\\nevil_total{a=\\"",' + message + b"}",
        "a path in a name": b'{"model":"p/../../fake/account",' + message + b"}",
        "null": b"null",
        "a list": b"[1]",
        "wrong kinds": b'{"model":["m"],"messages":{"role":1},"stream":"yes"}',
        "messages that are none": b'{"model":"m","messages":[null,1,"x",[[]]]}',
        "very many members": b'{"model":"m",'
        + b",".join(b'"k%d":0' % n for n in range(100_000))
        + b","
        + message
        + b"}",
    }


async def bodies(target: Target) -> list[str]:
    """All doors, all odd bodies: never a fault of ours, never a header that we did not write."""
    problems = []
    for name, body in odd_bodies().items():
        for path in (PATH, b"/v1/messages", b"/v1/responses", b"/api/chat", b"/v1beta/models/m:generateContent"):
            lines = (b"content-length: %d" % len(body), b"connection: close")
            got = await talk(target.port, head(target, *lines, path=path) + body)
            found = statuses(got)
            if len(found) != 1 or found[0] >= 500 or b"\nx-evil" in got.partition(b"\r\n\r\n")[0]:
                problems.append(f"{name} at {path.decode()}: answered {found}")
    return problems


def broken_framing(target: Target) -> dict[str, bytes]:
    """Name → requests of which a second one might be smuggled past; it asks for a path that would be found."""
    inner = b"GET /health HTTP/1.1\r\nhost: smuggled\r\n\r\n"
    chunked = b"transfer-encoding: chunked"
    return {
        "both lengths": head(target, b"content-length: 5", chunked) + b"0\r\n\r\n" + inner,
        "two lengths": head(target, b"content-length: 0", b"content-length: 5") + b"12345" + inner,
        "a list of lengths": head(target, b"content-length: 5, 6") + b"12345" + inner,
        "a signed length": head(target, b"content-length: +5") + b"12345" + inner,
        "a negative length": head(target, b"content-length: -1") + inner,
        "a huge length": head(target, b"content-length: " + b"9" * 30) + inner,
        "a spaced name": head(target, b"content-length : 5") + b"12345" + inner,
        "an unknown coding": head(target, b"transfer-encoding: xchunked") + b"0\r\n\r\n" + inner,
        "chunked and more": head(target, b"transfer-encoding: chunked, identity") + b"0\r\n\r\n" + inner,
        "a huge chunk": head(target, chunked) + b"FFFFFFFFFFFFFFFFF\r\n" + inner,
        "a chunk of words": head(target, chunked) + b"zz\r\n" + inner,
        "a folded header": head(target, b"x-a: 1\r\n content-length: 9") + inner,
        "bare line feeds": b"POST /v1/chat/completions HTTP/1.1\nhost: x\ncontent-length: 0\n\n" + inner,
        "a bare carriage return": head(target, b"x-a: 1\rcontent-length: 9") + inner,
        "a zero in a header": head(target, b"x-a: 1\0") + inner,
        "no version": b"GET /health\r\n\r\n" + inner,
        "another version": b"GET /health HTTP/9.9\r\nhost: x\r\n\r\n" + inner,
        "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    }


async def smuggling(target: Target) -> list[str]:
    """Of an ambiguous message nothing after it is answered, nor is itself, unless it is HTTP 0.9's only line."""
    problems = []
    for name, sent in broken_framing(target).items():
        found = statuses(await talk(target.port, sent, read_s=3.0))
        allowed = range(200, 500) if name == "no version" else range(400, 500)
        if len(found) > 1 or not set(found) <= set(allowed):
            problems.append(f"{name}: answered {found}")
    return problems


async def floods_of_headers(target: Target) -> list[str]:
    tiny = b"\r\n".join(b"x-%d: 1" % n for n in range(5000))
    attempts = {
        "many": head(target, *[b"x-a: b"] * 500),
        "giant value": head(target, b"x-a: " + b"b" * 200_000),
        "giant name": head(target, b"x" * 200_000 + b": a"),
        "giant path": head(target, path=b"/" + b"a" * 200_000),
        "endless": head(target, tiny)[:-4],
    }
    return await together(
        asyncio.ensure_future(asked_once(target, f"header flood, {name}", sent, {400, 414, 431}))
        for name, sent in attempts.items()
        for _ in range(20)
    )


async def paths(target: Target) -> list[str]:
    """What is no door is none, however it is spelt; nothing is a fault of ours."""
    spelt = b"""//v1/chat/completions /v1/../v1/models /v1/%2e%2e/metrics /v1/chat/completions/../../metrics
        /%00 /%ff%fe /health%0d%0ax-evil:1 http://elsewhere/health * /\xff\xfe /v1/models/%2f
        /fake/account /..%5c..%5cetc/passwd
        /v1beta/models/..%2f..%2fx:generateContent elsewhere:80 /?a?b?c""".split()
    problems = []
    for path in spelt:
        for method in (b"GET", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"TRACE", b"BREW"):
            sent = head(target, b"connection: close", b"content-length: 2", path=path, method=method) + b"{}"
            got = await talk(target.port, sent, read_s=3.0)
            found = statuses(got)
            if len(found) > 1 or (found and found[0] >= 500) or b"x-evil" in got.partition(b"\r\n\r\n")[0]:
                problems.append(f"{method.decode()} {path.decode('latin-1')[:60]}: answered {found}")
    return problems


async def pipelining(target: Target, connections: int, requests: int) -> list[str]:
    """Far more requests at once than anybody would send: answered in their order, or refused."""
    one = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"

    async def burst() -> list[str]:
        found = statuses(await talk(target.port, one * requests, read_s=5.0))
        return [] if set(found) <= {200, 503} else [f"pipelining: answered {set(found)}"]

    return await together(asyncio.ensure_future(burst()) for _ in range(connections))


async def wrong_keys(target: Target, count: int) -> list[str]:
    """Guesses at speed, among them those that begin like the right key."""
    url, found = Url.parse(f"{target.address}{PATH.decode()}"), Counter[int]()
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    numbers = iter(range(count))
    async with Pool(PoolSettings(per_origin=64)) as pool:

        async def client() -> None:
            for number in numbers:
                kept = number % len(target.key)
                guess = target.key[:kept] + "".join(chance.choices(letters, k=43))
                answer = await pool.send("POST", url, [(b"authorization", f"Bearer {guess}".encode())], QUESTION)
                found[answer.status] += 1
                await answer.read(1 << 16)

        await asyncio.gather(*(client() for _ in range(64)))
    return [] if set(found) == {401} else [f"wrong keys: answered {dict(found)}"]


async def early_disconnects(target: Target, count: int, at_once: int) -> list[str]:
    """Clients that leave: after the head, within the body, before the answer, within the stream."""
    chance = random.Random(11)
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            body = json.dumps(
                {"model": target.slow, "stream": number % 2 == 1, "messages": [{"role": "user", "content": "x" * 200}]}
            ).encode()
            sent = head(target, b"content-length: %d" % len(body)) + body
            kind = number % 4
            cut = len(sent) if kind > 1 else chance.randrange(1, len(sent))
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            except OSError:
                continue
            writer.write(sent[:cut])
            if kind == 3:
                await asyncio.wait({waiting := asyncio.ensure_future(reader.read(100))}, timeout=chance.random() * 0.2)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            else:
                await asyncio.sleep(chance.random() * 0.05)
            writer.transport.abort()

    await asyncio.gather(*(client() for _ in range(at_once)))
    return []


async def half_closed(target: Target) -> list[str]:
    """A client that has said all and closes its side gets an answer or an end, not a hanging connection."""
    problems = []
    for _ in range(20):
        began = time.monotonic()
        got = await talk(target.port, whole(target, QUESTION), read_s=8.0, half_close=True)
        if set(statuses(got)) - {200} or time.monotonic() - began > 7.0:
            problems.append(f"half-close: answered {statuses(got)}")
    return problems


async def slow_readers(target: Target, count: int, seconds: float) -> list[str]:
    """Streams without an end that nobody reads."""
    body = json.dumps({"model": target.flood, "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    sent = head(target, b"content-length: %d" % len(body)) + body
    opened = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 12)
        writer.write(sent)
        opened.append((reader, writer))
    await asyncio.sleep(seconds)
    begun = 0
    for reader, writer in opened:
        begun += (await reader.read(12)).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
    return [] if begun == count else [f"slow readers: only {begun} of {count} streams began"]


async def refused(pool: Pool, target: Target, key: str, body: bytes) -> int:
    """The status of one whole request; 0 if the connection broke."""
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
    try:
        answer = await pool.send("POST", Url.parse(f"{target.address}{PATH.decode()}"), headers, body)
        await answer.read(1 << 24)
    except HttpError:
        return 0
    return answer.status
