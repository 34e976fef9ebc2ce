"""How many calls are answered in time although providers fail: three fake providers under a published fault model.

Ten per cent of the requests get a 429, five per cent a 500, one per cent a silence; the provider that is asked first
is down a third of the time (gateway_faults.toml). Every second call is a stream.

``--through gateway`` asks a real ``karkhana gateway`` process, kills it with SIGKILL in between, and compares its
ledger with the providers' account to the trillionth of a dollar (:mod:`benchmarks.gateway_faults_through`).
``--through caller`` asks without a gateway, in this process; tokens are compared instead, and those of requests that
were given up (the losers of races, at most 5 %) are looked up by their names, as nobody else knows them.

    python -m benchmarks.gateway_faults --requests 5000 --kills 2 --json
"""

import argparse
import asyncio
import statistics
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import gateway_faults_through as through
from benchmarks.common import emit
from benchmarks.gateway_processes import GatewayProcess, account, fake_providers
from karkhana.domain.chat import ChatRequest, Message, Role, Stopped, Text, Usage
from karkhana.http.loops import run
from karkhana.http.pool import Pool
from karkhana.routing.attempt import Attempt, Ending, Outcome
from karkhana.routing.calling import Called, Caller
from karkhana.routing.configuration import Candidate
from karkhana.routing.exchanges import Streamed, Whole
from karkhana.routing.faults import ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.provider_streams import DeltaStream
from karkhana.routing.wires.registry import WIRES

MODEL = Path(__file__).with_suffix(".toml")
NAMES = ("first", "second", "third")
QUESTION = "What is the answer to the question of life, the universe and everything?"


class Books:
    """What the attempts came to."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.usage: Counter[str] = Counter()
        self.begun = self.hedges = 0
        self.left: list[Attempt] = []
        """Given up, or silent for too long, so that nobody told us what they used."""

    async def begins(self, attempt: Attempt) -> None:
        self.begun += 1
        self.hedges += attempt.hedge

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        fault = f":{ending.fault.fault.value}" if ending.fault is not None else ""
        self.outcomes[f"{ending.outcome.value}{fault}"] += 1
        if ending.outcome is Outcome.LEFT or (ending.outcome is Outcome.FAILED and ending.charged):
            self.left.append(attempt)
        if ending.outcome is Outcome.ANSWERED and ending.usage is not None:
            self.usage.update(msgspec.structs.asdict(ending.usage))


def scripts(seed: int) -> dict[str, str]:
    """The fault model for each provider."""
    parts = tomllib.loads(MODEL.read_text())
    return {
        name: f"seed = {seed + number}\n{parts['all']['script']}{parts['down']['script'] if number == 0 else ''}"
        for number, name in enumerate(NAMES)
    }


async def measure(addresses: Mapping[str, str], requests: int, concurrency: int, deadline_s: float) -> dict[str, Any]:
    books, times, failed = Books(), list[float](), Counter[str]()
    candidates = [Candidate(name, "m") for name in NAMES]
    request = ChatRequest(
        model="m", messages=(Message(role=Role.USER, parts=(Text(text=QUESTION),)),), temperature=0.0, max_tokens=100
    )
    async with Pool() as pool:
        made = {name: Provider(name, WIRES["openai"], f"{a}/v1", (), pool) for name, a in addresses.items()}
        caller = Caller(made, observer=books)
        numbers = iter(range(requests))

        async def client() -> None:
            for number in numbers:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(deadline_s):
                        await one(caller, candidates, request, number, deadline_s)
                    times.append(time.monotonic() - began)
                except ProviderFault as fault:
                    failed[fault.fault.value] += 1
                except TimeoutError:
                    failed["deadline"] += 1

        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.gather(*(client() for _ in range(concurrency)))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        accounts = {name: await account(pool, address) for name, address in addresses.items()}
        # What the losers of races used is told by nobody but the provider, by the name of the request.
        for attempt in books.left:
            entry = await account(pool, addresses[attempt.place.provider], f"/{attempt.name}")
            books.usage.update(entry.get("usage", {}))
        health = {place: health.state.value for place, health in caller.health().items()}
    theirs: Counter[str] = Counter()
    for each in accounts.values():
        theirs.update(each["usage"])
    quantiles = statistics.quantiles(times, n=1000)
    return {
        "requests": requests,
        "answered": len(times),
        "success_share": round(len(times) / requests, 6),
        "failed": dict(failed),
        "attempts_per_call": round(books.begun / requests, 3),
        "hedge_share": round(books.hedges / requests, 4),
        "p50_ms": round(quantiles[499] * 1000, 1),
        "p99_ms": round(quantiles[989] * 1000, 1),
        "p999_ms": round(quantiles[998] * 1000, 1),
        "longest_ms": round(max(times) * 1000, 1),
        "calls_per_s": round(requests / wall, 1),
        "cpu_ms_per_call": round(cpu / requests * 1000, 3),
        "outcomes": dict(sorted(books.outcomes.items())),
        "tokens": {name: books.usage[name] for name in Usage.__struct_fields__},
        "tokens_charged": {name: theirs[name] for name in Usage.__struct_fields__},
        "tokens_equal": all(books.usage[name] == theirs[name] for name in Usage.__struct_fields__),
        "accounts": {name: each["outcomes"] for name, each in accounts.items()},
        "breakers_at_the_end": health,
    }


async def one(
    caller: Caller, candidates: list[Candidate], request: ChatRequest, number: int, deadline_s: float
) -> None:
    """A call to its end. Raises ``ProviderFault``."""
    if number % 2:
        await caller.call(candidates, Whole(request), deadline_s)
        return
    called: Called[DeltaStream] = await caller.call(candidates, Streamed(request), deadline_s)
    last = None
    try:
        async for delta in called.answer:
            last = delta
    finally:
        called.answer.close()
    assert isinstance(last, Stopped)


def through_gateway(addresses: Mapping[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """With a virtual key of its own and a budget that counts, but does not end."""
    with tempfile.TemporaryDirectory(prefix="gateway-faults-") as scratch:
        folder = Path(scratch)
        gateway = GatewayProcess(folder, through.configuration(addresses, options.deadline))
        made = gateway.said("gateway", "keys", "add", "faults", "--requests", "100000000")
        scope = f"key:{made['key']['key_id']}"
        gateway.said("gateway", "budgets", "set", scope, "--hard", "100000", "--period", "total")
        gateway.start()
        try:
            load = through.Load(gateway, made["secret"], QUESTION, options.deadline)
            work = through.measure(
                gateway, addresses, folder, load, options.requests, concurrency=options.concurrency, kills=options.kills
            )
            return run(work)
        finally:
            if gateway.alive:
                gateway.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--through", choices=("gateway", "caller"), default="gateway")
    parser.add_argument("--kills", type=int, default=5, help="how often the gateway is killed")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--deadline", type=float, default=5.0, help="seconds for one call with all its attempts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with fake_providers(scripts(options.seed)) as addresses:
        if options.through == "caller":
            figures = run(measure(addresses, options.requests, options.concurrency, options.deadline))
        else:
            figures = through_gateway(addresses, options)
    emit("calls under faults", figures, as_json=options.json)


if __name__ == "__main__":
    main()
