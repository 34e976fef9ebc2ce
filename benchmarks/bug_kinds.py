"""How often the predicted kinds of bugs hold the kind of the bug that a change really brought.

    python -m benchmarks.bug_kinds --dataset DIR --json     # a fifth of the repositories left out in turn
    python -m benchmarks.bug_kinds --dataset DIR --write    # and writes quality/risk/kinds_learned.toml

A case is a commit whose lines a later repair removed, when the repair's message names a kind (its code is not looked
at). The prediction sees the commit and the repairs before it; ``usual`` are the kinds that were most common in the
repository so far, whatever the commit is.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.common import data_folder, emit, find_source
from karkhana.domain.errors import KarkhanaError
from karkhana.git.patches import FilePatch, read_patches
from karkhana.git.repository import Repository
from karkhana.quality.history.labels import label
from karkhana.quality.history.messages import says_fix
from karkhana.quality.history.reading import read_history
from karkhana.quality.risk.kinds import (
    Learned,
    PastRepairs,
    inviting_lines,
    kinds_of_repair,
    load_catalogue,
    predict,
)

FOLDS = 5
EACH = 150
"""Cases of one repository, at most; the newest."""
STEADY = 5.0
"""Imagined cases that hold each step at nothing."""
TARGET = Path(__file__).parents[1] / "src/karkhana/quality/risk/kinds_learned.toml"
Case = tuple[tuple[FilePatch, ...], tuple[str, ...], PastRepairs]
"""(the change, the kinds of the bug that it brought, the repairs before it)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=2000, help="newest commits of each repository")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks/change_risk"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = dict(_repositories(options))
    hits: Counter[str] = Counter()
    for fold in range(FOLDS):
        inside = [case for number, cases in enumerate(data.values()) if number % FOLDS != fold for case in cases]
        outside = [case for number, cases in enumerate(data.values()) if number % FOLDS == fold for case in cases]
        hits.update(_hits(outside, learn(inside)))
    cases = [case for each in data.values() for case in each]
    if options.write:
        TARGET.write_text(_toml(learn(cases), list(data), len(cases)), encoding="utf-8")
    figures = {"repositories": len(data), "cases": len(cases)}
    shares = {
        name: round(hits[name] / max(1, len(cases)), 4) for name in ("first", "among_3", "usual_first", "usual_3")
    }
    emit("kinds of bugs", {**figures, **shares}, as_json=options.json)


def _repositories(options: argparse.Namespace) -> Iterator[tuple[str, list[Case]]]:
    for place in sorted(options.dataset.iterdir()):
        source = find_source(options.dataset, place.name)
        if source is None:
            continue
        try:
            cases = list(
                _cases(Repository.open(source, bare=True), options.limit, data_folder(options.cache) / place.name)
            )
        except KarkhanaError as error:
            print(f"{place.name}: left out, {error.message}", file=sys.stderr)
            continue
        print(f"{place.name}: {len(cases)} cases", file=sys.stderr, flush=True)
        yield place.name, cases


def _cases(repository: Repository, limit: int, folder: Path) -> Iterator[Case]:
    commits = read_history(repository, "HEAD", folder)
    window = commits[-limit:]
    labels = label(repository, commits, first=max(0, len(commits) - limit), folder=folder)
    by_name = {commit.commit: commit for commit in window}
    wanted = [bad for bad in labels.bad.values() if bad.because == "fixed" and bad.commit in by_name]
    told = {bad.commit: kinds_of_repair(by_name[bad.by].message) for bad in wanted}
    chosen = set([commit.commit for commit in window if told.get(commit.commit)][-EACH:])
    needed = [commit for commit in window if commit.commit in chosen or says_fix(commit.message)]
    past = PastRepairs()
    for (name, patch), commit in zip(read_patches(repository, [one.commit for one in needed]), needed, strict=True):
        if name in chosen:
            yield patch, told[name], _copy(past)
        if says_fix(commit.message):
            past.add(name, commit.message, patch)


def _copy(past: PastRepairs) -> PastRepairs:
    made = PastRepairs()
    made.kinds = Counter(past.kinds)
    made.files = {path: {kind: list(names) for kind, names in kinds.items()} for path, kinds in past.files.items()}
    return made


def learn(cases: Iterable[Case]) -> dict[str, Learned]:
    """Shares of the kinds, and what the density of inviting lines says of each."""
    rows = [(patch, kinds) for patch, kinds, _ in cases]
    seen = Counter(kind for _, kinds in rows for kind in kinds)
    total = sum(seen.values()) + len(load_catalogue().kinds)
    found = {}
    for kind in load_catalogue().kinds:
        counted = [(inviting_lines(kind, patch), kind in kinds) for patch, kinds in rows]
        density = [100 * inviting / lines if inviting else 0.0 for (inviting, lines), _ in counted if lines]
        of_kind = [hit for (_, lines), hit in counted if lines]
        some = [value for value in density if value]
        low, high = (float(cut) for cut in np.quantile(some, [1 / 3, 2 / 3])) if some else (5.0, 15.0)
        places = [0 if not value else 1 + (value >= low) + (value >= high) for value in density]
        found[kind] = Learned(
            share=(seen[kind] + 1) / total, steps=_steps(places, of_kind), cuts=(round(low, 2), round(high, 2))
        )
    return found


def _steps(places: list[int], of_kind: list[bool]) -> tuple[float, ...]:
    """The log of how much more often a bug is of the kind at each place; never falling with more inviting lines."""
    rate = (sum(of_kind) + 1) / (len(of_kind) + 2)
    ratios, weights = [], []
    for place in range(4):
        here = [hit for at, hit in zip(places, of_kind, strict=True) if at == place]
        ratios.append(float(np.log((sum(here) + STEADY * rate) / (len(here) + STEADY) / rate)))
        weights.append(len(here) + STEADY)
    groups = [[ratio, weight, 1.0] for ratio, weight in zip(ratios, weights, strict=True)]
    while (at := next((n for n in range(len(groups) - 1) if groups[n][0] > groups[n + 1][0]), None)) is not None:
        (a, m, k), (b, n, j) = groups[at], groups[at + 1]
        groups[at : at + 2] = [[(a * m + b * n) / (m + n), m + n, k + j]]
    return tuple(round(value, 3) for value, _, count in groups for _ in range(int(count)))


def _hits(cases: Iterable[Case], learned: dict[str, Learned]) -> Counter[str]:
    hits: Counter[str] = Counter()
    shipped = [kind for kind, _ in sorted(learned.items(), key=lambda item: -item[1].share)]
    for patch, kinds, past in cases:
        said = [one.kind for one in predict(patch, past, most=3, learned=learned)]
        share = {kind: past.kinds[kind] + 30 * learned[kind].share for kind in shipped}
        usual = sorted(shipped, key=lambda kind: -share[kind])
        hits["first"] += bool(set(said[:1]) & set(kinds))
        hits["among_3"] += bool(set(said) & set(kinds))
        hits["usual_first"] += usual[0] in kinds
        hits["usual_3"] += bool(set(usual[:3]) & set(kinds))
    return hits


def _toml(learned: dict[str, Learned], repositories: list[str], cases: int) -> str:
    lines = [
        "# Written by `python -m benchmarks.bug_kinds --dataset DIR --write`: what histories said of each kind of bug.",
        f"# {cases} commits that a later repair traced back to, in {len(repositories)} repositories:",
        *(f"#   {name.replace('+', '/')}" for name in repositories),
    ]
    for kind, one in learned.items():
        steps, cuts = (", ".join(f"{value:g}" for value in values) for values in (one.steps, one.cuts))
        lines += ["", f"[kinds.{kind}]", f"share = {one.share:.4f}", f"steps = [{steps}]", f"cuts = [{cuts}]"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
