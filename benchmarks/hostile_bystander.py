"""A well-behaved client in a process of its own, beside an attack: is it served, with its own answers, and how soon?

It asks about fifty times a second, every other time for a stream, often over a new connection. A line on stdin ends a
period; one JSON object on stdout tells of it.

    python -m benchmarks.hostile_bystander ADDRESS KEY
"""

import asyncio
import itertools
import json
import sys
import time
from typing import Any

from karkhana.http.errors import HttpError
from karkhana.http.loops import run
from karkhana.http.messages import Url
from karkhana.http.pool import Pool

PAUSE_S = 0.08
CLIENTS = 4
PATIENCE_S = 10.0
"""A longer wait is no service."""


class Period:
    def __init__(self) -> None:
        self.asked = self.served = self.foreign = 0
        self.longest_s = 0.0
        self.refused: dict[str, int] = {}

    def told(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "served": self.served,
            "longest_ms": round(self.longest_s * 1000),
            "foreign": self.foreign,
            "refused": self.refused,
        }


class Bystander:
    def __init__(self, address: str, key: str) -> None:
        self.period = Period()
        self._url = Url.parse(f"{address}/v1/chat/completions")
        self._headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer " + key.encode())]
        self._numbers = itertools.count()

    async def go_on(self) -> None:
        while True:
            # A new pool now and then: whoever fills up all connections shall be noticed.
            async with Pool() as pool:
                for _ in range(10):
                    await self._ask(pool)
                    await asyncio.sleep(PAUSE_S)

    async def _ask(self, pool: Pool) -> None:
        number = next(self._numbers)
        marker = f"bystander {number}."
        body = {"model": "m", "stream": number % 2 == 1, "messages": [{"role": "user", "content": marker}]}
        began, why = time.monotonic(), ""
        foreign = False
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await pool.send("POST", self._url, self._headers, json.dumps(body).encode())
                text = (await answer.read(1 << 20)).decode("utf-8", "replace")
            if answer.status != 200:
                why = f"status {answer.status}"
            elif "bystander" not in text:
                foreign = True
                why = "another answer"
        except (HttpError, TimeoutError) as error:
            why = type(error).__name__
        # A request belongs to the period in which it ends.
        period = self.period
        period.asked += 1
        period.foreign += foreign
        period.longest_s = max(period.longest_s, time.monotonic() - began)
        if why:
            period.refused[why] = period.refused.get(why, 0) + 1
        else:
            period.served += 1

    async def report(self) -> None:
        loop = asyncio.get_running_loop()
        clients = [asyncio.ensure_future(self.go_on()) for _ in range(CLIENTS)]
        while await loop.run_in_executor(None, sys.stdin.readline):
            period, self.period = self.period, Period()
            print(json.dumps(period.told()), flush=True)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


if __name__ == "__main__":
    run(Bystander(sys.argv[1], sys.argv[2]).report())
