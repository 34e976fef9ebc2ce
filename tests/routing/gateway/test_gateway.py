"""The whole gateway on loopback: its own server, its client's connection, a fake provider behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from karkhana.domain.money import usd
from karkhana.domain.spending import Account, Budget, Period
from karkhana.http.connection import Answer
from karkhana.http.messages import Url, value_of
from karkhana.http.pool import Pool
from karkhana.http.server import Limits, listen, serve, server
from karkhana.routing.configuration import read_configuration
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.gateway.clients import Client, Clients, KeyHolders
from karkhana.routing.gateway.serving import gateway
from karkhana.routing.keys import VirtualKeys, digest, minted
from karkhana.routing.prices_shipped import price_book
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.virtual_key_store import VirtualKeyStore

SCRIPT = """
[price.large]
input = "3"
output = "15"
cache_read = "0.30"

[[answer]]
text = "It is four."
usage = {input = 20, cache_read = 100, output = 5}
"""
CONFIGURATION = """
[gateway]
open = true
port = 0
[provider.cloud]
wire = "{wire}"
base_url = "{address}"
[model.smart]
candidates = ["cloud/large"]
[price."cloud/large"]
input = "3"
output = "15"
cache_read = "0.30"
"""
BASES = {"openai": "/v1", "openai_responses": "/v1", "anthropic": "/v1", "gemini": "/v1beta", "ollama": ""}
QUESTIONS: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "What is 2 + 2?"}]},
    "/v1/messages": {"max_tokens": 50, "messages": [{"role": "user", "content": "What is 2 + 2?"}]},
    "/v1/responses": {"input": "What is 2 + 2?"},
    "/api/chat": {"messages": [{"role": "user", "content": "What is 2 + 2?"}]},
    "/v1beta/models/smart": {"contents": [{"role": "user", "parts": [{"text": "What is 2 + 2?"}]}]},
}
STREAMS = {"/api/chat": b"application/x-ndjson"}
"""What a stream is, at doors where it is no stream of events."""


class House(NamedTuple):
    """A gateway that serves, and what is behind it."""

    url: str
    provider: FakeProvider
    provider_url: str
    database: Database
    pool: Pool

    async def post(self, path: str, body: dict[str, Any], *, straight: bool = False, key: str = "kk_x") -> Answer:
        base = self.provider_url if straight else self.url
        headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
        return await self.pool.send("POST", Url.parse(base + path), headers, json.dumps(body).encode())

    async def get(self, path: str) -> bytes:
        return await (await self.pool.send("GET", Url.parse(self.url + path), [])).read(1 << 20)


@asynccontextmanager
async def house(
    tmp_path: Path, *, wire: str = "openai", script: str = SCRIPT, clients: Clients | None = None
) -> AsyncIterator[House]:
    async with fake_provider(read_script(script)) as (address, program), Pool() as pool:
        text = CONFIGURATION.format(wire=wire, address=address + BASES[wire])
        configuration = read_configuration(text, environ={})
        with open_database(None, tmp_path) as database:
            async with gateway(configuration, database, price_book(configuration), clients) as app:
                listening = listen("127.0.0.1", 0)
                made = server(app, Limits(), stop_s=1)
                ready = asyncio.Event()
                task = asyncio.ensure_future(serve(made, listening, ready.set))
                await ready.wait()
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                try:
                    yield House(url, program, address, database, pool)
                finally:
                    pool.close()
                    made.should_exit = True
                    await task


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 30))


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_passed_on_is_the_providers_answer_byte_for_byte(tmp_path: Path, stream: bool) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            body = {"model": "cloud/large", "stream": stream, **QUESTIONS["/v1/chat/completions"]}
            body |= {"stream_options": {"include_usage": True}} if stream else {}
            through = await h.post("/v1/chat/completions", body)
            straight = await h.post("/v1/chat/completions", body | {"model": "large"}, straight=True)
            assert through.status == straight.status == 200
            got, wanted = await through.read(1 << 20), await straight.read(1 << 20)
            assert _timeless(got) == _timeless(wanted)
            assert value_of(through.headers, b"x-karkhana-route") == b"cloud/large"

    run(work())


def _timeless(body: bytes) -> list[bytes]:
    """Without what differs between two answers of the fake provider: their number and the second."""
    return [w for w in body.replace(b",", b"\n").split(b"\n") if b'"id"' not in w and b'"created"' not in w]


def test_usage_that_only_we_asked_for_does_not_reach_the_client(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            body = {"model": "smart", "stream": True, **QUESTIONS["/v1/chat/completions"]}
            text = await (await h.post("/v1/chat/completions", body)).read(1 << 20)
            assert text.endswith(b"data: [DONE]\n\n")
            assert b"prompt_tokens" not in text
            await asyncio.sleep(0.1)
            assert _spent(h) == h.provider.account.told()["usd"] == "0.000165"

    run(work())


def _spent(h: House) -> str:
    total = sum(entry.cost or usd(0) for entry in LedgerReader(h.database).entries())
    return f"{total:f}".rstrip("0")


@pytest.mark.parametrize("wire", sorted(BASES))
@pytest.mark.parametrize("path", sorted(QUESTIONS))
@pytest.mark.parametrize("stream", [False, True])
def test_every_door_leads_to_every_wire(tmp_path: Path, path: str, wire: str, stream: bool) -> None:
    async def work() -> None:
        async with house(tmp_path, wire=wire) as h:
            body = {"model": "smart", "stream": stream, **QUESTIONS[path]}
            at = path
            if path.startswith("/v1beta"):
                body = dict(QUESTIONS[path])
                at = f"{path}:streamGenerateContent?alt=sse" if stream else f"{path}:generateContent"
            answer = await h.post(at, body)
            text = await answer.read(1 << 20)
            assert answer.status == 200, text
            assert b"four" in text
            kind = value_of(answer.headers, b"content-type") or b""
            assert kind.startswith(STREAMS.get(path, b"text/event-stream") if stream else b"application/json")
            await asyncio.sleep(0.1)
            # Ollama's wire has no word for what was read from a cache, so that is charged as any other token.
            spent = "0.000435" if wire == "ollama" else h.provider.account.told()["usd"]
            assert _spent(h) == spent
            if not stream:
                assert value_of(answer.headers, b"x-karkhana-cost-usd") == spent.encode()

    run(work())


def test_a_refusal_is_told_in_the_clients_words(tmp_path: Path) -> None:
    script = '[[fault]]\nkind = "unauthorised"\nevery = 1\n' + SCRIPT

    async def work() -> None:
        async with house(tmp_path, script=script) as h:
            answer = await h.post("/v1/messages", {"model": "smart", **QUESTIONS["/v1/messages"]})
            told = json.loads(await answer.read(1 << 20))
            assert (answer.status, told["type"], told["error"]["type"]) == (401, "error", "authentication_error")

    run(work())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "nobody", "messages": [{"role": "user", "content": "x"}]}, 404),
        ({"messages": []}, 400),
        ({"model": 3}, 400),
        ({"model": "smart", "messages": "x", "stream": "yes"}, 400),
    ],
)
def test_a_wrong_request_costs_nothing(tmp_path: Path, body: dict[str, Any], status: int) -> None:
    async def work() -> None:
        async with house(tmp_path, wire="anthropic") as h:
            answer = await h.post("/v1/chat/completions", body)
            assert answer.status == status, await answer.read(1 << 20)
            assert "message" in json.loads(await answer.read(1 << 20))["error"]
            assert h.provider.account.told()["requests"] == 0

    run(work())


class OneKey:
    """A house with one client, on whose account everything is."""

    def known(self, key: str) -> Account:
        """Everybody is."""
        del key
        return Account("a")

    def admit(self, key: str, model: str, tokens: int) -> Client:
        del key, model, tokens
        return Client(Account("a"))


def test_a_budget_pauses_and_two_hundred_at_once_do_not_pass_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path, clients=OneKey()) as h:
            BudgetStore(h.database).put(Budget(scope="key:a", period=Period.TOTAL, hard=usd("0.01")))
            body = {"model": "smart", "max_tokens": 20, **QUESTIONS["/v1/chat/completions"]}

            async def one() -> int:
                answer = await h.post("/v1/chat/completions", body)
                told = await answer.read(1 << 20)
                if answer.status == 402:
                    assert json.loads(told)["error"]["code"]
                    assert b"raise the limit" in told
                return answer.status

            statuses = await asyncio.gather(*(one() for _ in range(200)))
            await asyncio.sleep(0.1)
            assert set(statuses) == {200, 402}
            assert usd(h.provider.account.told()["usd"]) <= usd("0.01")
            assert _spent(h) == h.provider.account.told()["usd"]

    run(work())


def test_models_health_and_metrics_are_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            await (await h.post("/v1/chat/completions", {"model": "smart", **QUESTIONS["/v1/chat/completions"]})).read(
                9999
            )
            assert [m["id"] for m in json.loads(await h.get("/v1/models"))["data"]] == ["smart"]
            assert json.loads(await h.get("/health"))["status"] == "ok"
            assert b'requests_total{wire="openai",status="200"} 1' in await h.get("/metrics")
            assert b"nothing is served" in await h.get("/v1/else")

    run(work())


def test_only_holders_of_keys_are_answered_and_only_as_much_as_they_may(tmp_path: Path) -> None:
    with open_database(None, tmp_path) as database:
        store = VirtualKeyStore(database)
        secret, key = minted("ci", team="web", models=("smart",), requests_per_minute=2)
        store.add(key, digest(secret))
        other, off = minted("old", disabled=True)
        store.add(off, digest(other))
        holders = KeyHolders(VirtualKeys(store))

    async def work() -> None:
        async with house(tmp_path, clients=holders) as h:

            async def ask(key: str, model: str = "smart") -> tuple[int, bytes]:
                body = {"model": model, **QUESTIONS["/v1/chat/completions"]}
                answer = await h.post("/v1/chat/completions", body, key=key)
                return answer.status, await answer.read(1 << 20)

            assert (await ask("kk_wrong"))[0] == 401
            assert (await ask(other))[0] == 401
            assert (await ask(secret, "cloud/large"))[0] == 404
            assert [(await ask(secret))[0] for _ in range(3)] == [200, 200, 429]
            assert h.provider.account.told()["requests"] == 2
            assert secret.encode() not in (await ask(secret))[1]
            await asyncio.sleep(0.1)
            assert {entry.account.team for entry in LedgerReader(h.database).entries()} == {"web"}

    run(work())
