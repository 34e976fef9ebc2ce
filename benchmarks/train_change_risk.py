"""Trains the shipped prior of change risk on the histories of repositories, and says what it does on others.

    python -m benchmarks.train_change_risk --dataset DIR --json     # a fifth of the repositories left out
    python -m benchmarks.train_change_risk --dataset DIR --write    # and writes quality/risk/prior.toml

``--dataset``: a folder of repositories OWNER+NAME/repo, bare or not. Each repository counts the same however long it
is; the penalty on the weights is chosen for the mean log loss on repositories that are left out.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.common import data_folder, emit, find_source
from karkhana.domain.errors import KarkhanaError
from karkhana.factory.backtest.history import gather
from karkhana.git.repository import Repository
from karkhana.quality.history.features import NAMES
from karkhana.quality.risk.columns import columns

LEFT_OUT = frozenset({"gap", "that_day", "that_week", "hour", "weekday"})
LEAST = 150
"""Commits whose outcome is known that a repository must have."""
LEAST_BAD = 10
FOLDS = 5
PENALTIES = (0.003, 0.01, 0.1)
TARGET = Path(__file__).parents[1] / "src/karkhana/quality/risk/prior.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=3000, help="newest commits of each repository")
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks/change_risk"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = dict(_repositories(options))
    figures = _left_out(data)
    best = max(PENALTIES, key=lambda penalty: -figures[penalty]["log_loss"])
    table = {"repositories": len(data), "commits": sum(len(y) for _, y in data.values())}
    table |= {"bad": int(sum(y.sum() for _, y in data.values())), "penalty": best, **figures[best]}
    if options.write:
        held_out = f"mean AUC {figures[best]['mean_auc']:.3f} of repositories left out in turn"
        TARGET.write_text(_toml(data, best, options.days, held_out), encoding="utf-8")
    emit("the prior of change risk", table, as_json=options.json)


def _repositories(options: argparse.Namespace) -> Iterator[tuple[str, tuple[dict[str, list[float]], Any]]]:
    for place in sorted(options.dataset.iterdir()):
        try:
            source = find_source(options.dataset, place.name)
            if source is None:
                continue
            cache = data_folder(options.cache) / place.name
            found = gather(Repository.open(source, bare=True), options.limit, options.days, cache)
        except KarkhanaError as error:
            print(f"{place.name}: left out, {error.message}", file=sys.stderr)
            continue
        rows = [(one.row, one.bad) for one in found.judged]
        bad = np.array([bad for _, bad in rows], dtype=bool)
        if len(rows) < LEAST or bad.sum() < LEAST_BAD:
            print(f"{place.name}: left out, {len(rows)} outcomes, {int(bad.sum())} bad", file=sys.stderr)
            continue
        print(f"{place.name}: {len(rows)} outcomes, {bad.mean():.1%} bad", file=sys.stderr)
        yield place.name.replace("+", "/"), ({name: [getattr(row, name) for row, _ in rows] for name in NAMES}, bad)


def _left_out(data: dict[str, Any]) -> dict[float, dict[str, Any]]:
    found: dict[float, dict[str, Any]] = {}
    folds = {name: number % FOLDS for number, name in enumerate(data)}
    for penalty in PENALTIES:
        areas, losses = {}, []
        fitted = [_fit({n: d for n, d in data.items() if folds[n] != fold}, penalty) for fold in range(FOLDS)]
        for name, (features, bad) in data.items():
            intercept, terms, _ = fitted[folds[name]]
            names, table = columns(features)
            line = intercept + sum(
                terms[one][2] * np.clip((table[:, names.index(one)] - terms[one][0]) / terms[one][1], -4, 4)
                for one in terms
            )
            # the level is fitted to each repository when it is used, so that only the order and the slope are judged
            shift = _level(line, bad.mean())
            areas[name] = float(roc_auc_score(bad, line))
            losses.append(float(np.mean(np.logaddexp(0, np.where(bad, -1, 1) * (line + shift)))))
        found[penalty] = {
            "mean_auc": float(np.mean(list(areas.values()))),
            "log_loss": float(np.mean(losses)),
            "per_repository": areas,
        }
    return found


def _level(line: Any, rate: float) -> float:
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(1 / (1 + np.exp(-(line + middle)))) < rate else (low, middle)
    return low


def _fit(data: dict[str, Any], penalty: float) -> tuple[float, dict[str, tuple[float, float, float]], int]:
    names: tuple[str, ...] = ()
    tables, outcomes, weights, own = [], [], [], []
    for number, (features, bad) in enumerate(data.values()):
        names, table = columns(features)
        tables.append(table)
        outcomes.append(bad)
        weights.append(np.full(len(bad), 1 / len(bad)))
        own.append(np.full(len(bad), number))
    kept = [place for place, name in enumerate(names) if name not in LEFT_OUT]
    table, bad = np.vstack(tables)[:, kept], np.concatenate(outcomes)
    weight = np.concatenate(weights)
    weight *= len(bad) / weight.sum()
    mean = np.average(table, axis=0, weights=weight)
    scale = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weight)) + 1e-9
    scaled = np.clip((table - mean) / scale, -4, 4)
    # a level of its own for each repository, so that the weights tell commits of one repository from each other
    levels = np.eye(len(data))[np.concatenate(own)] * 5
    model = LogisticRegression(C=penalty, max_iter=2000).fit(np.hstack([scaled, levels]), bad, sample_weight=weight)
    coefficients = model.coef_[0][: len(kept)]
    intercept = float(model.intercept_[0] + np.mean(model.coef_[0][len(kept) :] * 5))
    terms = {names[place]: (float(mean[n]), float(scale[n]), float(coefficients[n])) for n, place in enumerate(kept)}
    return intercept, terms, len(bad)


def _toml(data: dict[str, Any], penalty: float, days: int, held_out: str) -> str:
    intercept, terms, commits = _fit(data, penalty)
    lines = [
        "# Written by `python -m benchmarks.train_change_risk --dataset DIR --write`. Weights of a logistic",
        "# regression, one per standard deviation of a column; learned from labels that quality/history makes",
        "# of these repositories' commits.",
        'version = "1"',
        "trained_on = [",
        *(f'    "{name}",' for name in data),
        "]",
        f"commits = {commits}",
        f"bad = {int(sum(bad.sum() for _, bad in data.values()))}",
        f"within_days = {days}",
        f'held_out = "{held_out}"',
        f"intercept = {intercept:.4f}",
        "",
        "# column = [mean, scale, weight]; of logarithms, see quality/risk/columns.py",
        "[terms]",
    ]
    for name, (mean, scale, weight) in terms.items():
        lines.append(f"{name} = {{ mean = {mean:.4f}, scale = {scale:.4f}, weight = {weight:.4f} }}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
