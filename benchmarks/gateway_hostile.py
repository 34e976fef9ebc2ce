"""Clients that nobody vouches for against a real ``karkhana gateway`` process, with fake providers behind it.

Attacks come one after the other; a well-behaved client asks all the time (:mod:`benchmarks.hostile_bystander`). There
are two rounds; ``rss_growth_mb`` is what the second one added. ``problems`` names what was answered wrongly; it is
empty, and ``over_budget_usd``, ``leaks`` and ``crashes`` are 0, when all is well.

    python -m benchmarks.gateway_hostile --json
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks import hostile_money as money
from benchmarks import hostile_requests as attacks
from benchmarks.common import emit
from benchmarks.gateway_processes import GatewayProcess, fake_providers
from benchmarks.gateway_streams import enough_files
from benchmarks.hostile_requests import Target
from karkhana.domain.spending import Budget, Period
from karkhana.http.loops import run
from karkhana.routing.keys import digest, minted
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.virtual_key_store import VirtualKeyStore

T = TypeVar("T")
OWNERS = 64
RACED = 12
ALLOWED = 50
"""Requests a minute of the key whose limit is raced."""
ROUNDS = 2
"""Memory is compared between the end of the first and the last: what the first one needs is kept for the next."""
SHORTEST_S = 1.5
FULL_S = 8.0
"""Seconds after which the system's own buffers are full, some 40 MB a stream where it lets them grow that far."""
QUIET_S = 3.0
"""Seconds after which whatever an attack left must be gone."""
SCRIPT = """
[latency]
first_s = 0.005
spread_s = 0.01
[[answer]]
model = "raced-*"
text = "%s"
[[answer]]
echo = true
"""
"""What the raced models say is long beside the question, so that a limit which is not one would be dear."""
SLOW = """
[latency]
first_s = 0.1
piece_s = 0.05
piece_chars = 20
"""


class Flood:
    """A provider that streams without an end, as fast as it is read, and counts what it could write."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.taken_unread = 0
        """Bytes that were still taken when nobody had read anything for long enough."""
        self.port = 0
        event = {"choices": [{"index": 0, "delta": {"content": "flood " * 2000}, "finish_reason": None}]}
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        self._chunk = b"%x\r\n%b\r\n" % (len(data), data)

    async def serve(self) -> asyncio.Server:
        made = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = made.sockets[0].getsockname()[1]
        return made

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            place = len(self.written)
            self.written.append(0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                writer.write(self._chunk)
                await writer.drain()
                self.written[place] += len(self._chunk)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway gave it up, as it should
        finally:
            writer.close()


def configuration(fast: str, slow: str, flood: int, raced: list[str]) -> str:
    text = "[gateway]\nlargest_request_mb = 4\ndeadline_s = 60\n"
    for name, wire, base in (
        ("fast", "openai", f"{fast}/v1"),
        ("other", "anthropic", fast),
        ("slow", "openai", f"{slow}/v1"),
        ("flood", "openai", f"http://127.0.0.1:{flood}/v1"),
        ("p", "openai", f"{fast}/v1"),
    ):
        text += f'[provider.{name}]\nwire = "{wire}"\nbase_url = "{base}"\n'
    for name, candidate in (("m", "fast/m"), ("translated", "other/m"), ("slow", "slow/m"), ("flood", "flood/m")):
        text += f'[model.{name}]\ncandidates = ["{candidate}"]\n[price."{candidate}"]\ninput = "1"\noutput = "2"\n'
    for name in raced:
        text += f'[model.{name}]\ncandidates = ["fast/{name}"]\noutput = 500\n'
        text += f'[price."fast/{name}"]\ninput = "1"\noutput = "2"\n'
    return text


class Keys:
    """Secrets by name, made straight in the database."""

    def __init__(self, database: Database) -> None:
        self._store, self._budgets = VirtualKeyStore(database), BudgetStore(database)

    def add(self, name: str, hard: Any = None, **fields: Any) -> str:
        secret, key = minted(name, **fields)
        self._store.add(key, digest(secret))
        if hard is not None:
            self._budgets.put(Budget(scope=f"key:{key.key_id}", period=Period.TOTAL, hard=hard))
        return secret


class Siege:
    """Attacks one after the other, and what is seen meanwhile."""

    def __init__(self, gateway: GatewayProcess, bystander: "subprocess.Popen[str]") -> None:
        self.problems: list[str] = []
        self.meanwhile: dict[str, Any] = {}
        self.memory: dict[str, list[float]] = {}
        self.seconds: dict[str, float] = {}
        self.gateway = gateway
        self.files = 0
        self._bystander = bystander

    async def quiet(self, seconds: float) -> None:
        """Before anything happens."""
        await asyncio.sleep(seconds)
        self.files = self.gateway.descriptors()
        self.weigh("start")

    async def attack(self, name: str, work: Callable[[], Awaitable[list[str]]]) -> None:
        """As often as it takes until the other client has asked a few times."""

        async def repeated() -> None:
            began = time.monotonic()
            while time.monotonic() - began < SHORTEST_S:
                self.problems += await work()

        await self.seen(name, repeated())

    async def seen(self, name: str, work: Awaitable[T]) -> T:
        """What comes of it; what the other client saw meanwhile is remembered."""
        await self.period()
        began = time.monotonic()
        found = await work
        self.seconds[name] = round(time.monotonic() - began, 1)
        now, before = await self.period(), self.meanwhile.get(name)
        if before is not None:
            for count in ("asked", "served", "foreign"):
                now[count] += before[count]
            now["longest_ms"] = max(now["longest_ms"], before["longest_ms"])
        self.meanwhile[name] = now
        if not self.gateway.alive:
            raise SystemExit(f"the gateway ended during {name}: {self.gateway.errors()[-2000:]}")
        self.weigh(name)
        return found

    def weigh(self, name: str) -> None:
        self.memory.setdefault(name, []).append(round(self.gateway.memory_mb(), 1))

    async def period(self) -> Any:
        """What the well-behaved client saw since the last time."""
        assert self._bystander.stdin is not None
        assert self._bystander.stdout is not None
        self._bystander.stdin.write("\n")
        self._bystander.stdin.flush()
        return json.loads(await asyncio.to_thread(self._bystander.stdout.readline))


async def unread(target: Target, count: int, flood: Flood) -> list[str]:
    """Nobody reads: when the buffers of the system are full, nothing more may be taken from the provider."""
    reading = asyncio.ensure_future(attacks.slow_readers(target, count, FULL_S + 2.0))
    await asyncio.sleep(FULL_S)
    before = sum(flood.written)
    await asyncio.sleep(1.5)
    flood.taken_unread += sum(flood.written) - before
    return await reading


def so_many(count: int, scale: float) -> int:
    return max(4, round(count * scale))


def attacks_on(target: Target, scale: float, flood: Flood) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Name → attack by what is sent."""
    return {
        "slow heads": lambda: attacks.slow_heads(target, so_many(1000, scale), 13.0),
        "silent bodies": lambda: attacks.slow_bodies(target, so_many(300, scale), 34.0),
        "giant bodies": lambda: attacks.giant_bodies(target, so_many(20, scale)),
        "bombs": lambda: attacks.bombs(target),
        "odd bodies": lambda: attacks.bodies(target),
        "header floods": lambda: attacks.floods_of_headers(target),
        "smuggling": lambda: attacks.smuggling(target),
        "paths": lambda: attacks.paths(target),
        "pipelining": lambda: attacks.pipelining(target, so_many(50, scale), 5000),
        "half-close": lambda: attacks.half_closed(target),
        "wrong keys": lambda: attacks.wrong_keys(target, so_many(20_000, scale)),
        "early disconnects": lambda: attacks.early_disconnects(target, so_many(10_000, scale), 100),
        "slow readers": lambda: unread(target, so_many(50, scale), flood),
    }


async def measure(folder: Path, addresses: dict[str, str], scale: float) -> dict[str, Any]:
    """Start a gateway, lay siege to it, and tell what was seen."""
    flood = Flood()
    models = [f"raced-{number}" for number in range(RACED)]
    async with await flood.serve():
        gateway = GatewayProcess(folder, configuration(addresses["fast"], addresses["slow"], flood.port, models))
        with open_database(None, gateway.home) as database:
            keys = Keys(database)
            attacker, limited = keys.add("attacker"), keys.add("limited", requests_per_minute=ALLOWED)
            owners = [keys.add(f"owner {number}") for number in range(OWNERS)]
            raced = {model: keys.add(model, money.HARD, models=(model,)) for model in models}
            quiet = keys.add("bystander")
        await asyncio.to_thread(gateway.start)
        try:
            with bystander(gateway.address, quiet) as beside:
                siege = Siege(gateway, beside)
                await siege.quiet(2.0)
                target = Target(gateway.port, attacker, 4 << 20)
                tricks = Tricks(provider=addresses["fast"], limited=limited, owners=owners, raced=raced)
                for _ in range(ROUNDS):
                    for name, work in attacks_on(target, scale, flood).items():
                        await siege.attack(name, work)
                    found = await tricked(siege, target, tricks, scale)
                    siege.weigh("round")
            return {**await told(siege, found, flood), **found}
        finally:
            if gateway.alive:
                gateway.stop()


class Tricks(NamedTuple):
    """Whom attacks on money are about."""

    provider: str
    """Address of the one that keeps the account."""
    limited: str
    """A key that may ask :data:`ALLOWED` times a minute."""
    owners: list[str]
    """Keys of clients that must not see each other's answers."""
    raced: dict[str, str]
    """Model → key with a budget."""


async def tricked(siege: Siege, target: Target, tricks: Tricks, scale: float) -> dict[str, Any]:
    """Attacks on money and on others' answers."""
    limits = await siege.seen("raced limits", money.raced_limits(target, tricks.limited, ALLOWED))
    budgets = await siege.seen("raced budgets", money.raced_budgets(target, tricks.provider, tricks.raced))
    crossed = {}
    for model in ("m", "translated"):
        answers = money.crossed_answers(target, tricks.owners, so_many(4000, scale), model)
        noise = money.disturbed(target, target.key, so_many(400, scale), model)
        crossed[model], _ = await siege.seen(f"crossed answers, {model}", asyncio.gather(answers, noise))
    return {"limits": limits, "budgets": budgets, "crossed": crossed}


async def told(siege: Siege, found: dict[str, Any], flood: Flood) -> dict[str, Any]:
    """What is left when all is quiet."""
    gateway = siege.gateway
    await asyncio.sleep(QUIET_S)
    periods = siege.meanwhile.values()
    metrics = await attacks.talk(gateway.port, b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    with open_database(None, gateway.home) as database:
        still_open = len(LedgerReader(database).entries(state="open"))
    files = gateway.descriptors()
    ended = gateway.stop()
    evil = ["a client's words stand in the metrics"] if b"evil" in metrics else []
    return {
        "over_budget_usd": found["budgets"]["over_budget_usd"],
        "crashes": int(ended != 0) + gateway.errors().count("the program"),
        "leaks": sum(each["leaks"] for each in found["crossed"].values()) + sum(each["foreign"] for each in periods),
        "rss_growth_mb": round(siege.memory["round"][-1] - siege.memory["round"][0], 1),
        "served_meanwhile": round(sum(p["served"] for p in periods) / sum(p["asked"] for p in periods), 5),
        "problems": siege.problems + evil,
        "over_limit": found["limits"]["too_many"],
        "taken_though_unread_mb": round(flood.taken_unread / 1e6, 1),
        "calls_still_open": still_open,
        "files": {"start": siege.files, "end": files},
        "rss_mb": siege.memory,
        "seconds": siege.seconds,
        "meanwhile": siege.meanwhile,
        "gateway_errors": gateway.errors()[-2000:],
    }


@contextmanager
def bystander(address: str, key: str) -> Iterator["subprocess.Popen[str]"]:
    """The well-behaved client's process."""
    command = [sys.executable, "-m", "benchmarks.hostile_bystander", address, key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            assert started.stdin is not None
            started.stdin.close()
            started.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="how many of everything; 1.0: 10,000 disconnects")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    enough_files(3000)
    scripts = {"fast": fast_script(), "slow": SLOW}
    with fake_providers(scripts) as addresses, tempfile.TemporaryDirectory(prefix="gateway-hostile-") as scratch:
        figures = run(measure(Path(scratch), addresses, options.scale))
    emit("hostile clients", figures, as_json=options.json)


def fast_script() -> str:
    """With what the fake provider charges for the raced models."""
    return SCRIPT % ("word " * 320) + "".join(
        f'[price.raced-{number}]\ninput = "1"\noutput = "2"\n' for number in range(RACED)
    )


if __name__ == "__main__":
    main()
