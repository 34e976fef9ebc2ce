"""Measures the guarantee: in worlds with a known truth, and how much it lets go ahead on commits of real projects.

``python -m benchmarks.guarantee --dataset DIR --json``, with a clone of ``ZZR0/ISSTA21-JIT-DP`` in DIR for the second
part. ``--draws`` and ``--seed`` vary the simulation; ``--skip-simulation`` and ``--project`` choose parts.

On the real commits a forest learns from the first 80 % by time of each project; the score of a later commit is the
chance that it is clean. The threshold is found on the first half of what is left, and the second half shows what goes
ahead alone and how much of that is bad; and the same for random halves, which are exchangeable as the theory assumes.
"""

import argparse
import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks.common import emit, find_source
from benchmarks.guarantee_simulation import DRIFTS, HARD, drifting, once, repeated, shipped
from karkhana.quality.guarantee.binomial import most_bad
from karkhana.quality.guarantee.rules import load_rules
from karkhana.quality.guarantee.thresholds import certified, thresholds

DATA = "ZZR0/ISSTA21-JIT-DP"
FEATURES = ["ns", "nd", "nf", "entrophy", "la", "ld", "lt", "fix", "ndev", "age", "nuc", "exp", "rexp", "sexp"]
PROJECTS = ("qt", "openstack", "platform", "jdt", "gerrit", "go")
WANTED = {"qt": 0.76, "openstack": 0.50, "platform": 0.29}
HALVES = 1000

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def commits(source: Path, project: str) -> tuple[Floats, Booleans]:
    """Features and labels of a project's commits, the oldest first."""
    path = f"HEAD:Data_Extraction/git_base/datasets/{project}/{project}_k_feature.csv"
    text = subprocess.run(["git", "-C", source, "show", path], check=True, capture_output=True, text=True).stdout
    rows = sorted(csv.DictReader(io.StringIO(text)), key=lambda row: float(row["date"]))
    return np.array([[float(row[name]) for name in FEATURES] for row in rows]), np.array(
        [float(row["bug"]) > 0 for row in rows]
    )


def scored(features: Floats, bad: Booleans, seed: int) -> tuple[Floats, Booleans]:
    """Scores and labels of the last fifth by time, from a forest that saw what came before."""
    first = int(0.8 * len(bad))
    forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=seed, n_jobs=1)
    forest.fit(features[:first], bad[:first])
    return 1 - forest.predict_proba(features[first:])[:, 1], bad[first:]


def threshold(score: Floats, bad: Booleans) -> float | None:
    """What the shipped rules give on a sample, with the whole of delta."""
    rules = load_rules()
    grid = thresholds(rules.lowest, rules.step)
    above = score[:, None] > grid
    allowed = most_bad(rules.alpha, rules.delta, 1 << len(bad).bit_length())
    found = int(
        certified(above.sum(axis=0)[None], (above & bad[:, None]).sum(axis=0)[None], allowed, rules.first_share)[0]
    )
    return float(grid[found]) if found >= 0 else None


def project_row(source: Path, project: str, seed: int) -> dict[str, Any]:
    """By time, and over random halves of the commits that the forest did not see."""
    score, bad = scored(*commits(source, project), seed)
    half = len(bad) // 2
    given = threshold(score[:half], bad[:half])
    alone = score[half:] > (np.inf if given is None else given)
    chance, shares, broken = np.random.default_rng(seed), [], 0
    for _ in range(HALVES):
        order = chance.permutation(len(bad))
        known, later = order[:half], order[half:]
        found = threshold(score[known], bad[known])
        goes = score[later] > (np.inf if found is None else found)
        shares.append(float(goes.mean()))
        broken += bool(goes.any() and bad[later][goes].mean() > load_rules().alpha)
    return {
        "project": project,
        "commits": len(bad),
        "bad": round(float(bad.mean()), 4),
        "threshold": given,
        "alone": round(float(alone.mean()), 4),
        "bad_alone": round(float(bad[half:][alone].mean()), 4) if alone.any() else None,
        "alone_random_halves": round(float(np.mean(shares)), 4),
        # Of the later half itself, so with its luck on top of the true rate.
        "random_halves_with_more_bad_than_alpha": round(broken / HALVES, 4),
        "wanted": WANTED.get(project),
    }


def simulation(draws: int, seed: int) -> Iterator[dict[str, Any]]:
    """Every setting."""
    yield from shipped(draws, seed)
    yield from once(draws, seed)
    yield from repeated(draws, seed)
    yield from drifting(draws, seed)
    yield from drifting(draws, seed, demote=False, kind="drift, alarm only")
    yield from drifting(draws, seed, DRIFTS[1:], alarm=False, demote=False, kind="drift, nothing on")
    yield from shipped(draws, seed, HARD, kind="shipped, hard", worlds=("honest", "over_confident", "cliff"))
    yield from drifting(draws, seed, HARD, kind="drift, hard")


COUNTED = ("shipped", "once", "repeated", "drift")
"""Kinds of settings in which the promise must hold; the others are told beside them."""


def judged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The bar over all counted settings."""
    counted = [row for row in rows if row["kind"] in COUNTED]
    worst = max(counted, key=_excess, default=None)
    main = [row for row in counted if row["kind"] == COUNTED[0]]
    return {
        "shipped": {
            "settings": len(main),
            "above_delta": sum(_excess(row) > 0 for row in main),
            "worst": max(main, key=_excess, default=None),
        },
        "settings": len(counted),
        "draws": counted[0]["draws"] if counted else 0,
        "above_delta": sum(row["violations"] > row["delta"] for row in counted),
        "above_delta_by_more_than_three_errors": sum(
            row["violations"] > row["delta"] + 3 * (row["delta"] * (1 - row["delta"]) / row["draws"]) ** 0.5
            for row in counted
        ),
        "worst": worst,
    }


def _excess(row: dict[str, Any]) -> float:
    return float(row["violations"] - row["delta"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--project", action="append", choices=PROJECTS)
    parser.add_argument("--skip-simulation", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for row in () if options.skip_simulation else simulation(options.draws, options.seed):
        print("  ".join(f"{name}={value}" for name, value in row.items()), file=sys.stderr, flush=True)
        rows.append(row)
    projects = []
    if options.dataset is not None:
        source = find_source(options.dataset, DATA)
        if source is None:
            raise SystemExit(
                f"{DATA} is not in {options.dataset}; clone it to {options.dataset}/{DATA.replace('/', '+')}"
            )
        for project in options.project or PROJECTS:
            projects.append(project_row(source, project, options.seed))
            print(projects[-1], file=sys.stderr, flush=True)
    emit("guarantee", judged(rows) | {"rows": rows, "projects": projects}, as_json=options.json)


if __name__ == "__main__":
    main()
