"""HumanEvalFix (Python): one buggy function per repository, repaired and judged by the canonical solution.

    python -m benchmarks.humanevalfix --dataset DIR [--half develop|blind] [--only 1,7] [--direct] [--json]

DIR holds bigcode-project/octopack (https://github.com/bigcode-project/octopack, MIT) as a checkout, a git directory, or
a folder of those named OWNER+NAME. A case is named by its place in the data set, from 1; the odd ones are for
development, the even ones are the blind control. *Passing*: the change makes the case's tests pass. *Right*: it also
agrees with the canonical solution on at least 200 fresh inputs made from those of the tests. The canonical solution
never stands in the repository that the engineer sees. ``--direct`` leaves the line and its sandbox out.
"""

import argparse
import ast
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source, git, run_ticket, small_repository
from benchmarks.seeded_direct import repair_directly

DATA = "evaluation/create/humaneval-x/data/python/data/humanevalpack.jsonl"
_COMMAND = "python -m pytest -q"
_INPUTS = 300
_LEAST = 200


def cases(dataset: Path) -> list[dict[str, Any]]:
    """The rows of the data set, in its order."""
    source = find_source(dataset, "bigcode-project/octopack") or dataset
    path = source / DATA
    text = path.read_text() if path.is_file() else git(source, "show", f"HEAD:{DATA}")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def repository_files(case: dict[str, Any]) -> dict[str, str]:
    """The module with the bug, and its tests as pytest functions."""
    name = case["entry_point"]
    return {
        "conftest.py": "",
        f"{name}_module.py": case["prompt"] + case["buggy_solution"],
        f"tests/test_{name}.py": tests_of(case["test"], name),
    }


def tests_of(text: str, name: str) -> str:
    """One test function per assertion of ``check`` where each stands for itself, else one for all of them."""
    tree = ast.parse(text)
    check = next(s for s in tree.body if isinstance(s, ast.FunctionDef))
    imports = [s for s in [*tree.body, *check.body] if isinstance(s, ast.Import | ast.ImportFrom)]
    body = [s for s in check.body if not isinstance(s, ast.Import | ast.ImportFrom)]
    head = "\n".join([f"from {name}_module import *", f"from {name}_module import {name}", *map(ast.unparse, imports)])
    alias = check.args.args[0].arg
    if alias != name:
        head += f"\n{alias} = {name}"
    if all(isinstance(s, ast.Assert) for s in body):
        groups = [[s] for s in body if any(isinstance(n, ast.Name) and n.id in (name, alias) for n in ast.walk(s))]
    else:
        groups = [body]
    functions = [
        f"def test_{name}_{number}():\n" + textwrap.indent("\n".join(map(ast.unparse, group)), "    ")
        for number, group in enumerate(groups, 1)
    ]
    return "\n\n\n".join([head, *functions]) + "\n"


def ticket_of(case: dict[str, Any]) -> str:
    return f"{case['entry_point']}: its tests fail"


def repair(case: dict[str, Any], folder: Path, timeout_s: float, *, direct: bool) -> dict[str, Any]:
    """One bug; a row of the report."""
    name, files = case["entry_point"], repository_files(case)
    module = f"{name}_module.py"
    before = _cpu_s()
    row: dict[str, Any] = {"name": name, "bug": case["bug_type"], "passing": False, "right": False, "abstained": False}
    if direct:
        repaired, told = repair_directly(files, ticket_of(case), _COMMAND, module, timeout_s)
        row["told"] = told
    else:
        repository = small_repository(folder / name, files)
        result = run_ticket(repository, ticket_of(case), home=folder / "home", timeout_s=timeout_s)
        row |= {"status": result.get("status"), "score": (result.get("confidence") or {}).get("score")}
        row["told"] = result.get("reason") or result.get("error") or ""
        repaired = patched(repository, folder / f"{name}.patched", result.get("diff") or "", module)
    row["cpu_s"] = round(_cpu_s() - before, 2)
    if repaired is None:
        return row | {"abstained": True}
    row["change"] = changed_lines(files[module], repaired)
    row["passing"] = passes(folder / f"{name}.judged", {**files, module: repaired})
    return row | (judge(case, repaired, folder) if row["passing"] else {})


def _cpu_s() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def patched(repository: Path, folder: Path, diff: str, module: str) -> str | None:
    """The module with the delivered change; ``None`` without one."""
    if not diff:
        return None
    git(repository, "worktree", "add", "--quiet", "--detach", str(folder))
    subprocess.run(["git", "-C", folder, "apply", "-"], input=diff, text=True, check=True)
    return (folder / module).read_text()


def changed_lines(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    removed = [f"-{line}" for line in old if line not in new]
    return removed + [f"+{line}" for line in new if line not in old]


def passes(folder: Path, files: dict[str, str]) -> bool:
    """Whether the case's own tests pass, in a process of their own."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def judge(case: dict[str, Any], repaired: str, folder: Path) -> dict[str, Any]:
    """Agreement with the canonical solution on fresh inputs, in a process of its own."""
    job = {
        "name": case["entry_point"],
        "reference": case["prompt"] + case["canonical_solution"],
        "candidate": repaired,
        "check": case["test"],
        "count": _INPUTS,
    }
    words = [sys.executable, "-m", "benchmarks.humanevalfix_judge"]
    here = Path(__file__).parent.parent
    try:
        done = subprocess.run(
            words, input=json.dumps(job), capture_output=True, text=True, timeout=180, check=False, cwd=here
        )
    except subprocess.TimeoutExpired:
        return {"judge": "no end"}
    if done.returncode:
        return {"judge": done.stderr[-500:]}
    verdict = json.loads(done.stdout.splitlines()[-1])
    right = not verdict["counterexamples"] and verdict["agrees"] >= _LEAST
    return {"right": right, **verdict}


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    delivered = [r for r in rows if not r["abstained"]]
    kinds = sorted({r["bug"] for r in rows})
    return {
        "total": len(rows),
        "passing": sum(r["passing"] for r in rows),
        "right": sum(r["right"] for r in rows),
        "abstained": sum(r["abstained"] for r in rows),
        "precision": round(sum(r["right"] for r in delivered) / len(delivered), 3) if delivered else None,
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2) if rows else None,
        "kinds": {
            kind: [sum(r[word] for r in rows if r["bug"] == kind) for word in ("passing", "right")]
            + [sum(r["bug"] == kind for r in rows)]
            for kind in kinds
        },
        "cases": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="", help="numbers from 1, or function names, separated by commas")
    parser.add_argument("--half", choices=("develop", "blind"), help="every second case, from the first or the second")
    parser.add_argument("--direct", action="store_true", help="the engineer alone, without line and sandbox")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for the engineer's work on one bug")
    options = parser.parse_args()
    only = {word for word in options.only.split(",") if word}
    first, step = {"develop": (0, 2), "blind": (1, 2), None: (0, 1)}[options.half]
    rows: list[dict[str, Any]] = []
    numbered = list(enumerate(cases(options.dataset.resolve()), 1))[first::step]
    with tempfile.TemporaryDirectory(prefix="humanevalfix-") as scratch:
        for number, case in numbered:
            if only and not {str(number), case["entry_point"]} & only:
                continue
            row = {"number": number} | repair(case, Path(scratch), options.timeout, direct=options.direct)
            rows.append(row)
            word = "right" if row["right"] else "passing" if row["passing"] else "abstained"
            print(f"{number:>4} {row['name']:<30} {word:<10} {row['cpu_s']:>7} s CPU", file=sys.stderr, flush=True)
    emit("HumanEvalFix", figures_of(rows), as_json=options.json)


if __name__ == "__main__":
    main()
