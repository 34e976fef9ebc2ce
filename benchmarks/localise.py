"""How high localisation alone ranks the function that people then changed, on mined tickets.

    python -m benchmarks.localise --dataset DIR --tickets DIR [--half develop] [--words ticket|report]
                                  [--skip N] [--limit N] [--dump FILE] [--json]

TICKETS is what ``benchmarks.mine`` wrote. For each ticket the failing tests are traced once, and the rank of the best
of the functions that the human fix changed is taken: with all signals, with Ochiai alone, and with each signal left
out. Fixes outside of functions count as not found. ``--dump`` keeps the values of all signals for fitting weights.
Runs code of the libraries as plain processes: only for libraries that you trust.
"""

import argparse
import json
import resource
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import data_folder, emit
from benchmarks.mine import DATA, libraries
from benchmarks.mine_tickets import History, OfflineWorkspace, environment
from karkhana.behaviour.running import ProbeFailed, pytest_arguments
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.domain.tools import CommandResult
from karkhana.engineers.symbolic.localisation.localise import localise, shipped_weights
from karkhana.engineers.symbolic.localisation.targets import choose_targets
from karkhana.git import Repository
from karkhana.git.recency import recent_lines

EVERY = 10_000
TOPS = (1, 3, 10)
Values = dict[str, float]


def traced(files: Mapping[str, bytes], python: Path, command: tuple[str, ...]) -> Spectrum:
    """The spectrum of a ticket's tests. Raises ``ProbeFailed``."""
    with OfflineWorkspace(dict(files), python=str(python)) as workspace:

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

        return measure(run, arguments=pytest_arguments(command), limit_s=2.0, seconds=60.0)


def suspicion(
    spectrum: Spectrum, words: str, files: Mapping[str, bytes], recent: Mapping[str, Mapping[int, int]]
) -> list[tuple[str, Values]]:
    """``path::Class.function`` and the values of all signals, of every function that target tests run."""
    targets = choose_targets(spectrum, words).chosen

    def read(path: str) -> str | None:
        return files[path].decode("utf-8", "replace") if path in files else None

    tests = [spectrum.tests[n].name for n in targets[:6]]
    suspects = localise(
        spectrum, targets, words, EVERY, read=read, test_text=sources_of(spectrum, tests, read), recent=recent
    )
    return [(f"{s.path}::{s.place.qualified}", {r.signal: r.value for r in s.reasons}) for s in suspects]


def sources_of(spectrum: Spectrum, tests: Sequence[str], read: Any) -> str:
    """The text of some tests."""
    found: dict[str, None] = {}
    for name in tests:
        path, _, rest = name.partition("::")
        function = rest.split("[")[0].rsplit("::", 1)[-1]
        place = next((p for p in spectrum.functions.get(path, ()) if p.name == function), None)
        if place is not None:
            found["".join((read(path) or "").splitlines(keepends=True)[place.top - 1 : place.end])] = None
    return "\n".join(found)


def rank_of(table: Sequence[tuple[str, Values]], wanted: Sequence[str], weights: Mapping[str, float]) -> int | None:
    """Rank (from 1; ties share the last place) of the best wanted function; ``None`` when there is none."""
    scores = {name: sum(weights.get(signal, 0.0) * v for signal, v in values.items()) for name, values in table}
    best = max((scores[name] for name in wanted if name in scores), default=None)
    return None if best is None else sum(score >= best - 1e-9 for score in scores.values())


def summary(ranks: Sequence[int | None]) -> dict[str, Any]:
    """Shares of the top places, over all cases, and the mean reciprocal rank."""
    total = max(1, len(ranks))
    found: dict[str, Any] = {f"top_{n}": sum(r is not None and r <= n for r in ranks) for n in TOPS}
    found["mean_reciprocal_rank"] = round(sum(1 / r for r in ranks if r is not None) / total, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--half", choices=("develop", "blind"), default="develop")
    parser.add_argument("--words", choices=("ticket", "report"), default="ticket")
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    places, rows, tables = libraries(options.dataset), [], []
    paths = sorted((options.tickets / options.half).glob("*.json"), key=lambda p: p.stem.rsplit("-", 1)[-1])
    for path in paths[options.skip :][: options.limit]:
        ticket = json.loads(path.read_text())
        repository = places[ticket["library"]]
        files = History(repository, ticket["library"]).broken(ticket)
        python = environment(ticket["library"], data_folder(DATA))
        row: dict[str, Any] = {"ticket": path.stem, "functions": ticket["functions"], "rank": None}
        try:
            spectrum = traced(files, python, tuple(shlex.split(ticket["command"])))
            recent = recent_lines(Repository(repository, repository, repository), ticket["parent"])
            table = suspicion(spectrum, ticket[options.words], files, recent)
        except ProbeFailed as error:
            row["note"] = error.message
            table = []
        row |= {"rank": rank_of(table, ticket["functions"], shipped_weights()), "suspects": len(table)}
        rows.append(row)
        tables.append((table, ticket["functions"]))
        print(json.dumps(row), file=sys.stderr, flush=True)
    if options.dump is not None:
        options.dump.write_text(json.dumps(tables))
    weights = shipped_weights()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "total": len(rows),
        **summary([row["rank"] for row in rows]),
        "median_suspects": statistics.median(row["suspects"] for row in rows) if rows else None,
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "ochiai_alone": summary([rank_of(t, f, {"ochiai": 1.0}) for t, f in tables]),
        "without": {
            name: summary([rank_of(t, f, {n: w for n, w in weights.items() if n != name}) for t, f in tables])
            for name in weights
        },
        "cases": rows,
    }
    emit("Localisation", figures, as_json=options.json)


if __name__ == "__main__":
    main()
