"""Public tickets whose kind of work is known: labelled issues, and commits whose authors named the kind.

``--dataset``: a folder of repositories OWNER+NAME/repo, bare or not. Issues: nlbse2024/issue-report-classification
(3,000 issues of five projects, labelled bug, feature or question; questions are left out). Commits: the subjects of
every repository that writes them as "kind(scope): words" (Conventional Commits 1.0.0), with that prefix removed.
Nothing of the texts is kept.
"""

import csv
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import find_source

ISSUES = "nlbse2024/issue-report-classification"
ISSUE_FILES = ("data/issues_train.csv", "data/issues_test.csv")
OF_LABEL = {"bug": "bugfix", "feature": "feature"}
OF_PREFIX = {
    "fix": "bugfix",
    "feat": "feature",
    "refactor": "refactor",
    "test": "tests",
    "tests": "tests",
    "deps": "deps",
}
MOST = 400
"""Of one kind from one repository."""
LEAST = 40
"""Commits with a known kind that a repository must have."""
COMMITS = 12_000
_SUBJECT = re.compile(r"^([a-z]+)(?:\(([^)]{0,60})\))?!?: +(\S.{5,300})$")
_NUMBER = re.compile(r"\d+|\(#\d+\)")


class Labelled(NamedTuple):
    """A ticket whose kind is known."""

    source: str
    """The repository it belongs to."""
    kind: str
    text: str


def issues(dataset: Path) -> Iterator[Labelled]:
    """Labelled issues; none when the data set does not hold them."""
    source = find_source(dataset, ISSUES)
    csv.field_size_limit(10**8)
    for name in ISSUE_FILES if source else ():
        shown = subprocess.run(
            ["git", "--git-dir", str(source), "show", f"HEAD:{name}"], capture_output=True, check=True
        )
        for row in csv.DictReader(io.StringIO(shown.stdout.decode("utf-8", "replace"))):
            if row["label"] in OF_LABEL:
                yield Labelled(row["repo"], OF_LABEL[row["label"]], f"{row['title']}\n\n{row['body']}")


def commits(dataset: Path) -> Iterator[Labelled]:
    """Subjects of commits, without the prefix that names their kind."""
    for place in sorted(dataset.iterdir()):
        source = find_source(dataset, place.name) if "+" in place.name else None
        if source is None:
            continue
        found = list(_of_repository(source, place.name.replace("+", "/")))
        if len(found) >= LEAST:
            counts = Counter(each.kind for each in found)
            print(f"{found[0].source}: {dict(sorted(counts.items()))}", file=sys.stderr)
            yield from found


def _of_repository(source: Path, name: str) -> Iterator[Labelled]:
    log = subprocess.run(
        ["git", "-C", source, "log", "--no-merges", f"--max-count={COMMITS}", "--format=%s"],
        capture_output=True,
        check=False,
    )
    seen: set[str] = set()
    taken: Counter[str] = Counter()
    for subject in log.stdout.decode("utf-8", "replace").splitlines():
        found = _SUBJECT.match(subject)
        if found is None:
            continue
        prefix, scope, words = found[1], found[2] or "", found[3]
        kind = (
            "deps"
            if prefix in ("chore", "build", "fix", "deps") and "deps" in (scope, prefix)
            else OF_PREFIX.get(prefix)
        )
        alike = _NUMBER.sub("0", words.casefold())
        if kind is None or alike in seen or taken[kind] >= MOST:
            continue
        seen.add(alike)
        taken[kind] += 1
        yield Labelled(name, kind, re.sub(r"\s*\(#\d+\)$", "", words))
