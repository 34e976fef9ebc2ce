"""What the dashboard's pages cost with a hundred thousand runs and a million events, on SQLite and on PostgreSQL.

A database is filled once and kept in the data folder. Then a real ``karkhana serve`` is asked for each page again and
again by one client. *Server time* is the server's own ``Server-Timing``: wall time from the request to the beginning of
the answer, all of the page's work. *CPU* is what the kernel counts for the server and the database. Run pages go to
different runs, which this server has not seen (``run, first look``), or to the same. *Disk* is what had to be read from
it: on a machine that has other uses for its memory that is most of the wall time.

    python -m benchmarks.dashboard_scale --data DIR [--database sqlite|postgresql|both] [--runs N --events N] [--json]
"""

import argparse
import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import data_folder, emit
from benchmarks.dashboard_server import Answer, Client, serving
from benchmarks.dashboard_stock import Stock, stocked

BAR_MS = 150.0
COLD = [f"/quality/{tab}?days={days}" for days in (365, 30) for tab in ("confidence", "failures", "learning")]
"""Pages that are worked out anew every half a minute; the first of them also loads numpy."""
TABS = ("changes", "trail", "evidence", "confidence", "cost")


def pages(stock: Stock) -> dict[str, Sequence[str]]:
    """Name → addresses that are asked for in turn."""
    runs = stock.runs
    long, ended = f"/runs/{runs['long_running']}", f"/runs/{runs['long_ended']}"
    middle, last = stock.cursors
    waiting, delivered = stock.some["waiting"], stock.some["delivered"]
    word = "0421"
    return {
        "now": ["/"],
        "runs, first page": ["/runs"],
        "runs, middle": [f"/runs?before={middle}"],
        "runs, last page": [f"/runs?before={last}"],
        "runs, newer": [f"/runs?after={middle}"],
        "runs by status": [f"/runs?status={status}" for status in ("delivered", "failed", "rejected", "canary")],
        "runs that wait": ["/runs?status=waiting_for_review"],
        "runs that wait, further": [f"/runs?status=waiting_for_review&before={run}" for run in waiting],
        "runs by type": ["/runs?type=deps", "/runs?type=bugfix", f"/runs?type=tests&before={middle}"],
        "runs by product": ["/runs?product=shop-a", f"/runs?product=shop-k&before={middle}"],
        "runs by all three": [f"/runs?product=shop-b&{rest}" for rest in ("type=deps&status=failed", "type=tests")],
        "jump, a common word": ["/jump?q=the", "/jump?q=parc", "/jump?q=fix+the"],
        "jump, a rare word": [f"/jump?q={word}{n}" for n in range(10)],
        "jump, nothing": ["/jump?q=zebra", "/jump?q=the+zebra"],
        "jump, an identifier": [f"/jump?q={run}" for run in waiting] + ["/jump?q=BUILD-2026", "/jump?q=run_"],
        "approvals": ["/approvals"],
        "approvals, further": [f"/approvals?before={run}" for run in waiting],
        "run, first look": [f"/runs/{run}" for run in (*waiting, *delivered)],
        "run, again": [f"/runs/{delivered[0]}"],
        **{f"run, {tab}": [f"/runs/{delivered[1]}/{tab}"] for tab in TABS},
        "event": [f"/runs/{delivered[1]}/trail/3"],
        "long run, live": [long],
        **{f"long run, {tab}": [f"{ended}/{tab}"] for tab in TABS},
        "long run, trail in the middle": [f"{ended}/trail?from={at}" for at in range(9000, 12000, 200)],
        "long run, failures": [f"{ended}/trail?failed=1", f"{ended}/trail?failed=1&from=5000"],
        **{page[1:]: [page] for page in ("/quality", "/router", "/audit", "/help")},
    }  # fmt: skip


def measure(client: Client, paths: Sequence[str], times: int) -> dict[str, Any]:
    """Ask for ``paths`` in turn; each is warm but for those that are many."""
    turn: Iterator[str] = itertools.cycle(paths)
    if len(paths) < times // 2:
        for path in paths:
            client.get(path)
    answers = [_good(client.get(next(turn)), paths) for _ in range(times)]
    walls, spent = sorted(a.server_ms for a in answers), sorted(a.cpu_ms for a in answers)
    largest = max(answers, key=lambda answer: len(answer.body))
    return {
        "p50_ms": round(statistics.median(walls), 1),
        "p95_ms": round(walls[min(len(walls) - 1, int(0.95 * len(walls)))], 1),
        "cpu_p50_ms": round(statistics.median(spent), 1),
        "cpu_p95_ms": round(spent[min(len(spent) - 1, int(0.95 * len(spent)))], 1),
        "disk_kb_p50": round(statistics.median(a.disk_kb for a in answers)),
        "html_kb": round(len(largest.body) / 1000, 1),
        "gzip_kb": round(largest.packed / 1000, 1),
    }


def cold_look(client: Client, page: str) -> tuple[float, float]:
    """Milliseconds of server time and of CPU when nobody has asked for the page within half a minute."""
    answer = _good(client.get(page), [page])
    return round(answer.server_ms, 1), round(answer.cpu_ms, 1)


def _good(answer: Answer, paths: Sequence[str]) -> Answer:
    assert answer.status in (200, 303), (answer.status, paths[:2], answer.body[:300])
    return answer


def assets(client: Client) -> tuple[float, float]:
    """Kilobytes of what each page loads beside itself, plain and packed."""
    page = client.get("/").body.decode()
    answers = [client.get(path) for path in sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)))]
    return sum(len(a.body) for a in answers) / 1000, sum(a.packed for a in answers) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--only", default="", help="Pages whose name holds this.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = data_folder(options.data)
    for kind in ("sqlite", "postgresql") if options.database == "both" else (options.database,):
        with (
            stocked(kind, folder, options.runs, options.events) as stock,
            serving(stock.home, stock.url, stock.database) as client,
        ):
            listening_cpu = client.cpu_ns() / 1e9
            beside, beside_packed = assets(client)
            cold = {page: cold_look(client, page) for page in COLD} if options.only in "quality, a first look" else {}
            chosen = {name: paths for name, paths in pages(stock).items() if options.only in name}
            found = {name: measure(client, paths, options.times) for name, paths in chosen.items()}
            memory = client.rss_kb()
        figures = {
            "database": kind,
            "runs": stock.count,
            "events": stock.events,
            "worst_p95_ms": max(each["p95_ms"] for each in found.values()),
            "worst_cpu_p95_ms": max(each["cpu_p95_ms"] for each in found.values()),
            "heaviest_page_kb": round(max(each["html_kb"] for each in found.values()) + beside, 1),
            "heaviest_page_gzip_kb": round(max(each["gzip_kb"] for each in found.values()) + beside_packed, 1),
            "assets_kb": round(beside, 1),
            "cpu_until_signed_in_s": round(listening_cpu, 2),
            "rss_mb": round(memory / 1000, 1),
            "over_the_bar": [name for name, each in found.items() if each["p95_ms"] > BAR_MS],
            "first_looks": cold,
            "pages": found,
        }
        for page, (wall, spent) in cold.items():
            print(f"  first look at {page:<30} {wall} ms, CPU {spent} ms")
        for name, each in found.items():
            print(f"  {name:<30} {each}")
        emit(f"Dashboard at scale on {kind}", figures, as_json=options.json)


if __name__ == "__main__":
    main()
