"""Attacks on money and on others' answers: races for budgets and rate limits, tricks with limits, crossed answers.

Each returns figures; what the provider would charge is told by its own account, by the name of the model.
"""

import asyncio
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.gateway_processes import account
from benchmarks.hostile_requests import Target, refused
from karkhana.domain.money import ZERO, Money, usd
from karkhana.http.errors import HttpError
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings

HARD = usd("0.01")
"""Of each raced budget."""
AT_ONCE = 200
TRICKS: Mapping[str, Any] = {
    "plain": {},
    "a word of another wire": {"max_output_tokens": 1, "max_tokens": None},
    "two words": {"max_completion_tokens": 1, "max_tokens": 400},
    "a negative limit": {"max_tokens": -1_000_000},
    "nothing": {"max_tokens": 0},
    "many answers": {"n": 0},
}
"""Name → fields by which a client may try to have less reserved than is used."""
_MARKER = re.compile(rb"owner-(\d+)-")


async def raced_budgets(target: Target, provider: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """``keys``: model → key with a budget of its own that pays for nothing else. 200 requests at once for each."""
    over, served, by_trick = dict[str, Money](), Counter[int](), dict[str, dict[int, int]]()
    for (model, key), (trick, fields) in zip(keys.items(), itertools.cycle(TRICKS.items()), strict=False):
        question = {"model": model, "max_tokens": 40, "messages": [{"role": "user", "content": "Go on."}]} | fields
        bodies = [json.dumps(question | {"stream": stream}).encode() for stream in (False, True)]
        found = Counter[int]()
        async with Pool(PoolSettings(per_origin=AT_ONCE)) as pool:
            for _ in range(2):
                asked = (refused(pool, target, key, bodies[number % 2]) for number in range(AT_ONCE))
                found.update(await asyncio.gather(*asked))
        served += found
        by_trick[f"{model}: {trick}"] = dict(found)
        async with Pool() as pool:
            spent = usd((await account(pool, provider))["models"].get(model, {}).get("usd") or "0")
        over[f"{model}: {trick}"] = Money(max(ZERO, spent - HARD))
    return {
        "over_budget_usd": str(max(over.values())),
        "served": served[200],
        "paused": served[402],
        "others": {status: count for status, count in served.items() if status not in (200, 402)},
        "statuses": by_trick,
        "over": {name: str(amount) for name, amount in over.items() if amount},
    }


async def raced_limits(target: Target, key: str, allowed: int) -> dict[str, Any]:
    """A key with a limit of requests per minute, asked 300 times at once."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Pool(PoolSettings(per_origin=300)) as pool:
        found = Counter(await asyncio.gather(*(refused(pool, target, key, body) for _ in range(300))))
    # A minute's allowance comes back evenly.
    bound = allowed + (loop.time() - began) * allowed / 60 + 1
    return {"allowed": allowed, "served": found[200], "too_many": found[200] > bound, "limited": found[429]}


async def crossed_answers(target: Target, keys: list[str], requests: int, model: str) -> dict[str, Any]:
    """Many keys at once, whole and streamed; a third leave in the middle. Each answer holds its own marker only."""
    chance, numbers = random.Random(13), iter(range(requests))
    foreign, whole, left = 0, 0, 0
    url = Url.parse(f"{target.address}/v1/chat/completions")
    async with Pool(PoolSettings(per_origin=len(keys))) as pool:

        async def client(owner: int, key: str) -> None:
            nonlocal foreign, whole, left
            headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
            for number in numbers:
                mark = f"owner-{owner}-{number} "
                body = {"model": model, "stream": number % 2 == 1} | {
                    "messages": [{"role": "user", "content": mark * 10}]
                }
                leaves = chance.random() < 1 / 3
                try:
                    async with asyncio.timeout(chance.random() * 0.03 if leaves else 30.0):
                        answer = await pool.send("POST", url, headers, json.dumps(body).encode())
                        text = await answer.read(1 << 20)
                except TimeoutError:
                    left += 1
                    continue
                # A stream cuts texts into pieces: what is not whole is found by putting them together.
                said = said_in(text)
                whole += answer.status == 200 and said == (mark * 10).encode()
                foreign += any(int(found) != owner for found in _MARKER.findall(said + text))

        await asyncio.gather(*(client(owner, key) for owner, key in enumerate(keys)))
    return {"requests": requests, "leaks": foreign, "whole": whole, "left": left}


def said_in(body: bytes) -> bytes:
    """The text of an answer, streamed or whole."""
    if not body.startswith(b"data: "):
        choices = json.loads(body).get("choices") or [{}]
        return str(choices[0].get("message", {}).get("content", "")).encode()
    said = ""
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:]).get("choices") or [{}]
            said += choices[0].get("delta", {}).get("content") or ""
    return said.encode()


async def disturbed(target: Target, key: str, count: int, model: str) -> int:
    """Requests that are broken off while others use the same connections to the provider; how many were begun."""
    url = Url.parse(f"{target.address}/v1/chat/completions")
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {key}".encode())]
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "owner-999- " * 50}]})
    begun = 0
    async with Pool() as pool:
        for _ in range(count):
            try:
                answer = await pool.send("POST", url, headers, body.encode())
            except HttpError:
                continue
            begun += 1
            async for _ in answer:
                break
            answer.close()
    return begun
