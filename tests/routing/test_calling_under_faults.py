"""Many calls at once against three providers that all fail now and then, one of which is down a third of the time."""

import asyncio
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from calling_examples import SENTENCE, Notebook, question, run, several

from karkhana.domain.chat import collected
from karkhana.routing.attempt import Outcome
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate
from karkhana.routing.exchanges import Streamed, Whole
from karkhana.routing.fake.script import read_script

CALLS = 400
FAULTS = """
charge_unfinished = false
seed = {seed}
[latency]
first_s = 0.002
spread_s = 0.01
[[fault]]
kind = "rate_limited"
probability = 0.10
retry_after_s = 0.1
[[fault]]
kind = "server_error"
probability = 0.05
[[fault]]
kind = "stall"
probability = 0.01
"""
DOWN = '[[fault]]\nkind = "reset"\nfor_s = 0.5\nevery_s = 1.5\noffset_s = 0.2\n'


def test_calls_come_to_their_end_and_no_token_is_lost() -> None:
    async def work() -> None:
        book = Notebook()
        candidates = [Candidate(name, "m") for name in "abc"]
        async with several(FAULTS.format(seed=1) + DOWN, FAULTS.format(seed=2), FAULTS.format(seed=3)) as (made, fakes):
            caller = Caller(made, observer=book)
            numbers = iter(range(CALLS))

            async def client() -> None:
                for number in numbers:
                    exchange: Any = Streamed(question()) if number % 2 else Whole(question())
                    answer = (await caller.call(candidates, exchange, 15.0, name=f"c{number}")).answer
                    whole = collected([delta async for delta in answer]) if number % 2 else answer
                    assert whole.text == SENTENCE

            await asyncio.gather(*(client() for _ in range(20)))
            charged: Counter[str] = Counter()
            for fake in fakes:
                charged.update(fake.account.told()["usage"])
            # What losers of races used is told by nobody but their provider.
            counted: Counter[str] = Counter()
            for attempt, ending in book.ended:
                if ending.outcome is Outcome.LEFT:
                    fake = fakes["abc".index(attempt.place.provider)]
                    counted.update((fake.account.of(f"{attempt.call}-{attempt.number}") or {}).get("usage", {}))
                elif ending.usage is not None:
                    counted.update(msgspec.structs.asdict(ending.usage))
        assert counted == charged
        assert len(book.begun) == len(book.ended)
        assert len(book.begun) > CALLS
        assert sum(attempt.hedge for attempt in book.begun) <= CALLS / 20
        assert {attempt.call for attempt in book.begun} == {f"c{number}" for number in range(CALLS)}

    run(work())


def test_the_fault_model_of_the_benchmark_is_a_script(pytestconfig: Any) -> None:
    folder: Path = pytestconfig.rootpath / "benchmarks"
    parts = tomllib.loads((folder / "gateway_faults.toml").read_text())
    assert len(read_script(parts["all"]["script"]).fault) == 3
    assert len(read_script(parts["all"]["script"] + parts["down"]["script"]).fault) == 4
