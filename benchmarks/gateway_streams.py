"""Many streams at a time through a gateway: errors, memory and open files while they last, and after their end.

A fake provider, a real ``karkhana gateway`` and the clients (this program) are processes of their own. Each stream
gives its own prompt back in pieces, one in ``--piece`` seconds, and is compared with it to the last byte. Memory is the
gateway's resident set, by seconds from the first request.

    python -m benchmarks.gateway_streams --streams 1000 --seconds 60 --json
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from benchmarks.gateway_faults_through import said_by
from benchmarks.gateway_processes import GatewayProcess, account, fake_providers
from karkhana.http.errors import HttpError
from karkhana.http.loops import run
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings
from karkhana.storage.database import open_database
from karkhana.storage.ledger_reading import LedgerReader

PIECE = 16
"""Characters of a piece."""
SPARE = 200
"""Open files that are needed besides connections."""
CLOSED_S = 150.0
"""Seconds in which connections to the provider must be closed that nobody uses any more."""
ABOUT = 8
"""Open files more or less that do not count: the database's, a connection for the account."""


def enough_files(streams: int) -> None:
    """Raise the limit of open files, which the gateway inherits: two connections a stream. Ends if it is too low."""
    needed = 2 * streams + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"{streams} streams need {needed} open files in one process, and this system allows {hard} "
            "(ulimit -Hn): raise that limit or ask for fewer --streams"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def prompt(number: int, pieces: int) -> str:
    """A text of its own for each stream, as long as its answer shall be."""
    return "".join(f"{number:07d}.{piece:07d} " for piece in range(pieces))


class Streams:
    """Clients, each with one stream."""

    def __init__(self, gateway: GatewayProcess, secret: str) -> None:
        self.wrong: Counter[str] = Counter()
        self.whole = self.bytes = self.open = self.most_open = 0
        self._url = Url.parse(f"{gateway.address}/v1/chat/completions")
        self._headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {secret}".encode())]

    async def one(self, pool: Pool, text: str) -> None:
        body = {"model": "m", "stream": True, "max_tokens": 8192, "messages": [{"role": "user", "content": text}]}
        try:
            answer = await pool.send("POST", self._url, self._headers, json.dumps(body).encode())
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            try:
                got = await answer.read(1 << 24)
            finally:
                self.open -= 1
        except HttpError as error:
            self.wrong[type(error).__name__] += 1
            return
        self.bytes += len(got)
        if answer.status != 200:
            self.wrong[f"status {answer.status}"] += 1
        elif said_by(got) != text or not got.endswith(b"data: [DONE]\n\n"):
            self.wrong["another text"] += 1
        else:
            self.whole += 1


async def measure(gateway: GatewayProcess, secret: str, provider: str, streams: int, pieces: int) -> dict[str, Any]:
    clients, memory = Streams(gateway, secret), dict[str, float]()
    files_before, memory["start"] = gateway.descriptors(), round(gateway.memory_mb(), 1)
    began = time.monotonic()
    async with Pool(PoolSettings(per_origin=streams)) as pool:
        work = asyncio.gather(*(clients.one(pool, prompt(number, pieces)) for number in range(streams)))
        files_during = 0
        for second in (10, 35, 60):
            done, _ = await asyncio.wait({work}, timeout=began + second - time.monotonic())
            memory[f"{second}_s"] = round(gateway.memory_mb(), 1)
            files_during = max(files_during, gateway.descriptors())
            if done:
                break
        await work
    seconds = time.monotonic() - began
    wanted, until = files_before + ABOUT, began + seconds + CLOSED_S
    while gateway.descriptors() > wanted and time.monotonic() < until:  # noqa: ASYNC110 - another process's files
        await asyncio.sleep(1)
    closed_s = time.monotonic() - began - seconds
    memory["after"], files_after = round(gateway.memory_mb(), 1), gateway.descriptors()
    async with Pool() as pool:
        theirs = await account(pool, provider)
    with open_database(None, gateway.home) as database:
        ours = sum((each.cost for each in LedgerReader(database).sums("model")), Decimal(0))
    settled = [value for name, value in memory.items() if name.endswith("_s")]
    return {
        "streams": streams,
        "seconds": round(seconds, 1),
        "errors": clients.wrong.total(),
        "wrong": dict(clients.wrong),
        "whole": clients.whole,
        "at_once": clients.most_open,
        "megabytes": round(clients.bytes / 1e6, 1),
        "rss_mb": memory,
        "rss_growth_mb": round(settled[-1] - settled[0], 1),
        "files": {"start": files_before, "most": files_during, "after": files_after, "closed_after_s": round(closed_s)},
        "ledger_usd": f"{ours:f}",
        "provider_usd": theirs["usd"],
        "ledger_equal": ours == Decimal(theirs["usd"]),
        "gateway_errors": gateway.errors()[-2000:],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="that each stream lasts")
    parser.add_argument("--piece", type=float, default=0.75, help="seconds between two pieces of a stream")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    enough_files(options.streams)
    pieces = max(2, round(options.seconds / options.piece) + 1)
    script = (
        f"[latency]\npiece_s = {options.piece}\npiece_chars = {PIECE}\n[[answer]]\necho = true\n"
        '[price.m]\ninput = "1"\noutput = "2"\n'
    )
    with fake_providers({"p": script}) as addresses, tempfile.TemporaryDirectory(prefix="gateway-streams-") as scratch:
        gateway = GatewayProcess(Path(scratch), configuration(addresses["p"], options.streams))
        made = gateway.said("gateway", "keys", "add", "streams", "--requests", "100000000")
        gateway.start()
        try:
            figures = run(measure(gateway, made["secret"], addresses["p"], options.streams, pieces))
        finally:
            gateway.stop()
    emit("streams", figures, as_json=options.json)
    if figures["errors"]:
        sys.exit(1)


def configuration(provider: str, streams: int) -> str:
    return (
        f'[gateway]\n[provider.p]\nwire = "openai"\nbase_url = "{provider}/v1"\nconnections = {streams + 64}\n'
        '[model.m]\ncandidates = ["p/m"]\n[price."p/m"]\ninput = "1"\noutput = "2"\n'
    )


if __name__ == "__main__":
    main()
