"""Tickets that nothing should be delivered for, through the full line: is each refused, with a reason and a next step?

    python -m benchmarks.hopeless [--dataset DIR] [--only TEXT] [--json]

The tickets of ``hopeless.toml`` are about small made repositories and, with ``--dataset``, about fetched libraries
(named OWNER+NAME or OWNER+NAME/repo below DIR). *Delivered* is any run that hands over a change, even one that would
wait for a person.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.common import data_folder, emit, git, run_ticket, small_repository
from benchmarks.mine import DATA, libraries


def repository(name: str, made: dict[str, Any], fetched: dict[str, Path], folder: Path) -> Path | None:
    """A fresh repository for a ticket; ``None`` when its library was not fetched."""
    if name in made:
        return small_repository(folder, {path: text.lstrip("\n") for path, text in made[name].items()})
    if name not in fetched:
        return None
    subprocess.run(["git", "clone", "--quiet", fetched[name], folder], check=True, capture_output=True)
    git(folder, "remote", "remove", "origin")
    return folder


def measure(ticket: dict[str, str], folder: Path, home: Path) -> dict[str, Any]:
    """One ticket: a row of the report."""
    result = run_ticket(folder, ticket["text"].strip(), home=home, timeout_s=120.0)
    error = result.get("error") or {}
    reason = str(result.get("reason") or error.get("message") or "")
    step = str(result.get("next") or error.get("next") or "")
    return {
        "name": f"{ticket['repository']}: {ticket['text'].strip().splitlines()[0]}",
        "why": ticket["why"],
        "delivered": bool(result.get("diff")),
        "diff": result.get("diff", ""),
        "status": result.get("status", "error"),
        "reason": reason,
        "next": step,
        "explained": bool(reason and step),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--only", default="", help="part of a case's name or of what makes it hopeless")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    fetched = libraries(options.dataset) if options.dataset else {}
    home = data_folder(options.data) / "hopeless-home"
    rows = []
    with tempfile.TemporaryDirectory(prefix="karkhana-hopeless-") as temporary:
        for number, ticket in enumerate(data["ticket"]):
            label = f"{ticket['repository']}: {ticket['text']} {ticket['why']}"
            if options.only not in label:
                continue
            folder = repository(ticket["repository"], data["made"], fetched, Path(temporary) / str(number))
            if folder is None:
                print(f"{ticket['repository']}: not fetched, left out", file=sys.stderr)
                continue
            row = measure(ticket, folder, home)
            rows.append(row)
            word = "DELIVERED" if row["delivered"] else "refused" if row["explained"] else "UNEXPLAINED"
            print(
                f"{row['name'][:60]:<60} {word:<11} {row['reason'][:300]} | {row['next'][:200]}",
                file=sys.stderr,
                flush=True,
            )
            if row["delivered"]:
                print(row["diff"], file=sys.stderr)
    figures = {
        "total": len(rows),
        "delivered": sum(r["delivered"] for r in rows),
        "explained": sum(r["explained"] for r in rows),
        "cases": rows,
    }
    emit("Hopeless tickets", figures, as_json=options.json)


if __name__ == "__main__":
    main()
