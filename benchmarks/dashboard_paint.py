"""When pages are painted, and what a browser loads for them: Chromium, with a hundred thousand runs behind the pages.

*First contentful paint* is the browser's own (Paint Timing, W3C), from the start of the navigation; a page is loaded
``--times`` times after a first one. *Weight* is what the browser decoded for the page and everything that it loads
(Resource Timing), with an empty cache. *Busy* is how much longer a fixed piece of work takes than on a quiet machine.

    python -m benchmarks.dashboard_paint --data DIR [--database sqlite|postgresql] [--times 12] [--json]
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from benchmarks.common import data_folder, emit
from benchmarks.dashboard_browser import browser
from benchmarks.dashboard_scale import pages
from benchmarks.dashboard_server import Client, serving
from benchmarks.dashboard_stock import Stock, stocked

SHOWN = (
    "now", "runs, first page", "runs, middle", "runs, last page", "runs that wait", "runs by product", "approvals",
    "run, changes", "run, trail", "run, evidence", "run, confidence", "run, cost", "long run, live",
    "long run, trail in the middle", "long run, failures", "quality", "router", "audit", "help",
)  # fmt: skip
_PAINT = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)[0] ?? null"
_WEIGHT = """
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter((entry) => entry.initiatorType !== 'eventsource')
        .map((entry) => [entry.name.split('?')[0].split('/').slice(3).join('/'), entry.decodedBodySize])
"""


def paints(page: Page, address: str, times: int) -> list[float]:
    """Milliseconds to the first contentful paint of each load but the first."""
    found = []
    for number in range(times + 1):
        page.goto(address)
        # not wait_for_function, which our Content-Security-Policy stops
        while (painted := page.evaluate(_PAINT)) is None:
            page.wait_for_timeout(10)
        if number:
            found.append(float(painted))
    return found


def weight(context: BrowserContext, address: str) -> float:
    """Kilobytes of a page and all that it loads."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(address)
    page.wait_for_timeout(300)
    parts: list[list[Any]] = page.evaluate(_WEIGHT)
    page.close()
    return sum(float(size) for _, size in parts) / 1000


def busy() -> float:
    """Wall time over CPU time of a fixed piece of work: 1.0 on a quiet machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    sum(n * n for n in range(1_500_000))
    return (time.perf_counter() - wall) / (time.process_time() - cpu)


def measure(client: Client, stock: Stock, times: int, only: list[str]) -> dict[str, Any]:
    """All pages, or ``only`` some, one after the other."""
    known = pages(stock)
    found = {}
    with browser(client) as context:
        page = context.new_page()
        # a browser that has just started paints late
        paints(page, client.address + "/help", 4)
        for name in only or SHOWN:
            loads = busy()
            ranked = sorted(paints(page, client.address + known[name][0], times))
            found[name] = {
                "fcp_p50_ms": round(statistics.median(ranked)),
                "fcp_p95_ms": round(ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]),
                "kb": round(weight(context, client.address + known[name][0]), 1),
                "busy": round((loads + busy()) / 2, 2),
            }
            print(f"  {name:<30} {found[name]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=[], choices=SHOWN, metavar="PAGE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with (
        stocked(options.database, data_folder(options.data), options.runs, options.events) as stock,
        serving(stock.home, stock.url, stock.database) as client,
    ):
        found = measure(client, stock, options.times, options.only)
    figures = {
        "database": options.database,
        "worst_fcp_p50_ms": max(each["fcp_p50_ms"] for each in found.values()),
        "worst_fcp_p95_ms": max(each["fcp_p95_ms"] for each in found.values()),
        "heaviest_kb": max(each["kb"] for each in found.values()),
        "busy": round(statistics.mean(each["busy"] for each in found.values()), 2),
        "pages": found,
    }
    emit("The dashboard's first paint", figures, as_json=options.json)


if __name__ == "__main__":
    main()
