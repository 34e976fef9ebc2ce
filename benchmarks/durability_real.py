"""The kills of :mod:`benchmarks.durability` on the real line: a repository with a one-line bug, sandbox and all.

Run as a program this is a worker whose process can be held before a station, or inside one (right after the
station's main event is in the trail). The judge reads the trail and the repository:

- each station's main event is there once, and once more for every kill inside that station;
- every ``change.delivered`` names the same commit, and the branch holds exactly one commit above its base.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.common import git, small_repository
from benchmarks.drill_control import WorkerProcess
from karkhana.domain.events import AnyEvent, Delivered, SuiteMeasured
from karkhana.domain.settings import QueueSettings, Settings
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.assembly import open_factory
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.factory.worker import stop_on_signals
from karkhana.git import Repository

R = TypeVar("R")

MAIN_EVENT = {
    "start": "run.started",
    "plan": "suite.measured before",
    "build": "change.handed_over",
    "self_review": "review.finished",
    "verify": "suite.measured after",
    "decide": "decision.made",
    "deliver": "change.delivered",
    "finish": "run.finished",
}
POINTS = tuple(f"{where} {station}" for station in MAIN_EVENT for where in ("before", "middle of"))
PATIENCE_S = 180.0
FILES = {
    "basket.py": '''\
"""Prices of a basket."""


def total(prices, discount=0):
    """What the customer pays."""
    result = 0
    for price in prices:
        result += price
    return result + discount
''',
    "tests/test_basket.py": """\
from basket import total


def test_the_sum():
    assert total([1, 2, 3]) == 6


def test_a_discount_is_taken_off():
    assert total([10, 5], 3) == 12


def test_an_empty_basket():
    assert total([]) == 0
""",
}


def event_name(event: AnyEvent) -> str:
    """The event's type; the two measurements of the suite are told apart."""
    name = str(type(event).__struct_config__.tag)
    if isinstance(event, SuiteMeasured):
        return f"{name} {'after' if event.after_change else 'before'}"
    return name


def settings_of(home: Path, url: str | None) -> Settings:
    """Short leases, so that a dead worker is missed soon."""
    queue = QueueSettings(heartbeat_s=0.2, lease_s=3.0, poll_s=0.05, takeovers=50)
    return msgspec.structs.replace(load_settings({}), home=home, database_url=url, queue=queue)


def measure(folder: Path, url: str | None, *, kills: int, kills_per_run: int = 6) -> dict[str, Any]:
    """Carry out real runs while killing ``kills`` workers."""
    strides = -(-len(POINTS) // kills_per_run)
    figures: Counter[str] = Counter({"unfinished": 0, "redone": 0, "delivered_twice": 0, "broken_trails": 0})
    waits: list[float] = []
    done = runs = 0
    while done < kills:
        points = POINTS[runs % strides :: strides][: kills - done]
        with tempfile.TemporaryDirectory() as name:
            repository = small_repository(Path(name), FILES)
            waits += _carry_out_with_kills(folder, url, repository, points, figures)
        done += len(points)
        runs += 1
    return {"kills": done, "runs": runs, "takeover_s": round(statistics.median(waits), 3), **figures}


def _carry_out_with_kills(
    home: Path, url: str | None, repository: Path, points: tuple[str, ...], figures: Counter[str]
) -> list[float]:
    settings = settings_of(home, url)
    source = Repository.open(repository)
    ticket = Ticket(text="total() adds the discount instead of taking it off")
    order = Order(ticket=ticket, repository=str(source.root), commit=source.head(), auto=True)
    waits: list[float] = []
    with open_stores(settings) as stores, ExitStack() as stack:
        task_id = stores.tasks.add(order).task_id
        module = "benchmarks.durability_real"
        worker = stack.enter_context(WorkerProcess(home, url, "--pause-at", points[0], module=module))
        for number, following in enumerate((*points[1:], "")):
            worker.wait_for(f"at {points[number]}")
            options = ("--pause-at", following) if following else ()
            standby = stack.enter_context(WorkerProcess(home, url, *options, module=module))
            standby.wait_for("ready")
            run_id = stores.runs.list(task_id=task_id)[0].run_id
            epoch = stores.runs.lease(run_id).epoch
            worker.kill()
            killed = time.monotonic()
            while stores.runs.lease(run_id).epoch == epoch and time.monotonic() - killed < PATIENCE_S:
                time.sleep(0.02)
            waits.append(time.monotonic() - killed)
            worker = standby
        began = time.monotonic()
        while not stores.tasks.get(task_id).status.finished and time.monotonic() - began < PATIENCE_S:
            time.sleep(0.05)
        worker.stop()
        figures["unfinished"] += stores.tasks.get(task_id).status is not Status.DELIVERED
        figures["unfinished"] += len(stores.runs.list(task_id=task_id)) != 1
        figures["broken_trails"] += bool(stores.events.verify(run_id))
        events = [entry.event for entry in stores.events.entries(run_id)]
    _judge(events, points, git(repository, "rev-list", f"{order.commit}..karkhana/{task_id}").split(), figures)
    return waits


def _judge(events: list[AnyEvent], points: tuple[str, ...], commits: list[str], figures: Counter[str]) -> None:
    seen = Counter(map(event_name, events))
    for station, event in MAIN_EVENT.items():
        figures["redone"] += abs(seen[event] - 1 - points.count(f"middle of {station}"))
    delivered = {event.commit for event in events if isinstance(event, Delivered)}
    figures["delivered_twice"] += len(commits) != 1 or delivered != set(commits)


def main() -> None:
    """One worker that can be held at a point."""
    parser = argparse.ArgumentParser(description="a worker of the real line that can be held at a point")
    parser.add_argument("home", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--pause-at", default="", choices=("", *POINTS))
    options = parser.parse_args()
    where, _, station = options.pause_at.rpartition(" ")

    def hold() -> None:
        print(f"at {options.pause_at}", flush=True)
        time.sleep(3600)

    def observe(event: AnyEvent) -> None:
        if where == "middle of" and event_name(event) == MAIN_EVENT[station]:
            hold()

    with open_factory(settings_of(options.home, options.url), observer=observe) as factory:
        step = factory.engine.step

        def held(name: str, function: Callable[[], R]) -> R:
            if (where, station) == ("before", name):
                hold()
            return step(name, function)

        factory.engine.step = held  # type: ignore[method-assign]
        with stop_on_signals(factory.worker):
            print("ready", flush=True)
            factory.worker.work()


if __name__ == "__main__":
    sys.exit(main())
