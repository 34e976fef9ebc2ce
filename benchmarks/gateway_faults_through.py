"""The gateway under faults and under SIGKILL: a real process, clients that ask it, three fake providers behind it.

Requests that met a dead gateway, or were cut by its death, are asked again and counted apart (``cut``): no program can
answer while it is dead. All others count for ``success_share``. Afterwards money is compared exactly: what the ledger
says by provider, with what the providers would charge, once the entries in doubt are settled by the providers' own
account with ``karkhana gateway ledger resolve``.
"""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.gateway_processes import GatewayProcess, account
from karkhana.domain.spending import Period
from karkhana.http.errors import HttpError
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import open_database
from karkhana.storage.ledger_reading import LedgerReader

WIRES = {"first": ("openai", "/v1"), "second": ("anthropic", ""), "third": ("openai", "/v1")}
"""The second one is translated to and from another wire."""
HEAD_START_S = 0.5
"""The gateway's deadline ends so much before its client's."""
SETTLED_S = 60.0
"""Seconds in which a dead gateway's reservations must be charged."""
_LARGEST = 1 << 20


def configuration(addresses: Mapping[str, str], deadline_s: float) -> str:
    text = f"[gateway]\ndeadline_s = {deadline_s - HEAD_START_S}\n"
    for name, address in addresses.items():
        wire, base = WIRES[name]
        text += f'[provider.{name}]\nwire = "{wire}"\nbase_url = "{address}{base}"\n'
        text += f'[price."{name}/m"]\ninput = "0.15"\noutput = "0.60"\n'
    return text + f"[model.m]\ncandidates = {json.dumps([f'{name}/m' for name in addresses])}\noutput = 100\n"


class Load:
    """Clients that ask a gateway which is killed now and then."""

    def __init__(self, gateway: GatewayProcess, secret: str, question: str, deadline_s: float) -> None:
        self.times: list[float] = []
        self.failed: Counter[str] = Counter()
        self.cut = self.cut_answered = self.done = 0
        self.start_s: list[float] = []
        self._gateway = gateway
        self._deadline_s = deadline_s
        self._serves = asyncio.Event()
        self._serves.set()
        self._deaths = 0
        self._url = Url.parse(f"{gateway.address}/v1/chat/completions")
        self._headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {secret}".encode())]
        body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": question}]}
        self._bodies = [json.dumps(body | {"stream": stream}).encode() for stream in (False, True)]
        self._question = question

    async def carry_out(self, requests: int, concurrency: int, kills: int) -> None:
        numbers = iter(range(requests))
        async with Pool(PoolSettings(per_origin=concurrency)) as pool:

            async def client() -> None:
                for number in numbers:
                    await self._one(pool, number)
                    self.done += 1

            killer = asyncio.ensure_future(self._kill([requests * n // (kills + 1) for n in range(1, kills + 1)]))
            await asyncio.gather(*(client() for _ in range(concurrency)))
            await killer

    async def _kill(self, when: list[int]) -> None:
        for done in when:
            while self.done < done:  # noqa: ASYNC110 - nobody else needs to know
                await asyncio.sleep(0.02)
            self._serves.clear()
            self._deaths += 1
            self._gateway.kill()
            self.start_s.append(round(await asyncio.to_thread(self._gateway.start), 2))
            self._serves.set()

    async def _one(self, pool: Pool, number: int) -> None:
        was_cut = False
        while True:
            await self._serves.wait()
            deaths, began = self._deaths, time.monotonic()
            try:
                async with asyncio.timeout(self._deadline_s):
                    wrong = await self._ask(pool, number)
            except TimeoutError:
                wrong = "deadline"
            except HttpError as error:
                wrong = type(error).__name__
            if wrong and self._deaths != deaths:
                self.cut += not was_cut
                was_cut = True
                continue
            if wrong:
                self.failed[wrong] += 1
            elif was_cut:
                self.cut_answered += 1
            else:
                self.times.append(time.monotonic() - began)
            return

    async def _ask(self, pool: Pool, number: int) -> str:
        """What is wrong with the answer, if anything."""
        stream = number % 2
        answer = await pool.send("POST", self._url, self._headers, self._bodies[stream])
        body = await answer.read(_LARGEST)
        if answer.status != 200:
            return f"status {answer.status}"
        if stream:
            return "" if said_by(body) == self._question and body.endswith(b"data: [DONE]\n\n") else "half a stream"
        told = json.loads(body)["choices"][0]["message"]["content"]
        return "" if told == self._question else "another answer"


def said_by(stream: bytes) -> str:
    """The text of a stream of Chat Completions."""
    said = ""
    for line in stream.splitlines():
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:]).get("choices") or [{}]
            said += choices[0].get("delta", {}).get("content") or ""
    return said


async def settled(gateway: GatewayProcess) -> float:
    """Wait until a gateway that lives has charged what dead ones left open; seconds that this took."""
    began = time.monotonic()
    with open_database(None, gateway.home) as database:
        reader = LedgerReader(database)
        while reader.entries(state="open", limit=1):
            if time.monotonic() - began > SETTLED_S:
                raise SystemExit("reservations of a dead gateway are still open")
            await asyncio.sleep(0.5)
    return time.monotonic() - began


async def reconciled(gateway: GatewayProcess, addresses: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Settle the entries in doubt by the providers' own account, and compare all money; the gateway is stopped."""
    async with Pool() as pool:
        theirs = {name: await account(pool, address) for name, address in addresses.items()}
        before = costs(gateway)
        doubted = gateway.said("gateway", "ledger", "list", "--state", "unknown", "--limit", "100000000")["entries"]
        unheard = 0
        with (folder / "told.ndjson").open("w") as file:
            for entry in doubted:
                told = await account(pool, addresses[entry["provider"]], f"/{entry['attempt']}")
                unheard += not told
                record = {"attempt": entry["attempt"], "cost_usd": told.get("usd", "0"), "usage": told.get("usage")}
                file.write(json.dumps(record) + "\n")
    done = gateway.said("gateway", "ledger", "resolve", str(folder / "told.ndjson"))
    after = costs(gateway)
    charged = {name: Decimal(each["usd"]) for name, each in theirs.items()}
    return {
        "ledger_usd": {name: str(amount) for name, amount in after.items()},
        "providers_usd": {name: str(amount) for name, amount in charged.items()},
        "ledger_equal": all(after[name] == charged[name] for name in addresses),
        "budget_equal": budget_used(gateway) == sum(after.values()),
        "never_below": all(before[name] >= charged[name] for name in addresses),
        "in_doubt": {"entries": len(doubted), "never_reached_a_provider": unheard, "freed_usd": done["freed"]},
        "left_in_doubt": done["in_doubt"],
        "accounts": {name: each["outcomes"] for name, each in theirs.items()},
    }


def costs(gateway: GatewayProcess) -> dict[str, Decimal]:
    """What the ledger says, by provider."""
    sums = gateway.said("gateway", "ledger", "sums", "--by", "provider")["sums"]
    return {each["name"]: Decimal(each["cost"]) for each in sums}


def budget_used(gateway: GatewayProcess) -> Decimal:
    """What the only budget says is used."""
    with open_database(None, gateway.home) as database:
        budgets = BudgetStore(database)
        (budget,) = budgets.all()
        assert budget.period is Period.TOTAL
        (standing,) = budgets.standings([budget.scope], "2000-01-01")
        return standing.used


async def measure(
    gateway: GatewayProcess, addresses: Mapping[str, str], folder: Path, load: Load, requests: int, **others: int
) -> dict[str, Any]:
    """``others``: ``concurrency`` and ``kills``. The gateway serves."""
    wall = time.monotonic()
    await load.carry_out(requests, **others)
    wall = time.monotonic() - wall
    recovery_s = await settled(gateway)
    memory = gateway.memory_mb()
    ended = gateway.stop()
    await asyncio.sleep(1.0)
    with open_database(None, gateway.home) as database:
        attempts = sum(each.calls for each in LedgerReader(database).sums("day"))
    money = await reconciled(gateway, addresses, folder)
    quantiles = statistics.quantiles(load.times, n=1000)
    uncut = requests - load.cut
    return {
        "requests": requests,
        "uncut": uncut,
        "answered": len(load.times),
        "success_share": round(len(load.times) / uncut, 6),
        "failed": dict(load.failed),
        "kills": gateway.starts - 1,
        "cut": load.cut,
        "cut_answered_when_asked_again": load.cut_answered,
        "charged_attempts_per_request": round(attempts / requests, 3),
        "p50_ms": round(quantiles[499] * 1000, 1),
        "p99_ms": round(quantiles[989] * 1000, 1),
        "p999_ms": round(quantiles[998] * 1000, 1),
        "longest_ms": round(max(load.times) * 1000, 1),
        "requests_per_s": round(requests / wall, 1),
        "restart_s": load.start_s,
        "recovery_s": round(recovery_s, 1),
        "gateway_rss_mb": round(memory, 1),
        "gateway_exit": ended,
        "gateway_errors": gateway.errors()[-2000:],
        **money,
    }
