"""A Chromium for the dashboard's benchmarks: what it paints and when, what it loads, and when a row is in its document.

Needs the Debian package chromium, and playwright.
"""

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks.dashboard_server import Client

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run --disable-quic --disable-dev-shm-usage"
)
_WATCH = """
    window.rowsSeen = {};
    addEventListener("DOMContentLoaded", () => {
        const note = () => {
            const now = (performance.timeOrigin + performance.now()) / 1000;
            for (const row of document.querySelectorAll("#trail-rows [id^=e]"))
                window.rowsSeen[row.id.slice(1)] ??= now;
        };
        note();
        new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
    });
"""


@contextmanager
def browser(client: Client, **settings: Any) -> Iterator[BrowserContext]:
    """A browser that is signed in as ``client`` is."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            context = opened.new_context(viewport={"width": 1280, "height": 800}, **settings)
            name, _, value = client.cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": client.address}])
            yield context
        finally:
            opened.close()


class following:  # noqa: N801 - reads as what it does
    """A page that follows one run, in a thread of its own, since playwright wants one."""

    def __init__(self, client: Client, run: str) -> None:
        self._client = client
        self._run = run
        self._ready, self._end = threading.Event(), threading.Event()
        self._seen: dict[int, float] = {}
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        """Returns when the page stands."""
        self._thread.start()
        self._ready.wait(60)

    def stop(self) -> dict[int, float]:
        """Number of each event's row → when it was in the document first, in seconds since the epoch."""
        self._end.set()
        self._thread.join(60)
        return self._seen

    def _work(self) -> None:
        with browser(self._client) as context:
            page = context.new_page()
            page.add_init_script(_WATCH)
            page.goto(f"{self._client.address}/runs/{urllib.parse.quote(self._run)}/trail?from={self._last()}")
            page.wait_for_timeout(1000)
            self._ready.set()
            while not self._end.is_set():
                page.wait_for_timeout(200)
            found: dict[str, float] = page.evaluate("window.rowsSeen")
            first = min(found.values(), default=0.0)
            self._seen = {int(seq): at for seq, at in found.items() if at > first + 0.001}

    def _last(self) -> int:
        """Of a trail only the last page grows."""
        head = self._client.get(f"/runs/{self._run}/trail?from=1").body.decode()
        numbers = [int(part.partition('"')[0]) for part in head.split("/live?after=")[1:]]
        return max(1, (numbers or [1])[0] - 20)
