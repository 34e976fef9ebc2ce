"""Seeded one-place bugs in real libraries, each caught by the library's own tests, repaired and judged.

    python -m benchmarks.seeded --dataset DIR [--count 300] [--seed 1] [--direct] [--diagnose] [--cases FILE] [--json]

DIR holds a git repository per library of ``seeded.toml``, named OWNER+NAME or OWNER+NAME/repo. *Right*: the repaired
module is the original's syntax tree, or its functions answer like the original's on inputs recorded from the tests
and made from those, of which one shows the bug. A passing change that was not compared counts as wrong. ``--direct``
leaves the line and its sandbox out and asks the engineer alone (libraries that you trust); ``--diagnose`` adds why a
bug was not repaired. ``--cases`` keeps the drawn bugs in a file, or takes them from it: drawing runs each library's
suite once per bug. ``--timeout`` is in seconds of the clock; CPU time is bounded by the engineer itself.
"""

import argparse
import ast
import itertools
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit, find_source, git, run_ticket, small_repository
from benchmarks.seeded_bugs import Seed, seeds
from benchmarks.seeded_direct import diagnose, repair_directly, same_behaviour, same_code
from karkhana.behaviour.running import ProbeFailed


def library_files(source: Path, patterns: list[str]) -> dict[str, str]:
    """Path → text of the files of HEAD that match."""
    found = {}
    for path in git(source, "ls-tree", "-r", "--name-only", "HEAD").splitlines():
        if any(fnmatch(path, pattern) and path.count("/") == pattern.count("/") for pattern in patterns):
            found[path] = git(source, "show", f"HEAD:{path}") + "\n"
    return found


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


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One bug, caught by tests."""

    repository: str
    module: str
    seed: Seed
    failing: list[str]


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """A library of ``seeded.toml`` with the texts of its files."""

    repository: str
    modules: list[str]
    tests: str
    texts: dict[str, str]

    def with_bug(self, case: Case) -> dict[str, str]:
        """The files with one bug in them."""
        text = self.texts[case.module]
        return {**self.texts, case.module: text[: case.seed.start] + case.seed.text + text[case.seed.end :]}


def libraries_of(dataset: Path) -> dict[str, Library]:
    """Name → library, for those of ``seeded.toml`` that are in the data set; the others are named on stderr."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    found = {}
    for row in data["library"]:
        source = find_source(dataset, row["repository"])
        if source is None:
            print(f"{row['repository']}: not in {dataset}, left out", file=sys.stderr)
            continue
        found[row["repository"]] = Library(
            repository=row["repository"],
            modules=row["modules"],
            tests=row["tests"],
            texts=library_files(source, row["files"]),
        )
    return found


def draw(libraries: Mapping[str, Library], folder: Path, seed: int) -> Iterator[Case]:
    """Bugs that the tests catch, each kind and each library in turn; without end until there are no more."""
    randomness = random.Random(seed)
    pools: dict[tuple[str, str], list[tuple[str, Seed]]] = {}
    for library in libraries.values():
        for module in library.modules:
            for bug in seeds(library.texts[module]):
                pools.setdefault((bug.kind, library.repository), []).append((module, bug))
    order = sorted(pools)
    # By lot, so that the first few of a run are a fair sample.
    randomness.shuffle(order)
    while any(pools.values()):
        for kind, name in order:
            pool = pools[kind, name]
            if pool:
                module, bug = pool.pop(randomness.randrange(len(pool)))
                case = caught(libraries[name], module, bug, folder)
                if case is not None:
                    yield case


def caught(library: Library, module: str, bug: Seed, folder: Path) -> Case | None:
    """The bug as a case, when it is a program and between 1 and 40 tests fail."""
    case = Case(repository=library.repository, module=module, seed=bug, failing=[])
    files = library.with_bug(case)
    try:
        ast.parse(files[module])
    except SyntaxError:
        return None
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        failing = caught_by(files, library.tests, Path(scratch))
    return msgspec.structs.replace(case, failing=failing) if 0 < len(failing) <= 40 else None


def drawn(libraries: Mapping[str, Library], folder: Path, seed: int, kept: Path | None) -> Iterator[Case]:
    """As :func:`draw`: first those in the file ``kept``, which new ones are added to as they are drawn."""
    known: list[Case] = []
    if kept is not None and kept.exists():
        known = [msgspec.json.decode(line, type=Case) for line in kept.read_bytes().splitlines()]
    yield from (case for case in known if case.repository in libraries)
    seeds_known = {(case.repository, case.module, case.seed) for case in known}
    for case in draw(libraries, folder, seed):
        if (case.repository, case.module, case.seed) not in seeds_known:
            if kept is not None:
                with kept.open("ab") as file:
                    file.write(msgspec.json.encode(case) + b"\n")
            yield case


def ticket_of(case: Case) -> str:
    """What a reporter would say: which tests fail, and no more."""
    return f"The test suite fails\n\n{len(case.failing)} failing, among them: {', '.join(case.failing[:3])}"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How bugs are repaired."""

    folder: Path
    direct: bool
    diagnose: bool
    timeout_s: float


def attempt(library: Library, case: Case, number: int, options: Options) -> dict[str, Any]:
    """One bug through the line (or the engineer alone): a row of the report."""
    module, files, ticket = case.module, library.with_bug(case), ticket_of(case)
    original = library.texts[module]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if options.direct:
        after_text, note = repair_directly(files, ticket, library.tests, module, options.timeout_s)
    else:
        after_text, note = through_line(library, case, options.folder / f"case{number}", options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = {
        "library": case.repository,
        "module": module,
        "kind": case.seed.kind,
        "function": case.seed.function,
        "line": case.seed.line,
        "bug": [original[case.seed.start : case.seed.end][:80], case.seed.text[:80]],
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "passing": after_text is not None,
        "abstained": after_text is None,
        "right": False,
        "note": note[:300],
    }
    if after_text is not None:
        row |= judged(files, module, original, after_text, library.tests)
    if options.diagnose and not row["right"]:
        row |= diagnose(files, ticket, library.tests, module, original)
    return row


def judged(files: Mapping[str, str], module: str, original: str, repaired: str, command: str) -> dict[str, Any]:
    """Whether a repaired module is right: the same code, or the same behaviour."""
    if same_code(original, repaired):
        return {"right": True, "judged": "same code"}
    try:
        return same_behaviour({**files, module: original}, module, repaired, files[module], command)
    except ProbeFailed as error:
        return {"right": False, "judged": f"not observable: {error.message}"}


def through_line(library: Library, case: Case, folder: Path, options: Options) -> tuple[str | None, str]:
    """The repaired module's text, or ``None``, and what was said."""
    repository = small_repository(folder, library.with_bug(case))
    result = run_ticket(
        repository,
        ticket_of(case),
        home=options.folder / "home",
        test_command=library.tests,
        timeout_s=options.timeout_s,
    )
    if not result.get("diff"):
        return None, str(result.get("reason") or result.get("error") or result.get("status"))
    subprocess.run(["git", "-C", repository, "apply", "-"], input=result["diff"], text=True, check=True)
    return (repository / case.module).read_text(), str(result["diff"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--diagnose", action="store_true")
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    libraries = libraries_of(options.dataset)
    with tempfile.TemporaryDirectory(prefix="seeded-") as scratch:
        folder = Path(scratch)
        cases = itertools.islice(drawn(libraries, folder, options.seed, options.cases), options.count)
        how = Options(folder=folder, direct=options.direct, diagnose=options.diagnose, timeout_s=options.timeout)
        rows = []
        for number, case in enumerate(cases):
            row = attempt(libraries[case.repository], case, number, how)
            rows.append(row)
            word = "right" if row["right"] else "wrong" if row["passing"] else "abstained"
            print(
                f"{number:>3} {word:<9} {row['cpu_s']:>6} s  {row['kind']:<20} {row['module']}:{row['line']} "
                f"{row['function']}: {row['bug'][0]!r} became {row['bug'][1]!r} | {row['note'][:160]!r} "
                f"{ {k: row[k] for k in ('judged', 'stage', 'suspect', 'rank', 'template') if k in row} }",
                file=sys.stderr,
                flush=True,
            )
    emit("Seeded bugs", figures_of(rows), as_json=options.json)


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts over all cases and by kind."""
    delivered = sum(r["passing"] for r in rows)
    right = sum(r["right"] for r in rows)
    kinds = Counter(r["kind"] for r in rows)
    return {
        "total": len(rows),
        "passing": delivered,
        "right": right,
        "abstained": sum(r["abstained"] for r in rows),
        "precision": round(right / delivered, 3) if delivered else None,
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2) if rows else None,
        "by_kind": {k: f"{sum(r['right'] for r in rows if r['kind'] == k)}/{n}" for k, n in sorted(kinds.items())},
        "cases": rows,
    }


if __name__ == "__main__":
    main()
