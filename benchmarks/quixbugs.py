"""QuixBugs (Python) through the full line: a small repository per bug, ``karkhana run``, judged by the reference.

    python -m benchmarks.quixbugs --dataset DIR [--json] [--only gcd,sieve] [--keep FOLDER]

DIR holds jkoppel/QuixBugs (https://github.com/jkoppel/QuixBugs, MIT) as a checkout, a git directory, or a folder of
those named OWNER+NAME. *Passing*: the change makes the program's own tests pass. *Right*: it also equals the reference
on fresh random inputs that its documentation allows. The correct version never stands in the repository that the line
sees.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source, git, replayed, run_ticket, small_repository
from benchmarks.quixbugs_inputs import MAKERS

_CONFTEST = """import pytest


def pytest_configure(config):
    pytest.use_correct = False
    pytest.run_slow = False
"""
_INPUTS = 250


def checkout(dataset: Path, folder: Path) -> Path:
    """A work tree of the data set: ``dataset`` itself, or a clone of the git directory that it is or holds."""
    if (dataset / "python_programs").is_dir():
        return dataset
    source = find_source(dataset, "jkoppel/QuixBugs") or dataset
    subprocess.run(["git", "clone", "--quiet", source, folder / "QuixBugs"], check=True)
    return folder / "QuixBugs"


def repository_files(dataset: Path, name: str) -> dict[str, str]:
    """The buggy program, its tests and their data."""
    tests = dataset / "python_testcases"
    files = {
        "conftest.py": _CONFTEST,
        "python_programs/__init__.py": "",
        f"python_programs/{name}.py": (dataset / "python_programs" / f"{name}.py").read_text(),
        f"python_testcases/test_{name}.py": (tests / f"test_{name}.py").read_text(),
    }
    for helper in ("node.py", "load_testdata.py"):
        files[f"python_testcases/{helper}"] = (tests / helper).read_text()
    data = dataset / "json_testcases" / f"{name}.json"
    if data.exists():
        files[f"json_testcases/{name}.json"] = data.read_text()
    return files


def ticket_of(dataset: Path, name: str) -> str:
    """What a user would write: the name, and the purpose from the program's own documentation."""
    text = (dataset / "python_programs" / f"{name}.py").read_text()
    found = re.search(r'"""(.*?)"""', text, re.DOTALL)
    purpose = " ".join(found[1].split("Input:")[0].split()) if found else ""
    return f"{name} gives wrong results\n\n{purpose}\nIts tests in python_testcases fail."


def repair(dataset: Path, name: str, folder: Path, timeout_s: float) -> dict[str, Any]:
    """One bug through the line; a row of the report."""
    repository = small_repository(folder / name, repository_files(dataset, name))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run_ticket(repository, ticket_of(dataset, name), home=folder / "home", timeout_s=timeout_s)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row: dict[str, Any] = {"name": name, "passing": False, "right": False, "abstained": False, "cpu_s": round(cpu, 2)}
    row |= {"status": result.get("status"), "diff": result.get("diff") or "", "run_id": result.get("run_id")}
    row["score"] = (result.get("confidence") or {}).get("score")
    if result.get("duration_s") is not None:
        row["wall_s"] = round(result["duration_s"], 1)
    if not row["diff"]:
        row["abstained"] = True
        row["reason"] = result.get("reason") or result.get("error") or ""
        return row
    row["replayed"] = replayed(result, folder / "home")
    repaired = folder / f"{name}.patched"
    git(repository, "worktree", "add", "--quiet", "--detach", str(repaired))
    subprocess.run(["git", "-C", repaired, "apply", "-"], input=row["diff"], text=True, check=True)
    row["passing"] = passes(repaired)
    if row["passing"]:
        row |= judge(dataset, name, repaired / "python_programs" / f"{name}.py")
    return row


def passes(folder: Path) -> bool:
    """Whether the program's own tests pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "python_testcases"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def judge(dataset: Path, name: str, repaired: Path) -> dict[str, Any]:
    """Agreement with the reference on fresh random inputs."""
    command = [sys.executable, "-m", "benchmarks.quixbugs_judge", dataset, name, repaired, str(_INPUTS), "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, cwd=Path(__file__).parent.parent
    )
    if done.returncode:
        return {"right": False, "judge": done.stderr[-500:]}
    verdict = json.loads(done.stdout.splitlines()[-1])
    right = verdict["differs"] == 0 and verdict["agrees"] >= 200
    return {"right": right, "agrees": verdict["agrees"], "counterexamples": verdict["examples"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds for the engineer's work on one bug")
    parser.add_argument("--keep", type=Path, help="folder for repositories and database, kept afterwards")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quixbugs-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        dataset = checkout(options.dataset.resolve(), folder)
        names = [n for n in options.only.split(",") if n] or sorted(MAKERS)
        rows = []
        for name in names:
            row = repair(dataset, name, folder, options.timeout)
            rows.append(row)
            word = "right" if row["right"] else "passing" if row["passing"] else "abstained"
            print(f"{name:<30} {word:<10} {row['cpu_s']:>7} s CPU  score {row['score']}", file=sys.stderr, flush=True)
    figures = {
        "total": len(rows),
        "passing": sum(r["passing"] for r in rows),
        "right": sum(r["right"] for r in rows),
        "abstained": sum(r["abstained"] for r in rows),
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2),
        "highest_cpu_s": max(r["cpu_s"] for r in rows),
        "replayed": sum(r.get("replayed", False) for r in rows),
        "wrong": [r["name"] for r in rows if r["passing"] and not r["right"]],
        "cases": rows,
    }
    emit("QuixBugs", figures, as_json=options.json)


if __name__ == "__main__":
    main()
