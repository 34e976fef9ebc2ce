"""Clients that nobody vouches for, against the whole gateway on loopback.

benchmarks/gateway_hostile.py has more of each. An attack returns what was answered that should not have been.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.gateway_hostile import Flood
from benchmarks.hostile_requests import Target, head, statuses, talk
from gateway_examples import CHAT, Holders, House, house, run, until

from benchmarks import hostile_money as money
from benchmarks import hostile_requests as attacks
from karkhana.domain.money import usd
from karkhana.domain.spending import Budget, Period
from karkhana.http.messages import Url
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.ledger_reading import LedgerReader

LARGEST = 1 << 20
CONFIGURATION = """
[gateway]
largest_request_mb = 1
[provider.p]
wire = "openai"
base_url = "ADDRESS/v1"
[provider.other]
wire = "anthropic"
base_url = "ADDRESS"
[model.m]
candidates = ["p/m"]
output = 500
[model.slow]
candidates = ["p/slow"]
[model.translated]
candidates = ["other/m"]
"""
PRICE = 'input = "1"\noutput = "2"\n'
PRICES = "".join(f'[price."{name}"]\n{PRICE}' for name in ("p/m", "p/slow", "other/m"))
SCRIPT = f"""
[price.m]
{PRICE}
[price.slow]
{PRICE}
[[answer]]
model = "slow"
text = "at last"
latency = {{first_s = 60}}
[[answer]]
echo = true
latency = {{first_s = 0.003, piece_s = 0.001}}
"""


@asynccontextmanager
async def besieged(folder: Path, *keys: str, more: str = "") -> AsyncIterator[tuple[House, Target, Holders]]:
    """A gateway, and an attacker with a key."""
    holders = Holders(("attacker", {}), *((name, {}) for name in keys))
    text = CONFIGURATION + more + PRICES
    async with house(folder, configuration=text, script=SCRIPT, clients=holders) as h:
        port = Url.parse(h.url).origin.port
        yield h, Target(port, holders.made["attacker"][0], LARGEST), holders


async def is_served(h: House, holders: Holders) -> bool:
    body = {"model": "m", "messages": [{"role": "user", "content": "are you there"}]}
    said = await h.ask(CHAT, body, authorization=holders.bearer("attacker"))
    return said.status == 200 and b"are you there" in said.body


@pytest.mark.parametrize(
    "attack",
    [
        attacks.bodies,
        attacks.bombs,
        attacks.floods_of_headers,
        attacks.smuggling,
        attacks.paths,
        attacks.half_closed,
        lambda target: attacks.giant_bodies(target, 1),
        lambda target: attacks.pipelining(target, 4, 1000),
        lambda target: attacks.wrong_keys(target, 300),
        lambda target: attacks.early_disconnects(target, 60, 20),
    ],
    ids=[
        *["bodies", "bombs", "header floods", "smuggling", "paths", "half-close"],
        *["giants", "pipelining", "wrong keys", "early disconnects"],
    ],
)
def test_an_attack_is_refused_and_others_are_served(
    tmp_path: Path, attack: Callable[[Target], Awaitable[list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with besieged(tmp_path) as (h, target, holders):
            assert await attack(target) == []
            assert await is_served(h, holders)
            # What the attacker began is over as soon as it has left.
            await until(lambda: not LedgerReader(h.database).entries(state="open"))
            assert b"evil" not in (await h.get("/metrics")).body

    with caplog.at_level(logging.WARNING):
        run(work())
    assert [record.getMessage() for record in caplog.records if "program" in record.getMessage()] == []


@pytest.mark.parametrize(
    ("key", "line", "status"),
    [
        ("kk_nobody", b"content-length: 900000", 401),
        ("kk_nobody", b"transfer-encoding: chunked", 401),
        (None, b"content-length: 90000000", 413),
    ],
)
def test_a_long_request_is_refused_before_it_is_there(
    tmp_path: Path, key: str | None, line: bytes, status: int
) -> None:
    async def work() -> None:
        async with besieged(tmp_path) as (_, target, _):
            begun = b"%x\r\n%b\r\n" % (70_000, b" " * 70_000)
            # More never comes: whoever waited for it would answer nothing in this time.
            assert statuses(await talk(target.port, head(target, line, key=key), begun, read_s=2.0)) == [status]

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_its_answer_ends_the_providers_work(tmp_path: Path, stream: bool) -> None:
    async def work() -> None:
        async with besieged(tmp_path) as (h, target, _):
            body = json.dumps(
                {"model": "slow", "stream": stream, "max_tokens": 7, "messages": [{"role": "user", "content": "x"}]}
            ).encode()
            _, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(head(target, b"content-length: %d" % len(body)) + body)
            await until(lambda: bool(LedgerReader(h.database).entries(state="open")))
            # Until the provider has it.
            await asyncio.sleep(0.3)
            writer.transport.abort()
            await until(lambda: h.provider.account.told()["outcomes"] == {"left": 1})
            await until(lambda: not LedgerReader(h.database).entries(state="open"))
            (entry,) = LedgerReader(h.database).entries()
            assert (entry.state, entry.cost) == ("unknown", entry.reserved)
            told = h.provider.account.of(entry.attempt)
            assert told is not None
            assert entry.cost is not None
            assert entry.cost >= usd(told["usd"])

    run(work())


@pytest.mark.parametrize("fields", money.TRICKS.values(), ids=money.TRICKS)
def test_no_way_to_ask_passes_a_budget(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def work() -> None:
        async with besieged(tmp_path) as (h, _, holders):
            hard = usd("0.003")
            scope = f"key:{holders.key_id('attacker')}"
            BudgetStore(h.database).put(Budget(scope=scope, period=Period.TOTAL, hard=hard))
            question = {"model": "m", "max_tokens": 40, "messages": [{"role": "user", "content": "word " * 100}]}

            async def one(number: int) -> int:
                body = question | fields | {"stream": number % 2 == 1}
                return (await h.ask(CHAT, body, authorization=holders.bearer("attacker"))).status

            found = {status for _ in range(2) for status in await asyncio.gather(*map(one, range(60)))}
            assert found <= {200, 400, 402}
            assert usd(h.provider.account.told()["usd"]) <= hard
            (standing,) = BudgetStore(h.database).standings([scope], "2026-01-01")
            assert standing.used <= hard

    run(work())


@pytest.mark.parametrize(
    "body",
    [
        {"model": "translated", "messages": "x"},
        {"model": "translated", "messages": [{"role": "user", "content": [{"type": "smell"}]}]},
        {"model": "m", "MODEL": "translated", "messages": [{"role": "user", "content": "x"}]},
    ],
)
def test_what_cannot_be_read_is_not_charged(tmp_path: Path, body: dict[str, Any]) -> None:
    async def work() -> None:
        async with besieged(tmp_path) as (h, _, holders):
            assert (await h.ask(CHAT, body, authorization=holders.bearer("attacker"))).status == 400
            assert h.asked == 0
            await until(lambda: not LedgerReader(h.database).entries(state="open"))
            assert sum(entry.cost or 0 for entry in LedgerReader(h.database).entries()) == 0

    run(work())


@pytest.mark.parametrize("model", ["m", "translated"])
def test_nobody_gets_anothers_answer_though_clients_leave_all_the_time(tmp_path: Path, model: str) -> None:
    names = [f"owner {number}" for number in range(12)]

    async def work() -> None:
        async with besieged(tmp_path, *names) as (_, target, holders):
            keys = [holders.made[name][0] for name in names]
            found, begun = await asyncio.gather(
                money.crossed_answers(target, keys, 240, model), money.disturbed(target, target.key, 30, model)
            )
            assert found["leaks"] == 0
            assert found["whole"] + found["left"] == found["requests"]
            assert min(found["whole"], found["left"], begun) > 20

    run(work())


def test_a_stream_that_nobody_reads_holds_its_provider_back(tmp_path: Path) -> None:
    async def work() -> None:
        flood = Flood()
        async with await flood.serve():
            more = f'[provider.f]\nwire = "openai"\nbase_url = "http://127.0.0.1:{flood.port}/v1"\n'
            more += f'[model.flood]\ncandidates = ["f/flood"]\n[price."f/flood"]\n{PRICE}'
            async with besieged(tmp_path, more=more) as (h, target, holders):
                reading = asyncio.ensure_future(attacks.slow_readers(target, 3, 1.5))
                await asyncio.sleep(1.0)
                before = list(flood.written)
                await asyncio.sleep(0.4)
                # Buffers of the kernel are full, ours are bounded, and nothing more is taken from the provider.
                assert before == flood.written
                assert len(before) == 3
                assert await is_served(h, holders)
                assert await reading == []

    run(work())
