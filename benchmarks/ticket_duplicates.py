"""What duplicate suggestions catch on real bug reports that people marked as duplicates.

    python -m benchmarks.ticket_duplicates --dataset DIR --json

``--dataset``: a folder with
SigmaJahan/Towards-Understanding-the-Impacts-of-Textual-Dissimilarity-on-Duplicate-Bug-Report- Detection as
OWNER+NAME/repo: pairs of reports of Eclipse, Firefox and Firefox for mobile, those whose texts are alike and those
whose texts are not, in the share that they were found in (Jahan and Rahman, ICSE 2023; GPL-3.0, read only). Each
report is held against all others of its project. ``caught``: the report that it duplicates is suggested.
``precision``: of the suggestions for such reports, those that are right. ``false_alarms``: tickets for which
something is suggested although what they duplicate is not there. ``usual_precision``: of all tickets that get a
suggestion, those where it is right, when one in five tickets is a duplicate. The threshold was chosen on Firefox
alone.
"""

import argparse
import ast
import csv
import io
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source
from karkhana.intake.likeness import THRESHOLD, Shelf, Sketch, sketch

REPOSITORY = "SigmaJahan/Towards-Understanding-the-Impacts-of-Textual-Dissimilarity-on-Duplicate-Bug-Report-Detection"
PROJECTS = ("Firefox", "Eclipse", "Mobile")
DUPLICATES = 0.2
"""Share of tickets that are duplicates, for ``usual_precision``."""


class Reports:
    """A project's reports and which belong together."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._group: dict[str, str] = {}

    def pair(self, one: str, other: str) -> None:
        """Two reports are of the same."""
        first, second = self.group(one), self.group(other)
        for name in (one, other, *(name for name, group in self._group.items() if group in (first, second))):
            self._group[name] = first

    def group(self, name: str) -> str:
        """The name of the group that a report belongs to."""
        return self._group.get(name, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--curve", action="store_true", help="the first project at many thresholds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    source = find_source(options.dataset, REPOSITORY)
    if source is None:
        raise SystemExit(f"{options.dataset} does not hold {REPOSITORY}")
    if options.curve:
        reports = _reports(source, PROJECTS[0])
        for step in range(25, 80, 5):
            print(step / 100, _measured(reports, step / 100), file=sys.stderr)
        return
    table: dict[str, Any] = {"threshold": options.threshold}
    for project in PROJECTS:
        figures = _measured(_reports(source, project), options.threshold)
        table |= {f"{project.lower()}_{name}": value for name, value in figures.items()}
    emit("duplicate suggestions", table, as_json=options.json)


def _reports(source: Path, project: str) -> Reports:
    csv.field_size_limit(10**8)
    reports = Reports()
    for alike in ("similar", "dissimilar"):
        name = f"Manual Analysis/{project}_textually_{alike}_pair.csv"
        shown = subprocess.run(["git", "--git-dir", source, "show", f"HEAD:{name}"], capture_output=True, check=True)
        for row in csv.DictReader(io.StringIO(shown.stdout.decode("utf-8", "replace"))):
            one, other = (str(row[key]).removesuffix(".0") for key in ("Bug ID", "Duplicate_Bug_Ids"))
            reports.texts[one] = f"{_text(row['Summary1'])}\n\n{_text(row['description1'])}"
            reports.texts[other] = f"{_text(row['summary2'])}\n\n{_text(row['description2'])}"
            reports.pair(one, other)
    return reports


def _text(cell: str) -> str:
    """What the list in a cell says."""
    try:
        found = ast.literal_eval(cell)
    except (SyntaxError, ValueError):
        return cell
    return " ".join(map(str, found)) if isinstance(found, list) else str(found)


def _measured(reports: Reports, threshold: float) -> dict[str, Any]:
    shelf = Shelf(most=100_000)
    sketches: dict[str, Sketch] = {name: sketch(text) for name, text in reports.texts.items()}
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name, each in sketches.items():
        shelf.put(name, each)
        groups[reports.group(name)].add(name)
    caught = first = said = right = alarms = suggested = 0
    for name, each in sketches.items():
        same = groups[reports.group(name)]
        found = [alike.task_id for alike in shelf.like(each, without=(name,), threshold=threshold)]
        caught += any(other in same for other in found)
        first += bool(found) and found[0] in same
        suggested += bool(found)
        said += len(found)
        right += sum(other in same for other in found)
        alarms += bool(shelf.like(each, without=same, threshold=threshold))
    number = len(sketches)
    usual = DUPLICATES * first / number
    wrong = DUPLICATES * (suggested - first) / number + (1 - DUPLICATES) * alarms / number
    return {
        "reports": number,
        "caught": round(caught / number, 3),
        "precision": round(right / said, 3) if said else None,
        "false_alarms": round(alarms / number, 4),
        "usual_precision": round(usual / (usual + wrong), 3) if usual + wrong else None,
    }


if __name__ == "__main__":
    main()
