"""Mines real tickets from git histories: commits whose tests fail on the parent and pass on the commit.

    python -m benchmarks.mine --dataset DIR --out DIR [--per-library 10] [--library OWNER/NAME] [--index FILE] [--json]

DIR of ``--dataset`` holds a git repository (bare or not) for each library, named OWNER+NAME or OWNER+NAME/repo. A
ticket is a commit (no merge, no pure feature, typing, documentation or style) with tests and at most 25 changed lines
of code in at most three sources; both states are really run. The older half of each library's tickets is written to
OUT/develop, the newer one to OUT/blind. ``--index`` writes the facts of all that OUT holds (library, fix, half) to a
file. Runs code of the libraries without a sandbox: only for libraries that you trust.
"""

import argparse
import os
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common import data_folder, emit
from benchmarks.mine_commits import CONFIGURATION, candidates, in_order
from benchmarks.mine_tickets import History, Ticket, environment, halves, load, make, place, store

DATA = Path(".benchmarks")
_SINCE = "2018-01-01"
_TRIES = 6
"""Commits run for each ticket that is wanted, before a library is given up."""


def libraries(dataset: Path) -> dict[str, Path]:
    """OWNER/NAME → git directory of everything in the data set that is a library."""
    found: dict[str, Path] = {}
    for folder in sorted(dataset.iterdir()):
        name = folder.name.replace("+", "/", 1)
        for git_dir in (folder / "repo", folder / "repo" / ".git", folder, folder / ".git"):
            if "/" in name and name not in CONFIGURATION["skip"] and (git_dir / "objects").is_dir():
                found[name] = git_dir
                break
    return found


def mine(
    library: str, repository: Path, count: int, python: Path, since: str = _SINCE
) -> tuple[list[Ticket], Counter[str]]:
    """Up to ``count`` tickets of one library, and how often a commit was none, by the reason."""
    history, reasons, tickets, tried = History(repository, library), Counter[str](), list[Ticket](), 0
    slow: Counter[str] = Counter()
    for commit in in_order(candidates(repository, since), library):
        if len(tickets) >= count or tried >= count * _TRIES:
            break
        found = "too slow" if any(slow[path] > 1 for path in commit.tests) else history.nature(commit)
        if isinstance(found, str):
            reasons[found] += 1
            continue
        tried += 1
        ticket = make(history, library, commit, found, python)
        word = ticket if isinstance(ticket, str) else f"ticket: {found.kind}, {found.lines} lines"
        print(f"  {library} {commit.fix[:10]} {commit.date} {word}", file=sys.stderr, flush=True)
        if isinstance(ticket, str):
            reasons[ticket] += 1
            slow.update(commit.tests if ticket == "too slow" else ())
        else:
            tickets.append(ticket)
    return halves(tickets), reasons


def index_text(tickets: list[Ticket]) -> str:
    """The facts by which the same tickets can be made again."""
    lines = [
        "# Real bugs of open-source libraries: the commits that fixed them, mined by benchmarks/mine.py (tests fail on",
        "# the parent and pass on the commit). The older half of each library is for developing, the newer is blind.",
    ]
    for ticket in sorted(tickets, key=lambda t: (t["library"], t["date"], t["fix"])):
        lines += ["", "[[ticket]]"]
        lines += [f'{key} = "{ticket[key]}"' for key in ("library", "fix", "date", "half")]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DATA / "tickets")
    parser.add_argument("--per-library", type=int, default=10)
    parser.add_argument("--library", action="append", default=[], help="OWNER/NAME; all when absent")
    parser.add_argument("--since", default=_SINCE, help="date; older commits seldom run on today's Python")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.nice(10)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    tickets: list[Ticket] = []
    reasons: dict[str, Any] = {}
    for library, repository in libraries(options.dataset).items():
        if options.library and library not in options.library:
            continue
        python = environment(library, data_folder(DATA))
        found, why = mine(library, repository, options.per_library, python, options.since)
        for old in options.out.glob(f"*/{library.replace('/', '+')}-*.json"):
            old.unlink()
        for ticket in found:
            store(options.out, ticket)
        print(f"{library}: {len(found)} tickets; none: {dict(why)}", file=sys.stderr, flush=True)
        tickets += found
        reasons[library] = dict(why)
    if options.index:
        options.index.write_text(index_text([*load(options.out, "develop"), *load(options.out, "blind")]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "total": len(tickets),
        "libraries": len({t["library"] for t in tickets}),
        "develop": sum(t["half"] == "develop" for t in tickets),
        "blind": sum(t["half"] == "blind" for t in tickets),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
        "kinds": dict(Counter(t["kind"] for t in tickets).most_common()),
        "refused": reasons,
        "tickets": [str(place(options.out, t)) for t in tickets],
    }
    emit("Mined tickets", figures, as_json=options.json)


if __name__ == "__main__":
    main()
