"""CPU that ``karkhana serve`` takes until it listens, with bytecode and without.

Bytecode is what an installed Karkhana has: ``pip`` and the image compile everything, and a first start keeps what it
compiles. Without it (``PYTHONDONTWRITEBYTECODE``, and nothing compiled before) each start compiles some 900 modules.

    python -m benchmarks.dashboard_start [--times N] [--json]
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks.common import emit
from benchmarks.dashboard_server import serving


def starts(home: Path, times: int, *, bytecode: Path | None) -> list[float]:
    """Seconds of CPU of each start, the first one left out: it makes the tables and, where it may, the bytecode."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(bytecode or home / "nothing")
    if bytecode is None:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    found = []
    for _ in range(times + 1):
        with serving(home, None) as client:
            found.append(client.listening_ns / 1e9)
    return found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        compiled = starts(home, options.times, bytecode=Path(folder) / "bytecode")
        bare = starts(home, options.times, bytecode=None)
    figures = {
        "cpu_until_listening_s": round(statistics.median(compiled), 2),
        "worst_s": round(max(compiled), 2),
        "without_bytecode_s": round(statistics.median(bare), 2),
        "times": options.times,
    }
    emit("Start of the dashboard", figures, as_json=options.json)


if __name__ == "__main__":
    main()
