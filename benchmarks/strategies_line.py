"""Does a strategy that was proposed help on the real line? From past tickets to the runs after its admission.

    python -m benchmarks.strategies_line [--failed 9] [--solved 2] [--after 6] [--json]

The model is a **fake** provider on loopback, and the figures say nothing of any real model: on a hard ticket it hands
a wrong change over without a run of the tests, unless its instructions tell it to run them first. All else is the
product: tickets are worked on by the whole line in the sandbox and through the router, the past is what those runs left
in the stores, the same model is asked to word the advice, every trial is a run of the line, and the bandit chooses the
strategy of each run afterwards.

*past_failed*: share of the past tickets that fail; *admitted*: the strategy, with *figures* of its trial;
*after_failed*: share of ``--after`` further hard tickets that fail, with the strategies that were chosen for them.
"""

import argparse
import asyncio
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit, small_repository
from karkhana.domain.events import StrategyChosen
from karkhana.domain.tasks import TaskType
from karkhana.factory.configuration import load_settings
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.proposing import propose
from karkhana.factory.stores import open_stores
from karkhana.factory.trials import right
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider

FILES = {
    "bill.py": "def net(prices):\n    return sum(prices)\n\n\ndef total(prices):\n    return sum(prices) - 1\n",
    "test_bill.py": "from bill import net, total\n\n\ndef test_net():\n    assert net([1, 2]) == 3\n\n\n"
    "def test_total():\n    assert total([1, 2]) == 3\n",
}
SCRIPT = """
[price.any]
input = "1"
output = "2"
[[answer]]
says = "^You write advice for a model"
text = '{"text": "Always run the tests once more before you hand over, and mend what fails."}'
[[answer]]
says = "What its author says"
text = '{"findings": []}'
[[answer]]
says = "easy"
turn = 1
calls = [{ name = "edit_file", arguments = { path = "bill.py", old = "sum(prices) - 1", new = "sum(prices)" } }]
[[answer]]
instructions = "once more before you hand over"
turn = 1
calls = [{ name = "edit_file", arguments = { path = "bill.py", old = "sum(prices) - 1", new = "sum(prices)" } }]
[[answer]]
turn = 1
calls = [{ name = "edit_file", arguments = { path = "bill.py", old = "sum(prices) - 1", new = "sum(prices) - 2" } }]
[[answer]]
says = "easy"
turn = 2
calls = [{ name = "run_tests", arguments = {} }]
[[answer]]
instructions = "once more before you hand over"
turn = 2
calls = [{ name = "run_tests", arguments = {} }]
[[answer]]
calls = [{ name = "push_changes", arguments = { title = "Count every price", summary = "One was taken away." } }]
"""
MODELS = """
[provider.fake]
wire = "openai"
base_url = "{address}/v1"
[model.fake]
candidates = ["fake/any"]
[price."fake/any"]
input = "1"
output = "2"
"""


@contextmanager
def provider(file: Path) -> Iterator[None]:
    """A fake provider on loopback, named in ``file``."""
    ready, over = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with fake_provider(read_script(SCRIPT)) as (address, _):
            addresses.append(address)
            ready.set()
            await asyncio.to_thread(over.wait)

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    try:
        ready.wait(10)
        file.write_text(MODELS.format(address=addresses[0]))
        yield
    finally:
        over.set()
        server.join()


def work(repository: Path, number: int, *, hard: bool) -> tuple[bool, str, float]:
    """Whether a ticket is solved, by which strategy, and what it cost in US dollars."""
    text = f"ticket {number}{'' if hard else ', an easy one'}: total() is too low"
    order, settings = make_order(text, repository, engineer="llm")
    result = work_in_foreground(order, settings, lambda _event: None)
    with open_stores() as stores:
        events = [entry.event for entry in stores.events.entries(result.run_id)]
    chosen = next(event for event in events if isinstance(event, StrategyChosen))
    return bool(right(events)), chosen.strategy.key, result.cost_usd


def measured(folder: Path, *, failed: int, solved: int, after: int) -> dict[str, Any]:
    """Past, proposal, and after."""
    repository = small_repository(folder / "repository", FILES)
    past = [work(repository, number, hard=number < failed) for number in range(failed + solved)]
    proposal = propose(load_settings({}), TaskType.BUGFIX, said=lambda text: print(text, flush=True))
    later = [work(repository, 1000 + number, hard=True) for number in range(after)]
    kept = proposal.kept
    return {
        "past_failed": round(sum(not good for good, _, _ in past) / len(past), 4),
        "reason": proposal.reason,
        "admitted": kept is not None and kept.standing.usable,
        "strategy": kept.strategy.key if kept is not None else None,
        "author": kept.author if kept is not None else None,
        "figures": msgspec.to_builtins(kept.figures) if kept is not None else None,
        "after_failed": round(sum(not good for good, _, _ in later) / max(1, len(later)), 4),
        "after_strategies": [key for _, key, _ in later],
        "cost_usd": round(sum(cost for _, _, cost in (*past, *later)), 6),
        "model": "fake: its answers depend on its instructions",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failed", type=int, default=9, help="past tickets that are hard")
    parser.add_argument("--solved", type=int, default=2, help="past tickets that are easy")
    parser.add_argument("--after", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["KARKHANA_HOME"] = str(folder / "home")
        os.environ["KARKHANA_MODELS_FILE"] = str(folder / "gateway.toml")
        with provider(folder / "gateway.toml"):
            figures = measured(folder, failed=options.failed, solved=options.solved, after=options.after)
    emit("A proposed strategy on the real line (fake model)", figures, as_json=options.json)


if __name__ == "__main__":
    main()
