"""Seeded one-place bugs in real libraries, each caught by the library's own tests, repaired and judged.

    python -m benchmarks.seeded --dataset DIR [--count 100] [--seed 1] [--direct] [--diagnose]
                               [--json]

DIR holds a git repository per library of ``seeded.toml``, named OWNER+NAME or OWNER+NAME/repo. *Right*: the repaired
module is the original's syntax tree, or its functions answer like the original's on inputs recorded from the tests
and made from those. A passing change that was not compared counts as wrong. ``--direct`` leaves the line and its
sandbox out and asks the engineer alone (libraries that you trust); ``--diagnose`` adds why a bug was not repaired.
"""

import argparse
import ast
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.common import emit, git, run_ticket, small_repository
from benchmarks.seeded_bugs import Seed, seeds
from benchmarks.seeded_direct import diagnose, repair_directly, same_behaviour


def library_files(source: Path, patterns: list[str]) -> dict[str, str]:
    """Path → text of the files of HEAD that match."""
    found = {}
    for path in git(source, "ls-tree", "-r", "--name-only", "HEAD").splitlines():
        if any(fnmatch(path, pattern) and path.count("/") == pattern.count("/") for pattern in patterns):
            found[path] = git(source, "show", f"HEAD:{path}") + "\n"
    return found


def find_source(folder: Path, name: str) -> Path | None:
    place = folder / name.replace("/", "+")
    return next((p for p in (place / "repo", place) if (p / "objects").is_dir() or (p / ".git").is_dir()), None)


def caught_by(files: dict[str, str], command: str, folder: Path) -> list[str]:
    """Names of the tests that fail; empty when none does or the suite does not end."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    words = [sys.executable, *command.split()[1:], "-q", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
    environment = {"PYTHONPATH": f"{folder / 'src'}:{folder}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return []
    lines = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return [line.split(" - ")[0] for line in lines]


def draw(libraries: list[dict[str, Any]], folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """``count`` bugs, each kind and each library in turn, that the tests catch."""
    randomness = random.Random(seed)
    pools: dict[tuple[str, str], list[tuple[dict[str, Any], str, Seed]]] = {}
    for library in libraries:
        for module in library["modules"]:
            for bug in seeds(library["texts"][module]):
                pools.setdefault((bug.kind, library["repository"]), []).append((library, module, bug))
    cases: list[dict[str, Any]] = []
    while len(cases) < count and any(pools.values()):
        for key in sorted(pools):
            if not pools[key] or len(cases) >= count:
                continue
            library, module, bug = pools[key].pop(randomness.randrange(len(pools[key])))
            text = library["texts"][module]
            broken = text[: bug.start] + bug.text + text[bug.end :]
            try:
                ast.parse(broken)
            except SyntaxError:
                continue
            files = {**library["texts"], module: broken}
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                failing = caught_by(files, library["tests"], Path(scratch))
            if 0 < len(failing) <= 40:
                cases.append({"library": library, "module": module, "bug": bug, "files": files, "failing": failing})
    return cases


def attempt(
    case: dict[str, Any], folder: Path, number: int, *, direct: bool, timeout_s: float, why: bool = False
) -> dict[str, Any]:
    """One bug through the line (or the engineer alone): a row of the report."""
    library, module, bug = case["library"], case["module"], case["bug"]
    names = [n for n in case["failing"] if n][:3]
    ticket = f"The test suite fails\n\n{len(case['failing'])} failing, among them: {', '.join(names)}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if direct:
        after_text, note = repair_directly(case["files"], ticket, library["tests"], module, timeout_s)
    else:
        after_text, note = through_line(case, ticket, folder / f"case{number}", folder / "home", timeout_s)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = {
        "library": library["repository"],
        "module": module,
        "kind": bug.kind,
        "function": bug.function,
        "line": bug.line,
        "bug": [library["texts"][module][bug.start : bug.end][:80], bug.text[:80]],
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "passing": after_text is not None,
        "abstained": after_text is None,
        "right": False,
        "note": note[:300],
    }
    if after_text is not None:
        original = library["texts"][module]
        if ast.dump(ast.parse(after_text)) == ast.dump(ast.parse(original)):
            row |= {"right": True, "judged": "same code"}
        else:
            row |= same_behaviour({**case["files"], module: original}, module, after_text, library["tests"])
    if why and not row["right"]:
        row |= diagnose(case["files"], ticket, library["tests"], module, library["texts"][module])
    return row


def through_line(
    case: dict[str, Any], ticket: str, folder: Path, home: Path, timeout_s: float
) -> tuple[str | None, str]:
    """The repaired module's text, or ``None``, and what was said."""
    repository = small_repository(folder, case["files"])
    command = case["library"]["tests"]
    result = run_ticket(repository, ticket, home=home, test_command=command, timeout_s=timeout_s)
    if not result.get("diff"):
        return None, str(result.get("reason") or result.get("error") or result.get("status"))
    subprocess.run(["git", "-C", repository, "apply", "-"], input=result["diff"], text=True, check=True)
    return (repository / case["module"]).read_text(), str(result["diff"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=150.0)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--diagnose", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    libraries = []
    for library in data["library"]:
        source = find_source(options.dataset, library["repository"])
        if source is None:
            print(f"{library['repository']}: not in {options.dataset}, left out", file=sys.stderr)
            continue
        libraries.append({**library, "texts": library_files(source, library["files"])})
    with tempfile.TemporaryDirectory(prefix="seeded-") as scratch:
        folder = Path(scratch)
        cases = draw(libraries, folder, options.count, options.seed)
        rows = []
        for number, case in enumerate(cases):
            row = attempt(case, folder, number, direct=options.direct, timeout_s=options.timeout, why=options.diagnose)
            rows.append(row)
            word = "right" if row["right"] else "wrong" if row["passing"] else "abstained"
            print(
                f"{number:>3} {word:<9} {row['cpu_s']:>6} s  {row['kind']:<20} {row['module']}:{row['line']} "
                f"{row['function']}: {row['bug'][0]!r} became {row['bug'][1]!r} | {row['note'][:160]!r}",
                file=sys.stderr,
                flush=True,
            )
    delivered = sum(r["passing"] for r in rows)
    right = sum(r["right"] for r in rows)
    kinds = Counter(r["kind"] for r in rows)
    figures = {
        "total": len(rows),
        "passing": delivered,
        "right": right,
        "abstained": sum(r["abstained"] for r in rows),
        "precision": round(right / delivered, 3) if delivered else None,
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2) if rows else None,
        "by_kind": {k: f"{sum(r['right'] for r in rows if r['kind'] == k)}/{n}" for k, n in sorted(kinds.items())},
        "cases": rows,
    }
    emit("Seeded bugs", figures, as_json=options.json)


if __name__ == "__main__":
    main()
