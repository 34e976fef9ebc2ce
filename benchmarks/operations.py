"""What running a factory costs: a scrape of its figures, a backup while others write, and a restore that verifies all.

``--dataset`` is a folder with a ``karkhana.sqlite3``, such as ``benchmarks.dashboard_world`` fills one; it is only
read. Without it a small one is made. While the backup copies, a writer adds a row after the other and notes how long
each took.

>>> # python -m benchmarks.operations --dataset HOME --json
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from benchmarks.common import emit
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.backup import back_up
from karkhana.factory.configuration import load_settings
from karkhana.factory.restoring import restore
from karkhana.storage.backup_sqlite import copy_databases
from karkhana.storage.database import FILE_NAME, Database, open_database
from karkhana.storage.figures import figures
from karkhana.storage.retention import Retention
from karkhana.storage.tables import tag_sets
from karkhana.storage.tasks import TaskStore

SCRAPES = 5
PAUSE_S = 0.02
"""Between two writes while the backup is made."""


class Writer(threading.Thread):
    """Writes until it is stopped."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database = database
        self.stopped = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        while not self.stopped.wait(PAUSE_S):
            began = time.perf_counter()
            with self._database.writing() as connection:
                connection.execute(tag_sets.insert().values(tags=f"benchmark-{len(self.waits)}"))
            self.waits.append(time.perf_counter() - began)


def settings_of(home: Path) -> Settings:
    return msgspec.structs.replace(load_settings({}), home=home, database_url=None)


def measure(home: Path, folder: Path) -> dict[str, object]:
    """The figures of one home, which is changed: give it a copy."""
    settings = settings_of(home)
    with open_database(None, home) as database:
        scrapes, processor = [], []
        for _ in range(SCRAPES):
            began, used = time.perf_counter(), time.process_time()
            figures(database)
            scrapes.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
        began = time.perf_counter()
        old = Retention(database).prune(time.time() - 180 * 86_400, dry_run=True)
        prune_s = time.perf_counter() - began
        writer = Writer(database)
        writer.start()
        began = time.perf_counter()
        made = back_up(settings, folder / "kept.tar")
        backup_s = time.perf_counter() - began
        writer.stopped.set()
        writer.join()
    began = time.perf_counter()
    restored = restore(settings_of(folder / "elsewhere"), Path(made.file))
    restore_s = time.perf_counter() - began
    found = made.manifest.contents
    return {
        "runs": found.runs,
        "events": found.events,
        "megabytes": round(made.bytes / 1e6),
        "scrape_s": round(statistics.median(scrapes), 3),
        "scrape_cpu_s": round(statistics.median(processor), 3),
        "prune_look_s": round(prune_s, 1),
        "prunable_runs": old.runs,
        "backup_s": round(backup_s, 1),
        "writes_meanwhile": len(writer.waits),
        "longest_write_s": round(max(writer.waits, default=0.0), 3),
        "restore_s": round(restore_s, 1),
        "damaged": len(restored.damaged),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="a folder with a karkhana.sqlite3; it is only read")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="karkhana-operations-") as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        if options.dataset is not None:
            copy_databases([options.dataset / FILE_NAME], home)
        else:
            with open_database(None, home) as database:
                for number in range(100):
                    order = Order(ticket=Ticket(text=f"ticket {number}"), repository="/shop", commit="0" * 40)
                    TaskStore(database).add(order)
        emit("operations", measure(home, folder), as_json=options.json)


if __name__ == "__main__":
    main()
