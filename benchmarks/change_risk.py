"""How well the change-risk model forecasts bad commits on public data: one project after the other.

    python -m benchmarks.change_risk --dataset DIR --json

``--dataset``: a clone of ZZR0/ISSTA21-JIT-DP (bare or not, or the folder that holds it as OWNER+NAME/repo), or a
folder of files ``NAME_k_feature.csv``. Each has a row per commit: ``date`` (seconds), ``bug`` (0 or 1) and the fourteen
features of Kamei et al. The first 80 % by time are learned from, the last 20 % are forecast; a mean over ``--seeds``.
Models are chosen with ``--validate``, which does the same within the first 80 % and never looks at the rest.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks.common import emit, find_source
from karkhana.git.repository import Repository
from karkhana.quality.history.features import CLASSIC, moment
from karkhana.quality.risk.model import RiskModel
from karkhana.quality.risk.settings import load_settings

NAME = "ZZR0/ISSTA21-JIT-DP"
SUFFIX = "_k_feature.csv"
LEARNED = 0.8
SPELT = {"entropy": "entrophy"}
"""As the data spell it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--validate", action="store_true", help="leave the last 20 %% out of it")
    parser.add_argument("--only", nargs="*", help="projects; default: all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    projects: dict[str, dict[str, Any]] = {}
    for name, text in sorted(_tables(options.dataset)):
        if not options.only or name in options.only:
            projects[name] = _judge(text, options.seeds, validate=options.validate)
            print(name, json.dumps(projects[name]), file=sys.stderr, flush=True)
    if not projects:
        raise SystemExit(f"no *{SUFFIX} in {options.dataset}")
    mean = {f"mean_{key}": float(np.mean([one[key] for one in projects.values()])) for key in ("auc", "brier")}
    emit(
        "change risk",
        {**mean, "seeds": options.seeds, "validation": options.validate, "per_project": projects},
        as_json=options.json,
    )


def _judge(text: str, seeds: int, *, validate: bool = False) -> dict[str, Any]:
    rows = sorted(csv.DictReader(io.StringIO(text)), key=lambda row: float(row["date"]))
    if validate:
        rows = rows[: int(len(rows) * LEARNED)]
    bad = np.array([float(row["bug"]) > 0 for row in rows])
    features = {name: [float(row[SPELT.get(name, name)]) for row in rows] for name in CLASSIC}
    times = [int(float(row["date"])) for row in rows]
    moments = [moment(now, times[max(0, place - 5000) : place]) for place, now in enumerate(times)]
    features |= {name: [one[name] for one in moments] for name in moments[0]}
    cut = int(len(rows) * LEARNED)
    known, asked = (
        {name: values[part] for name, values in features.items()} for part in (slice(cut), slice(cut, None))
    )
    settings = load_settings()
    areas, errors = [], []
    for seed in range(seeds):
        forests = msgspec.structs.replace(settings.forests, seed=1000 * seed)
        model = RiskModel.fit(known, bad[:cut].tolist(), msgspec.structs.replace(settings, forests=forests))
        risk = model.risk(asked)
        areas.append(roc_auc_score(bad[cut:], risk))
        errors.append(brier_score_loss(bad[cut:], risk))
    rate = bad[cut:].mean()
    return {
        "auc": round(float(np.mean(areas)), 4),
        "brier": round(float(np.mean(errors)), 4),
        "auc_spread": round(float(np.ptp(areas)), 4),
        "brier_of_base_rate": round(float(rate * (1 - rate)), 4),
        "learned": cut,
        "forecast": len(rows) - cut,
        "bad_share": round(float(rate), 4),
    }


def _tables(folder: Path) -> Iterator[tuple[str, str]]:
    """(project, the text of its file); of several files of a project the one nearest to the top."""
    source = find_source(folder, NAME)
    place = source or folder
    if source is not None or (folder / "objects").is_dir() or (folder / ".git").is_dir():
        repository = Repository.open(place, bare=True)
        files = repository.files(repository.head())
        found = {path: oid for path, (_, oid) in files.items() if path.endswith(SUFFIX)}
        for name, path in _nearest(found).items():
            # one at a time: parts of a repository that was fetched in part are absent
            yield name, repository.read_blobs([found[path]])[found[path]].decode()
        return
    listed = {str(path.relative_to(folder)): path for path in folder.rglob(f"*{SUFFIX}")}
    for name, path in _nearest(listed).items():
        yield name, listed[path].read_text(encoding="utf-8")


def _nearest(paths: dict[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for path in sorted(paths, key=lambda each: (each.count("/"), each)):
        chosen.setdefault(path.rpartition("/")[2].removesuffix(SUFFIX), path)
    return chosen


if __name__ == "__main__":
    main()
