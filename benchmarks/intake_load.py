"""Signed deliveries of GitHub into a real ``karkhana serve``, at a steady rate, with a kill -9 in the middle.

The sender does as GitHub's redelivery does: what got no answer is sent again, with the same name and body, until it
has one. Some deliveries are sent twice although they were answered. In the end every delivery has one ticket, and
there are no other tickets.

A latency is measured from the moment at which the delivery was due, not from when the sender came to it, so that a
server that stalls is not asked less. Deliveries that no server was there for are counted apart (``sent_again``).

    python -m benchmarks.intake_load --rate 50 --seconds 300 --kill --database both --json
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.common import emit, small_repository
from benchmarks.databases import backends
from karkhana.http.errors import HttpError
from karkhana.http.messages import Url, value_of
from karkhana.http.pool import Pool, Timeouts
from karkhana.storage.database import open_database
from karkhana.storage.tables import intake_subjects, tasks

SECRET = "a secret of the benchmark"
PATIENCE_S = 60.0
"""Seconds after the last delivery for which the sender waits for answers."""
AGAIN_S = 1.0
"""Seconds after which the sender tries again, twice as long each time, or as the server wants."""
LONGEST_AGAIN_S = 16.0
TWICE = 50
"""Every so many-th delivery is sent a second time."""


@dataclass
class Server:
    """``karkhana serve`` as a process of its own."""

    environment: dict[str, str]
    port: int = 0
    process: "subprocess.Popen[str] | None" = None

    async def start(self) -> None:
        words = [sys.executable, "-c", "from karkhana.cli.main import main; main()", "serve", "--json"]
        self.process = subprocess.Popen(  # noqa: ASYNC220 - killed by its number later, and it starts in a moment
            [*words, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            text=True,
        )
        assert self.process.stdout is not None
        told = json.loads(await asyncio.to_thread(self.process.stdout.readline))
        self.port = int(told["address"].rpartition(":")[2])

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None


@dataclass
class Told:
    """What the sender saw."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, of deliveries that were answered at their first sending."""
    delayed: list[float] = field(default_factory=list)
    """Seconds until the answer, of deliveries that had to be sent again."""
    tickets: dict[int, str] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    unanswered: int = 0
    """Deliveries without an answer in the end."""


def environment_of(folder: Path, url: str | None) -> dict[str, str]:
    """Of a server with one door, whose sender may send as much as it likes."""
    shop = small_repository(folder / "shop", {"cart.py": "def total(lines):\n    return sum(lines)\n"})
    configuration = folder / "configuration" / "karkhana"
    configuration.mkdir(parents=True)
    (configuration / "config.toml").write_text(
        '[intake.forge]\nkind = "github"\nsecret_variables = ["FORGE_SECRET"]\nsenders = ["asha"]\n'
        f'per_minute = 100000\n\n[intake.forge.repositories]\n"octo/shop" = "{shop}"\n'
    )
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KARKHANA_")}
    made = {
        **kept,
        "XDG_CONFIG_HOME": str(folder / "configuration"),
        "KARKHANA_HOME": str(folder / "home"),
        "FORGE_SECRET": SECRET,
    }
    return {**made, "KARKHANA_DATABASE_URL": url} if url else made


def delivery(number: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the event that issue ``number`` was opened."""
    issue = {
        "number": number,
        "title": f"total() is wrong for order {number}",
        "body": "Expected 90, got 100.\n" * 20,
        "html_url": f"https://forge.test/octo/shop/issues/{number}",
        "user": {"login": "asha"},
        "labels": [],
    }
    place = {"full_name": "octo/shop", "default_branch": "main"}
    body = json.dumps({"action": "opened", "issue": issue, "repository": place, "sender": {"login": "asha"}}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = [
        (b"content-type", b"application/json"),
        (b"x-github-event", b"issues"),
        (b"x-github-delivery", f"delivery-{number}".encode()),
        (b"x-hub-signature-256", f"sha256={signature}".encode()),
    ]
    return headers, body


async def send(pool: Pool, server: Server, number: int, due: float, told: Told) -> None:
    """Until it is answered."""
    headers, body = delivery(number)
    wait_s = 0.0
    while True:
        answered = await _answer(pool, server, headers, body)
        if answered is not None and answered[0] in (200, 202):
            break
        told.statuses[str(answered[0]) if answered else "no answer"] += 1
        told.sent_again += 1
        wait_s = min(LONGEST_AGAIN_S, max(2 * wait_s, AGAIN_S, answered[2] if answered else 0.0))
        await asyncio.sleep(wait_s)
    taken = time.monotonic() - due
    (told.delayed if wait_s else told.latencies).append(taken)
    said = json.loads(answered[1])
    told.statuses[said["status"] + (" again" if said["repeated"] else "")] += 1
    before = told.tickets.setdefault(number, said["task_id"])
    assert before == said["task_id"], "one delivery, two tickets"


async def _answer(
    pool: Pool, server: Server, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, bytes, float] | None:
    try:
        answer = await pool.send("POST", Url.parse(f"http://127.0.0.1:{server.port}/hooks/forge"), headers, body)
        later = value_of(answer.headers, b"retry-after") or b"0"
        return answer.status, await answer.read(1 << 20), float(later)
    except (HttpError, OSError):
        return None


async def load(server: Server, rate: float, seconds: float, kill: bool) -> tuple[Told, float]:
    """All deliveries, and for how many seconds no server was there."""
    told, away = Told(), 0.0
    total = int(rate * seconds)
    sending: set[asyncio.Task[None]] = set()
    restart: asyncio.Task[float] | None = None
    async with Pool(timeouts=Timeouts(connect_s=5.0, head_s=10.0)) as pool:
        begin = time.monotonic()
        for number in range(1, total + 1):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            names = [number, number] if number % TWICE == 0 else [number]
            for name in names:
                task = asyncio.ensure_future(send(pool, server, name, due, told))
                sending.add(task)
                task.add_done_callback(sending.discard)
            if kill and number == total // 2:
                restart = asyncio.ensure_future(_killed(server))
        if restart is not None:
            away = await restart
        _done, late = await asyncio.wait(sending, timeout=PATIENCE_S) if sending else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        told.unanswered = len(late)
    return told, away


async def _killed(server: Server) -> float:
    began = time.monotonic()
    await asyncio.to_thread(server.kill)
    await server.start()
    return time.monotonic() - began


def kept(folder: Path, url: str | None) -> tuple[int, dict[int, str]]:
    """How many tickets there are, and which one each issue has."""
    with open_database(url, folder / "home") as database, database.reading() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(tasks)).scalar_one()
        rows = connection.execute(sa.select(intake_subjects.c.subject, intake_subjects.c.task_id))
        return count, {int(subject.rpartition("#")[2]): task_id for subject, task_id in rows}


def measured(folder: Path, url: str | None, rate: float, seconds: float, kill: bool) -> dict[str, Any]:
    """The figures of one database."""
    server = Server(environment_of(folder, url))

    async def work() -> tuple[Told, float]:
        await server.start()
        try:
            return await load(server, rate, seconds, kill)
        finally:
            server.kill()

    told, away = asyncio.run(work())
    count, bound = kept(folder, url)
    latencies = sorted(told.latencies)
    everything = sorted(told.latencies + told.delayed)
    deliveries = int(rate * seconds)
    return {
        "deliveries": deliveries,
        "tickets": count,
        "lost": sum(bound.get(number) != task_id for number, task_id in told.tickets.items()),
        "doubled": count - len(set(bound.values())),
        "p50_ms": _at(latencies, 0.50),
        "p99_ms": _at(latencies, 0.99),
        "p999_ms": _at(latencies, 0.999),
        "slowest_ms": _at(latencies, 1.0),
        "p99_with_outage_ms": _at(everything, 0.99),
        "sent_again": told.sent_again,
        "unanswered": told.unanswered,
        "away_s": round(away, 2),
        "statuses": dict(told.statuses),
    }


def _at(ordered: list[float], share: float) -> float:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--kill", action="store_true", help="kill the server with SIGKILL half-way")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = {}
    for name, folder, url in backends(given.database):
        found = measured(folder, url, given.rate, given.seconds, given.kill)
        figures[name] = found
        emit(f"intake, {name}", found, as_json=False)
        print(f"  statuses {found['statuses']}", file=sys.stderr)
    emit("intake", figures, as_json=given.json)
    wrong = ("lost", "doubled", "unanswered")
    if any(found[name] for found in figures.values() for name in wrong) or any(
        found["tickets"] != found["deliveries"] for found in figures.values()
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
