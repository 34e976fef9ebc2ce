"""Real bugs from git histories through the full line: what is delivered, and whether it is as good as the real fix.

    python -m benchmarks.history --dataset DIR [--half develop|blind] [--library OWNER/NAME] [--limit N] [--json]
                                 [--direct [--base-url URL]] [--words ticket|report] [--tickets DIR]

DIR of ``--dataset`` holds a git repository for each library, as for :mod:`benchmarks.mine`, whose tickets are read from
``--tickets``; those of ``history.toml`` that are not there are made again. A case starts from the fix's parent with
the fix's tests; its ticket is the fix's message, or with ``--words report`` only what the failing tests print. It may
use 60 CPU seconds, the environment's preparation apart; what is not done by then counts as abstained. ``--direct`` asks
the engineer alone, without line and sandbox (libraries that you trust).

*Passing*: the change makes the ticket's test files pass. *Right*: see :mod:`benchmarks.history_judge`. A passing change
that is not right is *disputed*: it counts as wrong, and is listed with both patches for a person's eye.
"""

import argparse
import json
import os
import statistics
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import data_folder, emit
from benchmarks.history_attempts import directly, through_line
from benchmarks.history_judge import Judge, patch_between, replay
from benchmarks.mine import DATA, libraries
from benchmarks.mine_code import functions_at
from benchmarks.mine_commits import commit_of
from benchmarks.mine_tickets import History, Ticket, environment, load, make, place, store
from karkhana.engineers.symbolic.choice.probability import load_model

_OVER = 0.9


class Bench:
    """Runs tickets, each from a state of its own."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.repositories = libraries(options.dataset)
        self._shared = data_folder(options.data) / "history-home"

    def tickets(self) -> list[Ticket]:
        """The stored tickets of the half; those of the index that are missing are made first."""
        options = self.options
        entries = tomllib.loads(options.index.read_text()).get("ticket", []) if options.index.exists() else []
        for entry in entries:
            wanted = entry["half"] == options.half and entry["library"] in self.repositories and self._chosen(entry)
            if wanted and not place(options.tickets, entry).exists():
                self._make_again(entry)
        found = [t for t in load(options.tickets, options.half) if t["library"] in self.repositories]
        return spread([t for t in found if self._chosen(t)], options.each)[: options.limit]

    def _chosen(self, entry: Mapping[str, Any]) -> bool:
        options = self.options
        return (not options.library or entry["library"] in options.library) and options.only in entry["fix"]

    def _make_again(self, entry: Mapping[str, Any]) -> None:
        library, repository = entry["library"], self.repositories[entry["library"]]
        history, commit = History(repository, library), commit_of(repository, entry["fix"])
        found = history.nature(commit) if commit else "no candidate"
        ticket = found
        if commit and not isinstance(found, str):
            ticket = make(history, library, commit, found, self._python(library))
        if not isinstance(ticket, dict):
            print(f"{library} {entry['fix'][:10]}: {ticket}, left out", file=sys.stderr)
            return
        store(self.options.tickets, {**ticket, "half": entry["half"]})

    def _python(self, library: str) -> Path:
        return environment(library, data_folder(self.options.data))

    def _model(self) -> tuple[str, ...]:
        """What names a model to the engineer that works directly."""
        options = self.options
        if not options.base_url:
            return ()
        kept = ("--kept", str(options.kept)) if options.kept else ()
        return ("--base-url", options.base_url, "--answers", str(options.answers), *kept)

    def _alone(self, row: Mapping[str, Any], judge: Judge, broken: Mapping[str, bytes]) -> dict[str, Any]:
        """What the templates alone had come to in the same attempt, before the model was asked first."""
        events = row.get("events") or []
        asked = next((n for n, event in enumerate(events) if event.get("type") == "model.answered"), None)
        if asked is None:
            return {key: row[key] for key in ("abstained", "passing", "right", "probability")}
        compared = [event for event in events[:asked] if event.get("type") == "candidates.compared"]
        best = (compared[-1].get("candidates") or [None])[0] if compared else None
        stated = best.get("probability") if best else None
        found = {"abstained": True, "passing": False, "right": False, "probability": stated}
        if best is None or stated is None or stated < load_model().threshold:
            return found
        verdict = judge.verdict(replay(broken, best["patch"]))
        return found | {"abstained": False, "passing": verdict["passing"], "right": verdict["right"]}

    def measure(self, ticket: Ticket) -> dict[str, Any]:
        """One ticket: a row of the report."""
        library = ticket["library"]
        git_dir = self.repositories[library]
        history, python = History(git_dir, library), self._python(library)
        row: dict[str, Any] = {"name": name_of(ticket), "kind": ticket["kind"]}
        row |= {"lines": ticket["changed_lines"], "passing": False, "right": False, "score": None, "probability": None}
        how: dict[str, Any] = {"seconds": self.options.seconds, "words": self.options.words}
        if self.options.direct:
            changes, told = directly(ticket, git_dir, python, **how, model=self._model())
        else:
            changes, told = through_line(ticket, git_dir, python, **how, shared=self._shared)
        row |= told | {"abstained": changes is None}
        broken = history.broken(ticket)
        row["localised"] = localised(row["events"], ticket["functions"], broken) if row.get("events") else None
        judge = Judge(history, git_dir, ticket, python)
        if changes is not None:
            row |= judge.verdict(changes)
            human = history.repaired(ticket)
            row["diff"] = patch_between(broken, {p: d for p, d in {**broken, **changes}.items() if d is not None})
            row["human"] = patch_between(broken, human)
            row["disputed"] = row["passing"] and not row["right"]
        row["outcome"] = outcome_of(row, ticket)
        if self.options.base_url:
            row["alone"] = self._alone(row, judge, broken)
        return row


def name_of(ticket: Mapping[str, Any]) -> str:
    return f"{ticket['library']}@{ticket['fix'][:10]}"


def kept_rows(file: Path | None, tickets: list[Ticket]) -> list[dict[str, Any]]:
    """The cases that an earlier, interrupted run finished."""
    if file is None or not file.exists():
        return []
    names = {name_of(ticket) for ticket in tickets}
    return [row for row in map(json.loads, file.read_text().splitlines()) if row["name"] in names]


def spread(tickets: list[Ticket], each: int | None) -> list[Ticket]:
    """At most ``each`` tickets of each library, evenly over its years."""
    found = []
    for library in dict.fromkeys(ticket["library"] for ticket in tickets):
        own = [ticket for ticket in tickets if ticket["library"] == library]
        count = min(each or len(own), len(own))
        found += [own[n * len(own) // count] for n in range(count)]
    return found


def outcome_of(row: Mapping[str, Any], ticket: Ticket) -> str:
    """One class of outcome: ``right``, ``wrong: …`` or ``abstained: …`` with its cause."""
    if row["right"]:
        return "right"
    if not row["abstained"]:
        return "wrong: " + str(row.get("judged", "fails"))
    if row["stopped"]:
        return f"abstained: {row['stopped']} limit"
    if row["crashed"] or "gave no answer" in row["reason"]:
        return "abstained: crashed"
    before = row.get("failing_before")
    if row["reason"].startswith("environment") or (before is not None and not set(ticket["failing"]) & set(before)):
        return "abstained: environment"
    if row.get("localised") is False:
        return "abstained: not localised"
    if any(event.get("type") == "candidates.compared" for event in row.get("events") or ()):
        return "abstained: not convinced"
    return "abstained: nothing passes" if row.get("events") is not None else "abstained"


def localised(events: list[dict[str, Any]], functions: list[str], files: Mapping[str, bytes]) -> bool:
    """Whether a change was tried in a function of the fix, or in the file where the fix is outside of functions."""
    for event in events:
        path, _, line = str(event.get("place", "")).rpartition(":")
        if f"{path}::" in functions:
            return True
        if path in files and line.isdigit():
            names = functions_at(files[path].decode("utf-8", "replace"), {int(line)})
            if any(f"{path}::{name}" in functions for name in names):
                return True
    return False


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of the report."""
    delivered = [row for row in rows if not row["abstained"]]
    right = sum(row["right"] for row in rows)

    def sure(row: Mapping[str, Any]) -> bool:
        stated = row["probability"] if row["probability"] is not None else row["score"]
        return stated is not None and stated > _OVER

    over = [row for row in delivered if sure(row)]
    return {
        "total": len(rows),
        "passing": sum(row["passing"] for row in rows),
        "right": right,
        "abstained": len(rows) - len(delivered),
        "precision": round(right / len(delivered), 3) if delivered else None,
        "median_cpu_s": round(statistics.median(row["cpu_s"] for row in rows), 1) if rows else None,
        "highest_cpu_s": max((row["cpu_s"] for row in rows), default=None),
        "over_0_9": {"delivered": len(over), "right": sum(row["right"] for row in over)},
        "outcomes": dict(Counter(row["outcome"] for row in rows).most_common()),
        **({"alone": alone([row["alone"] for row in rows])} if rows and all("alone" in row for row in rows) else {}),
        "model": model_of(rows),
        "cases": rows,
    }


def alone(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The same figures for the templates without the model."""
    delivered = [row for row in rows if not row["abstained"]]
    right = sum(row["right"] for row in rows)
    precision = round(right / len(delivered), 3) if delivered else None
    return {"delivered": len(delivered), "right": right, "precision": precision}


def model_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the model did: answers, tokens, seconds, over all tickets."""
    used = [row["model"] for row in rows if row.get("model")]
    tokens = Counter[str]()
    for one in used:
        tokens.update(one["tokens"])
    seconds = sum(one["seconds"] for one in used)
    return {"answers": sum(one["answers"] for one in used), "tokens": dict(tokens), "seconds": round(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", "--dataset", dest="dataset", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA, help="folder for environments")
    parser.add_argument("--tickets", type=Path, default=DATA / "tickets")
    parser.add_argument("--index", type=Path, default=Path(__file__).with_suffix(".toml"))
    parser.add_argument("--half", choices=("develop", "blind"), default="develop")
    parser.add_argument("--library", action="append", default=[])
    parser.add_argument("--only", default="", help="part of a fix's commit name")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--each", type=int, help="tickets of each library at most")
    parser.add_argument("--seconds", type=float, default=45.0, help="wall-clock seconds for the engineer")
    parser.add_argument("--words", choices=("ticket", "report"), default="ticket")
    parser.add_argument("--rows", type=Path, help="append each case to this file, and go on after those in it")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--base-url", help="with --direct: the hybrid engineer, with a model of a server at this URL")
    parser.add_argument("--kept", type=Path, help="file of the model's answers")
    parser.add_argument("--answers", type=int, default=5, help="of the model for one ticket, at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bench = Bench(options)
    tickets = bench.tickets()
    rows = kept_rows(options.rows, tickets)
    done = {row["name"] for row in rows}
    for ticket in tickets:
        if name_of(ticket) in done:
            continue
        row = bench.measure(ticket)
        rows.append(row)
        if options.rows:
            with options.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(
            f"{row['name']:<44} {row['outcome']:<42} {row['cpu_s']:>5} s  {row['kind']}, {row['lines']} lines  "
            f"{row['reason'][:90]!r}",
            file=sys.stderr,
            flush=True,
        )
        if row.get("disputed"):
            print(f"--- ours\n{row['diff']}--- theirs\n{row['human']}", file=sys.stderr, flush=True)
    emit("Historical bugs", summary(rows), as_json=options.json)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
