"""kill -9 of workers: at every boundary between the line's stations, and in the middle of each station.

A worker process is held at a point of a run and killed from outside while another one stands by; when the dead
worker's lease has run out, that one takes the run over, and is killed in its turn at a later point. Afterwards the
side log, the forge and the trail tell whether a finished station ran again, whether anything was delivered
twice, and whether a run was left behind. The line is the drill of ``benchmarks.drill``: the real
engine, stores, leases and worker, with stations that only count.

    python -m benchmarks.durability [--kills 50] [--real] [--database sqlite|postgresql|both] [--json]

With ``--real`` the line is the real one, on a small repository with a bug (:mod:`benchmarks.durability_real`).
"""

import argparse
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import durability_real
from benchmarks.common import emit
from benchmarks.databases import backends
from benchmarks.drill_control import kill_workers


def main() -> None:
    parser = argparse.ArgumentParser(description="kills workers and judges what is left")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--real", action="store_true", help="kill workers of the real line")
    parser.add_argument("--data", type=Path, help="not used: nothing is fetched")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, folder, url in backends(options.database):
        began = time.monotonic()
        if options.real:
            report = durability_real.measure(folder, url, kills=options.kills)
        else:
            report = msgspec.to_builtins(kill_workers(folder, url, options.kills))
        figures[name] = {**report, "seconds": round(time.monotonic() - began, 1)}
        emit(f"kills on {name}", figures[name], as_json=False)
    emit("durability", figures, as_json=options.json)


if __name__ == "__main__":
    main()
