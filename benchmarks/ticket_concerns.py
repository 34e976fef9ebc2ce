"""Whether the files that a ticket is said to be about are those that its fix changed.

    python -m benchmarks.ticket_concerns --dataset DIR --json [--limit 25] [--repositories 12]

``--dataset``: a folder of repositories OWNER+NAME/repo, bare or not. A ticket is a fix's message, without trailers
and the names of files, as in the histories of :mod:`benchmarks.mine`; what it is held against are the source files,
tests apart, that the commit changed (at most three), in the tree of its parent. ``said`` is the share of tickets with
any file of confidence 0.5 or more, ``said_right`` how many of these files were changed.
"""

import argparse
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source
from karkhana.engineers.llm.repository_map import is_test
from karkhana.factory.concerns import surroundings
from karkhana.git import Repository

FIX = re.compile(r"\b(?:fix(?:es|ed)?|bug|crash|wrong|incorrect|regress\w*|raises?|error)\b", re.IGNORECASE)
FILES_MAX = 3
TREE_MAX = 3_000
SURE = 0.5
_TRAILER = re.compile(r"^(?:[A-Z][\w-]+-by: .*|Change-Id: .*|\(cherry picked .*)$", re.MULTILINE)
_FILE = re.compile(r"\b[\w/.-]+\.py\b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=25, help="tickets of each repository")
    parser.add_argument("--repositories", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    totals = {"tickets": 0, "first": 0, "among_three": 0, "among_five": 0, "said": 0, "said_files": 0, "said_right": 0}
    used = 0
    for place in sorted(options.dataset.iterdir()):
        source = find_source(options.dataset, place.name) if "+" in place.name else None
        found = _fixes(source, options.limit) if source is not None and used < options.repositories else []
        if source is None or len(found) < options.limit // 2:
            continue
        used += 1
        repository = Repository.open(source, bare=True)
        for commit, text, changed in found:
            _count(totals, repository, commit, text, changed)
    number = max(1, totals["tickets"])
    table: dict[str, Any] = {"repositories": used, "tickets": totals["tickets"]}
    table |= {name: round(totals[name] / number, 3) for name in ("first", "among_three", "among_five", "said")}
    table["said_right"] = round(totals["said_right"] / max(1, totals["said_files"]), 3)
    emit("files that tickets are about", table, as_json=options.json)


def _count(totals: dict[str, int], repository: Repository, commit: str, text: str, changed: set[str]) -> None:
    concerns = surroundings(repository, f"{commit}^", text).concerns
    paths = [each.path for each in concerns]
    sure = [each.path for each in concerns if each.confidence >= SURE]
    totals["tickets"] += 1
    totals["first"] += bool(changed.intersection(paths[:1]))
    totals["among_three"] += bool(changed.intersection(paths[:3]))
    totals["among_five"] += bool(changed.intersection(paths[:5]))
    totals["said"] += bool(sure)
    totals["said_files"] += len(sure)
    totals["said_right"] += sum(path in changed for path in sure)


def _fixes(source: Path, limit: int) -> list[tuple[str, str, set[str]]]:
    words = [
        "git",
        "-C",
        str(source),
        "log",
        "--no-merges",
        "--max-count=1500",
        "--name-only",
        "--format=%x00%H%x01%B%x01",
    ]
    log = subprocess.run(words, capture_output=True, check=False).stdout.decode("utf-8", "replace")
    found = []
    for entry in log.split("\0")[1:]:
        commit, message, names = entry.split("\x01")
        changed = [name for name in names.split("\n") if name.endswith(".py")]
        code = {name for name in changed if not is_test(name) and not name.startswith(("docs/", "doc/", "examples/"))}
        text = _FILE.sub("", _TRAILER.sub("", message)).strip()
        if (
            FIX.search(text.partition("\n")[0])
            and len(text) > 40
            and 0 < len(code) <= FILES_MAX
            and len(changed) > len(code)
        ):
            found.append((commit, text, code))
        if len(found) == limit:
            break
    return found


if __name__ == "__main__":
    main()
