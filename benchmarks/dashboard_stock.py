"""Databases that were filled once by :mod:`benchmarks.dashboard_world` and are kept in the data folder.

PostgreSQL's data folder is kept too; its server runs only as long as it is used. An older schema is upgraded.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import sqlalchemy as sa

from benchmarks.dashboard_outcomes import settle
from benchmarks.dashboard_world import World, fill
from benchmarks.databases import POSTGRES
from karkhana.storage.database import Database, open_database
from karkhana.storage.tables import runs


@dataclass(frozen=True)
class Stock:
    """A filled database and some of what is in it."""

    home: Path
    url: str | None
    database: int
    """Process id of PostgreSQL; 0 for SQLite."""
    count: int
    events: int
    runs: dict[str, str]
    """The two long runs, by name."""
    some: dict[str, list[str]]
    """A few runs by status."""
    cursors: tuple[str, str]
    """A run in the middle of the list, and one near its end."""


@contextmanager
def stocked(kind: str, folder: Path, count: int, events: int) -> Iterator[Stock]:
    """The stock of ``kind`` (``sqlite``, ``postgresql``) with so many runs; filled if it is not there."""
    place = folder / f"dashboard-{kind}-{count}"
    with ExitStack() as stack:
        url, process = (None, 0) if kind == "sqlite" else stack.enter_context(_server(place))
        home = place / "home"
        note = place / "world.json"
        with open_database(url, home) as database:
            if not note.exists():
                world = fill(database, place, runs=count, events=events)
                note.write_bytes(msgspec.json.encode(world))
            world = msgspec.json.decode(note.read_bytes(), type=World)
            settle(database)
            stock = _stock(database, world, home, url, process)
        yield stock


def _stock(database: Database, world: World, home: Path, url: str | None, process: int) -> Stock:
    def nth(offset: int) -> str:
        with database.reading() as connection:
            query = sa.select(runs.c.run_id).order_by(runs.c.run_id.desc()).offset(offset).limit(1)
            return str(connection.execute(query).scalar_one())

    def some(status: str) -> list[str]:
        with database.reading() as connection:
            query = sa.select(runs.c.run_id).where(runs.c.status == status).order_by(runs.c.run_id.desc())
            found = list(connection.execute(query.limit(2000)).scalars())
        return found[:: max(1, len(found) // 30)][:30]

    return Stock(
        home=home,
        url=url,
        database=process,
        count=world.runs,
        events=world.events,
        runs={"long_running": world.long_running, "long_ended": world.long_ended},
        some={status.partition("_")[0]: some(status) for status in ("waiting_for_review", "delivered")},
        cursors=(nth(world.runs // 2), nth(world.runs - 60)),
    )


@contextmanager
def _server(place: Path) -> Iterator[tuple[str, int]]:
    """PostgreSQL 15 with its usual settings on a free loopback port; its URL and process id."""
    data = place / "postgresql"
    data.parent.mkdir(parents=True, exist_ok=True)
    drop: list[str] = []
    if os.geteuid() == 0:
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data.mkdir(exist_ok=True)
        shutil.chown(data, "postgres", "postgres")
        data.chmod(0o700)
    if not (data / "PG_VERSION").exists():
        initialise = [*drop, POSTGRES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*initialise, "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = f"-p {port} -h 127.0.0.1 -k ''"
    control = [*drop, POSTGRES / "pg_ctl", "-D", data, "-w", "-l", data / "log"]
    subprocess.run([*control, "-o", flags, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        process = int((data / "postmaster.pid").read_text().split()[0])
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres", process
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
