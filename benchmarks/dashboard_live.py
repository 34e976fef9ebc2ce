"""Live updates to many readers at once: how long from an event's append to its bytes, and to the page; and memory.

A real ``karkhana serve`` over a stock of a hundred thousand runs has ``--clients`` open streams, half on the page Now
and half on runs that are under way; another process appends events to some of these through the event log. A reader
notes when the first update arrives that holds an event. With ``--browser`` a Chromium that watches one of the runs
notes when the event's row stands in its document (``MutationObserver``). Writer, server and readers share a clock.

    python -m benchmarks.dashboard_live --data DIR [--clients 500] [--minutes 10] [--rate 10] [--browser] [--json]
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.common import data_folder, emit
from benchmarks.dashboard_browser import following
from benchmarks.dashboard_server import Client, serving
from benchmarks.dashboard_stock import Stock, stocked
from karkhana.domain.events import ToolCalled, ToolReturned
from karkhana.storage.database import open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import runs

WRITTEN_TO = 8
"""Runs."""


@dataclass
class Readers:
    """What arrived, and when."""

    arrived: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    """Run → newest event of each update with its time, of one reader each."""
    updates: int = 0
    size: int = 0
    broken: int = 0
    opened: int = 0


async def read(client: Client, path: str, run: str, readers: Readers) -> None:
    """Follow one stream to its end."""
    place = urllib.parse.urlsplit(client.address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=4 << 20)
    head = (
        f"GET {path} HTTP/1.1\r\nhost: {place.netloc}\r\ncookie: {client.cookie}\r\naccept: text/event-stream\r\n\r\n"
    )
    writer.write(head.encode())
    try:
        readers.opened += 1
        while line := await reader.readline():
            readers.size += len(line)
            if line.startswith(b"id: "):
                readers.updates += 1
                if run:
                    readers.arrived[run].append((int(line[4:]), time.time()))
    except ConnectionError:
        readers.broken += 1
    finally:
        writer.close()


def write(home: Path, url: str | None, rate: float, seconds: float) -> None:
    """Append events to some runs under way, and print which and when, one JSON line each."""
    with open_database(url, home) as database:
        log = EventLog(database, Redactor({}))
        trails = [(run, log.trail(run)) for run in _under_way(database)[:WRITTEN_TO]]
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            run, trail = trails[number % len(trails)]
            turn = 10_000 + number
            call = ToolCalled(turn=turn, call={"tool": "read_file", "path": "src/shop/cart.py", "first": number})
            trail.record(call if number // len(trails) % 2 else ToolReturned(turn=turn, result={"text": "a\nb\n" * 60}))
            print(json.dumps([run, log.head(run)[0], time.time()]), flush=True)
            number += 1
            time.sleep(1 / rate)


def _under_way(database: Any) -> list[str]:
    with database.reading() as connection:
        query = sa.select(runs.c.run_id).where(runs.c.lease_owner.is_not(None), runs.c.trail_seq < 15_000)
        return list(connection.execute(query.order_by(runs.c.run_id)).scalars())


async def measure(client: Client, stock: Stock, options: argparse.Namespace) -> dict[str, Any]:
    """Open the streams, have events written, and watch the server."""
    with open_database(stock.url, stock.home) as database:
        under_way = _under_way(database)
    readers = Readers()
    tasks = []
    for number in range(options.clients):
        run = under_way[number // 2 % len(under_way)] if number % 2 else ""
        path = f"/runs/{run}/live?after=999999" if run else "/live"
        tasks.append(asyncio.ensure_future(read(client, path, run if number // 2 < len(under_way) else "", readers)))
        await asyncio.sleep(0.01)
    seconds = options.minutes * 60
    command = [
        sys.executable,
        "-m",
        "benchmarks.dashboard_live",
        "--write",
        str(stock.home),
        "--rate",
        str(options.rate),
    ]
    command += ["--seconds", str(seconds)] + (["--url", stock.url] if stock.url else [])
    await asyncio.sleep(3)
    first = {"rss_mb": client.rss_kb() / 1000, "files": client.files()}
    used, began = client.cpu_ns(), time.monotonic()
    writer = await asyncio.to_thread(_started, command)
    memory = []
    page = following(client, under_way[0]) if options.browser else None
    if page is not None:
        await asyncio.to_thread(page.start)
    while writer.poll() is None and time.monotonic() - began < seconds + 30:
        await asyncio.to_thread(_lines, writer)
        memory.append((round(time.monotonic() - began), client.rss_kb() / 1000))
    cpu = (client.cpu_ns() - used) / 1e9 / (time.monotonic() - began)
    seen = await asyncio.to_thread(page.stop) if page is not None else {}
    open_now = sum(not task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = figures(_written, readers)
    if page is not None:
        found["to_the_page_ms"] = spread(
            [1000 * (seen[seq] - at) for run, seq, at in _written if run == under_way[0] and seq in seen]
        )
    return {
        "clients": options.clients,
        "still_open": open_now,
        "broken": readers.broken,
        "events": len(_written),
        "updates": readers.updates,
        "kb_per_update": round(readers.size / max(1, readers.updates) / 1000, 1),
        **found,
        "cpu_share": round(cpu, 2),
        "rss_before_mb": round(first["rss_mb"], 1),
        "rss_mb": {f"{at} s": round(size, 1) for at, size in memory[:: max(1, len(memory) // 12)]},
        "rss_mb_per_minute": slope([(at / 60, size) for at, size in memory[len(memory) // 4 :]]),
        "files": first["files"],
    }


def _started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


_written: list[tuple[str, int, float]] = []


def _lines(writer: "subprocess.Popen[str]") -> None:
    """What was written in the next five seconds."""
    assert writer.stdout is not None
    end = time.monotonic() + 5
    while time.monotonic() < end and (line := writer.stdout.readline()):
        run, seq, at = json.loads(line)
        _written.append((run, seq, at))


def figures(written: Iterable[tuple[str, int, float]], readers: Readers) -> dict[str, Any]:
    """Milliseconds from an append to the first update of a reader that holds it."""
    late = []
    for run, seq, at in written:
        times = [when for newest, when in readers.arrived[run] if newest >= seq]
        if times:
            late.append(1000 * (min(times) - at))
    return {"to_the_reader_ms": spread(late), "never_arrived": len(list(written)) - len(late)}


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and highest."""
    ranked = sorted(values)
    if not ranked:
        return {}
    return {
        "count": len(ranked),
        "p50": round(statistics.median(ranked), 1),
        "p95": round(ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))], 1),
        "max": round(ranked[-1], 1),
    }


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line nearest to the points."""
    if len(points) < 2:
        return 0.0
    return round(statistics.linear_regression(*zip(*points, strict=True)).slope, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=10.0, help="Events a second.")
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.write:
        write(options.write, options.url, options.rate, options.seconds)
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * options.clients + 256), hard))
    folder = data_folder(options.data)
    with (
        stocked(options.database, folder, options.runs, options.events) as stock,
        serving(stock.home, stock.url, stock.database) as client,
    ):
        found = asyncio.run(measure(client, stock, options))
    emit(f"Live updates to {options.clients} readers", {"database": options.database, **found}, as_json=options.json)


if __name__ == "__main__":
    main()
