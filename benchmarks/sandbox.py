"""What a sandboxed workspace costs over a bare subprocess, on a repository of 2,000 files made on the fly.

``python -m benchmarks.sandbox [--json] [--repeats N] [--files N]``. Medians; the bar is 150 ms over bare for a
workspace that is ready and has run its first command, with the checkout already in the cache.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.common import git, small_repository
from karkhana.domain.events import AnyEvent
from karkhana.workspace.layout import interpreter
from karkhana.workspace.local import LocalWorkspaces

BAR_MS = 150.0
_FIRST = (interpreter(), "-I", "-S", "-c", "pass")
_COMMANDS = 20


class Discard:
    """A trail that keeps nothing."""

    def record(self, event: AnyEvent) -> None:
        pass

    def keep(self, content: bytes) -> str:
        return ""


def make_repository(place: Path, files: int) -> str:
    """A repository with ``files`` files of about 1 kB in folders of 50; returns its commit."""
    text = "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(25))
    names = [f"package_{n // 50:03}/module_{n:05}.py" for n in range(files)]
    small_repository(place, {name: f"# {name}\n{text}" for name in names})
    return git(place, "rev-parse", "HEAD")


def milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def bare(place: Path) -> float:
    started = time.perf_counter()
    subprocess.run(_FIRST, cwd=place, check=True, capture_output=True)
    return milliseconds(started)


def opened(home: Path, place: Path, commit: str) -> dict[str, float]:
    """One workspace: until its first command has run; then the costs of further ones."""
    started = time.perf_counter()
    with LocalWorkspaces(home).open(str(place), commit, record=Discard()) as workspace:
        assert workspace.run(_FIRST).exit_code == 0
        first = milliseconds(started)
        walls, cpus = [], []
        for _ in range(_COMMANDS):
            wall, cpu = time.perf_counter(), time.process_time()
            workspace.run(("true",))
            cpus.append((time.process_time() - cpu) * 1000)
            walls.append(milliseconds(wall))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(_COMMANDS):
            workspace.changes()
        changes = (time.process_time() - cpu) * 1000 / _COMMANDS
        workspace.write("package_000/module_00000.py", b"x = 1\n")
        assert len(workspace.changes()) == 1
        started = time.perf_counter()
    return {
        "first": first,
        "wall": statistics.median(walls),
        "cpu": statistics.median(cpus),
        "changes": changes,
        "close": milliseconds(started),
    }


def measure(repeats: int, files: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="karkhana-benchmark-") as folder:
        place, home = Path(folder, "repository"), Path(folder, "home")
        place.mkdir()
        commit = make_repository(place, files)
        cold = []
        for _ in range(max(repeats // 4, 3)):
            shutil.rmtree(home, ignore_errors=True)
            cold.append(opened(home, place, commit)["first"])
        bares, warm = [], []
        for _ in range(repeats):  # in turn, so that a busy machine slows both
            bares.append(bare(place))
            warm.append(opened(home, place, commit))
        return figures(files, repeats, bares, warm, cold)


def figures(
    files: int, repeats: int, bares: list[float], warm: list[dict[str, float]], cold: list[float]
) -> dict[str, object]:
    base = statistics.median(bares)
    middle = {key: statistics.median(one[key] for one in warm) for key in warm[0]}
    over = middle["first"] - base
    return {
        "files": files,
        "repeats": repeats,
        "bare_ms": round(base, 2),
        "workspace_ms": round(middle["first"], 2),
        "over_bare_ms": round(over, 2),
        "ratio": round(middle["first"] / base, 2),
        "bar_ms": BAR_MS,
        "within_bar": over <= BAR_MS,
        "cold_checkout_ms": round(statistics.median(cold), 2),
        "command_wall_ms": round(middle["wall"], 3),
        "command_own_cpu_ms": round(middle["cpu"], 4),
        "changes_own_cpu_ms": round(middle["changes"], 4),
        "close_ms": round(middle["close"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--data", help="not needed: the repository is made on the fly")
    options = parser.parse_args()
    result = measure(options.repeats, options.files)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:>20}  {value}")


if __name__ == "__main__":
    main()
