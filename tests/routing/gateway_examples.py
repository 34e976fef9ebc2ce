"""A gateway that serves on loopback, with a fake provider behind it, for tests of what it does beside calls."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from karkhana.domain.virtual_keys import VirtualKey
from karkhana.http.connection import Answer
from karkhana.http.messages import Headers, Url, value_of
from karkhana.http.pool import Pool
from karkhana.http.reverse_proxy import body_of
from karkhana.http.server import Limits, listen, serve, server
from karkhana.routing.configuration import read_configuration
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.gateway.assembly import Assembly
from karkhana.routing.gateway.clients import Clients, KeyHolders, OpenHouse
from karkhana.routing.gateway.serving import assembled
from karkhana.routing.gateway.spans import Sending
from karkhana.routing.keys import VirtualKeys, digest, minted
from karkhana.routing.prices_shipped import price_book
from karkhana.storage.database import Database, open_database
from karkhana.storage.virtual_key_store import VirtualKeyStore

SCRIPT = """
[price.large]
input = "3"
output = "15"

[[answer]]
text = "It is four."
usage = {input = 20, output = 5}
"""
CONFIGURATION = """
[gateway]
open = true
port = 0
[provider.cloud]
wire = "openai"
base_url = "ADDRESS/v1"
[model.smart]
candidates = ["cloud/large"]
[price."cloud/large"]
input = "3"
output = "15"
"""
QUESTION = {"model": "smart", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
CHAT = "/v1/chat/completions"


SOON = Sending(delay_s=0.05)


class Said(NamedTuple):
    """An answer that was read to its end."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Empty if there is none."""
        return (value_of(self.headers, name.encode()) or b"").decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class House(NamedTuple):
    url: str
    provider: FakeProvider
    provider_url: str
    database: Database
    pool: Pool
    assembly: Assembly

    async def ask(self, path: str = CHAT, body: Any = QUESTION, **headers: str) -> Said:
        """POST; header names are written with _ for -."""
        return await self._send("POST", path, headers, json.dumps(body).encode())

    async def get(self, path: str, **headers: str) -> Said:
        return await self._send("GET", path, headers, None)

    async def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Said:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        answer: Answer = await self.pool.send(method, Url.parse(self.url + path), pairs, body)
        return Said(answer.status, answer.headers, await answer.read(8 << 20))

    @property
    def asked(self) -> int:
        """Requests that the provider got."""
        return int(self.provider.account.told()["requests"])


@asynccontextmanager
async def house(
    folder: Path,
    *,
    configuration: str = CONFIGURATION,
    script: str = SCRIPT,
    clients: Callable[[Database], Clients] = lambda _: OpenHouse(),
    sending: Sending = SOON,
) -> AsyncIterator[House]:
    """``ADDRESS`` in the configuration is the fake provider's."""
    async with fake_provider(read_script(script)) as (address, program), Pool() as pool:
        found = read_configuration(configuration.replace("ADDRESS", address), environ={})
        with open_database(None, folder) as database:
            async with assembled(found, database, price_book(found), clients(database), sending) as assembly:
                async with served(assembly.app) as url:
                    yield House(url, program, address, database, pool, assembly)
                pool.close()


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of an ASGI program on loopback."""
    listening = listen("127.0.0.1", 0)
    made = server(app, Limits(), stop_s=1, cancelling=True)
    ready = asyncio.Event()
    task = asyncio.ensure_future(serve(made, listening, ready.set))
    await ready.wait()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        made.should_exit = True
        await task


class Collector:
    """Takes spans over OTLP/HTTP."""

    def __init__(self, status: int = 200, stalls: bool = False) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self.resources: list[str] = []
        self._status = status
        self._stalls = stalls

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        assert scope["path"] == "/v1/traces"
        body = await body_of(receive, 1 << 24)
        if dict(scope["headers"]).get(b"content-encoding") == b"gzip":
            body = gzip.decompress(body)
        if self._stalls:
            await asyncio.sleep(60)
        found = ExportTraceServiceRequest.FromString(body)
        self.raw += body
        for resource in found.resource_spans:
            self.resources += [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            self.spans += [span for scoped in resource.scope_spans for span in scoped.spans]
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def named(self, start: str) -> list[Span]:
        return [span for span in self.spans if span.name.startswith(start)]


class Holders:
    """Virtual keys for a test: their secrets and themselves, by name."""

    def __init__(self, *keys: tuple[str, dict[str, Any]]) -> None:
        self.made: dict[str, tuple[str, VirtualKey]] = {name: minted(name, **fields) for name, fields in keys}

    def __call__(self, database: Database) -> Clients:
        store = VirtualKeyStore(database)
        for secret, key in self.made.values():
            store.add(key, digest(secret))
        return KeyHolders(VirtualKeys(store))

    def bearer(self, name: str) -> str:
        return f"Bearer {self.made[name][0]}"

    def key_id(self, name: str) -> str:
        return self.made[name][1].key_id


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 30))


async def until(true: Callable[[], bool]) -> None:
    """Wait for what happens soon."""
    while not true():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.005)


def closed(text: str, operators: Sequence[str] = ()) -> str:
    """A configuration for holders of keys."""
    return text.replace("open = true", f"operators = {json.dumps(list(operators))}")
