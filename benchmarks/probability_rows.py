"""Passing changes with their evidence and whether they are right: the rows that the probability model is trained on.

    python -m benchmarks.probability_rows --dataset DIR --source history|reports|seeded|humanevalfix [--out DIR]
                                          [--limit N] [--seed N]

One file per ticket is written to ``--out``, and what is there already is not done again. A row is one behaviour class
that the symbolic engineer considered, also when it handed over another or none: its features from the trail, and the
verdict of the source's own judge. Sources: the *develop* half of the mined tickets (:mod:`benchmarks.mine` makes them),
seeded bugs drawn with a seed of their own, and the odd numbers of HumanEvalFix. Runs code of libraries as plain
processes: only for libraries that you trust.
"""

import argparse
import hashlib
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import humanevalfix
from benchmarks.common import data_folder
from benchmarks.direct import work_directly
from benchmarks.history_judge import Judge, Trees, replay, same_code
from benchmarks.history_limits import bounded
from benchmarks.mine import DATA, libraries
from benchmarks.mine_tickets import History, environment, load, suite
from benchmarks.seeded import Case as SeededCase
from benchmarks.seeded import Library, drawn, judged, libraries_of, ticket_of
from karkhana.domain.events import CandidatesCompared
from karkhana.workspace.memory import TemporaryWorkspace

_JUDGED = 5
"""Classes per ticket that are judged, the most probable first."""
_SEED = 4711
_SUITE_S = 150.0
Verdict = Mapping[str, Any]
Case = tuple[str, str, Callable[[], tuple[list[dict[str, Any]], Callable[[str], Verdict]]]]
"""(name, library, function that runs the engineer: candidates of the last comparison, and the judge of a patch)."""


def considered(files: Mapping[str, str], ticket: str, command: str, seconds: float) -> list[dict[str, Any]]:
    """The classes that the engineer considered on a plain folder."""
    with TemporaryWorkspace(files) as workspace:
        _, _, trail = work_directly(workspace, ticket, tuple(command.split()), seconds)
    compared = [event for event in trail.events if isinstance(event, CandidatesCompared)]
    return [msgspec.to_builtins(candidate) for candidate in compared[-1].candidates] if compared else []


def reported_cases(options: argparse.Namespace) -> Iterator[Case]:
    """Delivered changes of reports that ``benchmarks.history --direct --json`` printed, judged there already."""
    for path in options.reports:
        for line in path.read_text().splitlines():
            found = json.loads(line)
            for row in found.get("cases", [found]):
                compared = [e for e in row.get("events") or () if e.get("type") == "candidates.compared"]
                if not row["abstained"] and compared and compared[-1].get("candidates"):
                    name = row["name"].replace("@", "@report-")
                    yield name, row["name"].split("@")[0], _reported(compared[-1]["candidates"][:1], row)


def _reported(candidates: list[dict[str, Any]], row: Mapping[str, Any]) -> Callable[[], Any]:
    return lambda: (candidates, lambda _: row)


def history_cases(options: argparse.Namespace) -> Iterator[Case]:
    repositories = libraries(options.dataset)
    # Shuffled, so that a part of the tickets is a sample of all libraries.
    for ticket in sorted(load(options.tickets, "develop"), key=lambda t: hashlib.sha256(t["fix"].encode()).digest()):
        if ticket["library"] in repositories:
            yield f"{ticket['library']}@{ticket['fix'][:12]}", ticket["library"], _history(options, ticket)


def _history(options: argparse.Namespace, ticket: dict[str, Any]) -> Callable[[], Any]:
    def run() -> Any:
        git_dir = libraries(options.dataset)[ticket["library"]]
        python = environment(ticket["library"], data_folder(DATA))
        history = History(git_dir, ticket["library"])
        words = ["--repository", str(git_dir), "--python", str(python), "--seconds", str(options.seconds)]
        command = [sys.executable, "-m", "benchmarks.history_direct", *words]
        ended = bounded(command, stdin=json.dumps(ticket), cpu_s=90.0, wall_s=300.0)
        lines = ended.stdout.strip().splitlines()
        said = json.loads(lines[-1]) if lines and not ended.stopped else {}
        compared = [e for e in said.get("events", ()) if e.get("type") == "candidates.compared"]
        candidates = compared[-1]["candidates"] if compared else []
        if options.later_suite:
            judge = Judge(history, git_dir, ticket, python)
            return candidates, lambda patch: judge.verdict(replay(history.broken(ticket), patch))
        return candidates, lambda patch: quick_verdict(history, ticket, python, patch)

    return run


def quick_verdict(history: History, ticket: Mapping[str, Any], python: Path, patch: str) -> Verdict:
    """As the benchmark's judge, without the tests of later commits: several suites a row."""
    broken, human = history.broken(ticket), history.repaired(ticket)
    ours = {path: data for path, data in (dict(broken) | dict(replay(broken, patch))).items() if data is not None}
    if same_code(ours, human):
        return {"right": True, "judged": "same code"}
    if not suite(ours, python, tuple(shlex.split(ticket["command"])), _SUITE_S).green:
        return {"right": False, "judged": "its own tests fail"}
    return Trees(broken, human, ours, ticket["tests"], python).compare()


def seeded_cases(options: argparse.Namespace) -> Iterator[Case]:
    found = libraries_of(options.dataset)
    kept = options.cases or options.out / f"seeded-{options.seed}.json"
    with tempfile.TemporaryDirectory(prefix="rows-") as scratch:
        for number, case in enumerate(drawn(found, Path(scratch), options.seed, kept)):
            yield f"seeded-{kept.stem}-{number}", case.repository, _seeded(options, found[case.repository], case)


def _seeded(options: argparse.Namespace, library: Library, case: SeededCase) -> Callable[[], Any]:
    files, original = library.with_bug(case), library.texts[case.module]

    def judge(patch: str) -> Verdict:
        return judged(files, case.module, original, _after(files, patch, case.module), library.tests)

    return lambda: (considered(files, ticket_of(case), library.tests, options.seconds), judge)


def humanevalfix_cases(options: argparse.Namespace) -> Iterator[Case]:
    odd = list(enumerate(humanevalfix.cases(options.dataset.resolve()), 1))[::2]
    for number, case in sorted(odd, key=lambda pair: hashlib.sha256(str(pair[0]).encode()).digest()):
        yield f"humanevalfix-{number}", "humanevalfix", _humanevalfix(options, case)


def _humanevalfix(options: argparse.Namespace, case: dict[str, Any]) -> Callable[[], Any]:
    files, module = humanevalfix.repository_files(case), f"{case['entry_point']}_module.py"

    def judge(patch: str) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="rows-") as scratch:
            return humanevalfix.judge(case, _after(files, patch, module), Path(scratch))

    ticket, command = humanevalfix.ticket_of(case), "python -m pytest -q"
    return lambda: (considered(files, ticket, command, options.seconds), judge)


def _after(files: Mapping[str, str], patch: str, module: str) -> str:
    changed = replay({path: text.encode() for path, text in files.items()}, patch)
    return (changed.get(module) or files[module].encode()).decode()


def rows_of(name: str, library: str, source: str, run: Callable[[], Any]) -> list[dict[str, Any]]:
    """One row per judged class of one ticket."""
    candidates, judge = run()
    rows = []
    for position, candidate in enumerate(candidates[:_JUDGED]):
        verdict = judge(candidate["patch"])
        kept = {key: candidate[key] for key in ("kind", "place", "alike", "probability", "features", "patch")}
        told = {"right": bool(verdict.get("right")), "judged": str(verdict.get("judged", verdict))[:200]}
        rows.append({"ticket": name, "library": library, "source": source, "position": position} | kept | told)
    return rows


SOURCES: dict[str, Callable[[argparse.Namespace], Iterator[Case]]] = {
    "history": history_cases,
    "reports": reported_cases,
    "seeded": seeded_cases,
    "humanevalfix": humanevalfix_cases,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--source", choices=tuple(SOURCES), required=True)
    parser.add_argument("--tickets", type=Path, default=DATA / "tickets")
    parser.add_argument("--out", type=Path, default=DATA / "probability")
    parser.add_argument("--cases", type=Path, help="seeded bugs drawn before, as benchmarks.seeded keeps them")
    parser.add_argument("--seed", type=int, default=_SEED, help="of the seeded bugs")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--reports", type=Path, nargs="*", default=[], help="files of the history benchmark's output")
    parser.add_argument("--later-suite", action="store_true", help="judge mined tickets by tests of later commits too")
    parser.add_argument("--seconds", type=float, default=60.0, help="wall-clock seconds for the engineer")
    options = parser.parse_args()
    folder = options.out / ("history" if options.source == "reports" else options.source)
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    for name, library, run in SOURCES[options.source](options):
        path = folder / (name.replace("/", "+") + ".json")
        if path.exists():
            continue
        if done >= options.limit:
            break
        done += 1
        begun = time.monotonic()
        try:
            rows = rows_of(name, library, folder.name, run)
        except Exception as error:  # one ticket that cannot be judged must not cost the others
            print(f"{name}: left out: {error!r}", file=sys.stderr, flush=True)
            continue
        path.write_text(json.dumps(rows, indent=1))
        words = " ".join(f"{'right' if r['right'] else 'wrong'}({r['probability']:.2f})" for r in rows)
        print(f"{name:<52} {time.monotonic() - begun:>6.1f} s  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
