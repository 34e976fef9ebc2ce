"""Fills a database with a factory's past: tasks, runs and trails with valid chains, in bulk, in the stores' schema.

Runs of 24 products over 400 days: most have ended, some wait for a person, a few are under way, and two have long
trails. Repositories are real ones with several commits, since cards ask them. Nothing here goes through the queue,
which would take a day.

>>> # fill(database, Path("/tmp/w"), runs=100_000, events=1_000_000).waiting
"""

import hashlib
import random
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from benchmarks import dashboard_trails as trails
from benchmarks.common import git, small_repository
from karkhana.domain import events as ev
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Order, Status, TaskType, Ticket
from karkhana.storage.database import Database
from karkhana.storage.event_log import timestamp
from karkhana.storage.identifiers import new_run_id
from karkhana.storage.packing import pack, plain_json
from karkhana.storage.tables import GENESIS, blobs, events, metadata, runs, task_words, tasks
from karkhana.storage.title_words import words_of
from karkhana.storage.verification import chained

PRODUCTS = tuple(f"shop-{name}" for name in "abcdefghijklmnopqrstuvwx")
COMMITS = 10
DAYS = 400
WAITING = 2_000
RUNNING = 40
QUEUED = 5_000
LONG = 20_000
"""Events of each of the two long runs."""
_CHUNK = 4_000

Packed = list[tuple[str, bytes]]
"""Type and payload of each event."""


class World(msgspec.Struct):
    """What was made, for whoever looks at it."""

    runs: int = 0
    events: int = 0
    statuses: dict[str, int] = {}
    long_ended: str = ""
    long_running: str = ""
    running: list[str] = []
    waiting: list[str] = []
    delivered: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A sort of run."""

    status: Status
    engineer: str
    score: float | None
    trail: Packed
    seconds: float


def fill(database: Database, folder: Path, *, runs: int, events: int, seed: int = 7) -> World:
    """Make ``runs`` runs and about ``events`` events in an empty database; repositories go into ``folder``."""
    began = time.monotonic()
    chance = random.Random(seed)
    world = World()
    places = _repositories(folder)
    with database.writing() as connection:
        kept: dict[str, bytes] = {}
        kinds = _Kinds(chance, kept, runs, events)
        _store_blobs(connection, kept)
        bulk = _Bulk(connection)
        now = time.time()
        starts = sorted(now - chance.random() ** 1.5 * DAYS * 86400 for _ in range(runs))
        days: Counter[str] = Counter()
        for number, start in enumerate(starts):
            left = runs - number
            kind = kinds.choose(left)
            place = places[number % len(places)]
            task_id = _task_id(days, start)
            task = _task(task_id, place, trails.title(chance, number), start, status=kind.status, chance=chance)
            _run(bulk, world, kind, task=task, place=place, start=start, special=kinds.name(left))
        for number in range(QUEUED * runs // 100_000):
            place, name = places[number % len(places)], trails.title(chance, runs + number)
            bulk.tasks.append(_task(_task_id(days, now), place, name, now, status=Status.QUEUED, chance=chance))
        bulk.flush()
        bulk.index_titles()
        _count_days(connection, days)
    world.runs = runs
    world.seconds = round(time.monotonic() - began, 1)
    _analyse(database)
    return world


class _Kinds:
    """Which sort of run comes next."""

    def __init__(self, chance: random.Random, kept: dict[str, bytes], runs: int, events: int) -> None:
        self._chance = chance
        self._share = runs / 100_000

        def packed(entries: Sequence[ev.AnyEvent]) -> Packed:
            return _packed(entries, kept)

        long = trails.turns(LONG * 2 // 5)
        self.long_ended = Kind(
            Status.FAILED, "llm", None, packed([*trails.failed()[:4], *long, *trails.failed()[-2:]]), 9000.0
        )
        self.long_running = Kind(Status.BUILDING, "llm", None, packed([*trails.beginning("llm"), *long]), 9000.0)
        self.running = [
            Kind(Status.BUILDING, "llm", None, packed([*trails.beginning("llm"), *trails.turns(turns)]), 60.0 + turns)
            for turns in range(5, 45)
        ]
        self.waiting = [
            Kind(Status.WAITING_FOR_REVIEW, "llm", s, packed(trails.waiting(s)), 90.0) for s in (0.55, 0.71, 0.86)
        ]
        self._delivered = [
            Kind(Status.DELIVERED, "symbolic", s, packed(trails.delivered(s)), 45.0) for s in (0.78, 0.91, 0.95)
        ]
        self._failed = Kind(Status.FAILED, "llm", None, packed(trails.failed()), 30.0)
        self._abandoned = [
            Kind(status, "symbolic", None, packed(trails.abandoned(status)), 5.0)
            for status in (Status.CANCELLED, Status.REJECTED, Status.ROLLED_BACK)
        ]
        # short ones to come down to the wanted mean; the rest in the proportion 4 to 1
        mean = (events - 2 * LONG - self._share * WAITING * 25) / runs
        long_mean = 0.8 * 16 + 0.2 * 10
        self._short = min(1.0, max(0.0, (long_mean - mean) / (long_mean - 5)))

    def name(self, left: int) -> str:
        """What is special about the run with ``left`` to come."""
        return {1: "long_running", 50: "long_ended"}.get(left, "")

    def choose(self, left: int) -> Kind:
        """The sort of the run with ``left`` (itself included) to come, in the order of time."""
        if left <= RUNNING:
            return self.long_running if left == 1 else self.running[left % len(self.running)]
        if left == 50:
            return self.long_ended
        if self._chance.random() < WAITING / 100_000:
            return self._chance.choice(self.waiting)
        if self._chance.random() < self._short:
            return self._chance.choice(self._abandoned)
        return self._failed if self._chance.random() < 0.2 else self._chance.choice(self._delivered)


def _run(
    bulk: "_Bulk", world: World, kind: Kind, *, task: dict[str, Any], place: Order, start: float, special: str
) -> None:
    run_id, task_id, title = new_run_id(start), task["task_id"], task["title"]
    order = msgspec.structs.replace(place, ticket=Ticket(text=title), type=TaskType(task["type"]))
    started = ev.RunStarted(task_id=task_id, order=order, version="1")
    head, count = GENESIS, 0
    whole = [("run.started", canonical(started)), *kind.trail]
    step = kind.seconds / len(whole)
    for count, (tag, payload) in enumerate(whole, 1):
        at = timestamp(datetime.fromtimestamp(start + count * step, UTC))
        newest = chained(head, (run_id, count, at, tag), payload)
        bulk.events.append((run_id, count, at, tag, payload.decode(), head, newest))
        head = newest
    ended = kind.status.finished
    busy = not ended and kind.status is not Status.WAITING_FOR_REVIEW
    finished = start + kind.seconds if ended else None
    bulk.tasks.append(task | {"quality_score": kind.score, "actual_duration": kind.seconds if ended else None})
    bulk.runs.append(
        {
            "run_id": run_id, "task_id": task_id, "status": kind.status.value,
            "engineer": kind.engineer if ended else None,
            "started_at": start, "finished_at": finished, "cost_usd": 0.0, "result": b"{}" if ended else None,
            "lease_owner": f"worker-{ord(run_id[-1]) % 8}" if busy else None, "lease_epoch": 1,
            "lease_expires_at": start + 1e9 if busy else None, "cancel_requested": False, "trail_seq": count,
            "trail_hash": head, "product": task["product"], "type": task["type"], "score": kind.score,
        }
    )  # fmt: skip
    world.events += count
    world.statuses[kind.status.value] = world.statuses.get(kind.status.value, 0) + 1
    if special:
        setattr(world, special, run_id)
    elif busy:
        world.running.append(run_id)
    elif kind.status is Status.WAITING_FOR_REVIEW:
        world.waiting.append(run_id)
    elif kind.status is Status.DELIVERED:
        world.delivered = run_id
    bulk.flush_if_full()


def _task(
    task_id: str, place: Order, title: str, at: float, *, status: Status, chance: random.Random
) -> dict[str, Any]:
    kind = chance.choices(list(TaskType), (60, 10, 20, 5, 5))[0]
    order = msgspec.structs.replace(
        place, ticket=Ticket(text=title + "\n\n" + "It happens now and then. " * 12), type=kind
    )
    return {
        "task_id": task_id, "product": Path(place.repository).name, "type": kind.value, "title": title,
        "priority": chance.randint(1, 10), "generated_by": "human", "assigned_to": None, "tags": "[]",
        "estimated_duration": None, "actual_duration": None, "status": status.value, "human_review": None,
        "quality_score": None, "created_at": at, "waiting_for": 0, "order_json": canonical(order).decode(),
    }  # fmt: skip


def _task_id(days: Counter[str], at: float) -> str:
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    days[day] += 1
    return f"BUILD-{day}-{days[day]:03d}"


def _packed(entries: Iterable[ev.AnyEvent], kept: dict[str, bytes]) -> Packed:
    """As :meth:`karkhana.storage.event_log.RunTrail.record` stores them."""

    def keep(content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        kept[name] = content
        return name

    found = []
    for entry in entries:
        data = msgspec.to_builtins(entry, builtin_types=(bytes,), str_keys=True)
        payload = plain_json(data)
        found.append((str(entry.__struct_config__.tag), payload or canonical(pack(data, keep, bytes))))
    return found


def _repositories(folder: Path) -> list[Order]:
    """An order for each of the commits of each product's repository."""
    found = []
    for name in PRODUCTS:
        place = folder / "repositories" / name
        if not place.exists():
            small_repository(place, {"src/shop/cart.py": "def total(lines):\n    return sum(lines)\n"})
            for number in range(COMMITS - 1):
                git(place, "commit", "--quiet", "--allow-empty", "-m", f"step {number}")
        commits = git(place, "log", "--format=%H").split()
        found += [Order(ticket=Ticket(text=""), repository=str(place), commit=commit, by="asha") for commit in commits]
    random.Random(3).shuffle(found)
    return found


class _Bulk:
    """Rows on their way into the database, many at a time."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.tasks: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.events: list[tuple[Any, ...]] = []

    def flush_if_full(self) -> None:
        if len(self.events) >= 10 * _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Tasks first: the others refer to them."""
        for table, rows in ((tasks, self.tasks), (runs, self.runs)):
            names = list(rows[0]) if rows else []
            self._write(table, names, ([row[name] for name in names] for row in rows))
            rows.clear()
        self._write(events, [column.name for column in events.c], self.events)
        self.events.clear()

    def index_titles(self) -> None:
        """The words of all titles."""
        rows = self._connection.execute(sa.select(tasks.c.ordinal, tasks.c.title))
        pairs = sorted((word, row.ordinal) for row in rows for word in words_of(row.title))
        self._write(task_words, ["word", "ordinal"], pairs)

    def _write(self, table: sa.Table, names: list[str], rows: Iterable[Sequence[Any]]) -> None:
        driver = self._connection.connection.driver_connection
        assert driver is not None
        if not names:
            return
        if self._connection.dialect.name == "sqlite":
            marks = ",".join("?" * len(names))
            driver.executemany(f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({marks})", rows)
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({','.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def _store_blobs(connection: sa.Connection, kept: dict[str, bytes]) -> None:
    for name, content in kept.items():
        values = {"sha256": name, "size": len(content), "redacted": False, "data": zlib.compress(content, 1)}
        connection.execute(sa.insert(blobs).values(values))


def _count_days(connection: sa.Connection, days: Counter[str]) -> None:
    rows = [{"day": day, "last": last} for day, last in days.items()]
    connection.execute(sa.insert(metadata.tables["day_counters"]), rows)


def _analyse(database: Database) -> None:
    """What a database does by itself after a while."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.kind == "sqlite" else "VACUUM ANALYZE")
